import type { Agent } from "../domain/agent.js";
import type { Activity } from "../domain/activity.js";
import { Held } from "../domain/held.js";
import type { ReadCheck } from "../domain/validation.js";
import type { AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";
import type { AccessedBytes } from "./cpu-access.js";
import { segmentBytes, type Storage } from "./storage.js";
import { MODE_DETAIL } from "../domain/trace-points.js";
import { POINT, traces } from "../domain/tracing.js";

/** What accesses of one holder hold, one after the other. It keeps their views, which are as costly as an access. */
export class AccessHold extends Held implements AccessedBytes {
  readonly mode: AccessMode;
  readonly #record: BufferRecord;
  readonly #check: ReadCheck | undefined;
  #storage!: Storage;
  #views: readonly Uint8Array[] | undefined;
  /** The number that joins its begin and its end in what is traced. */
  #tracedAs = 0;

  constructor(record: BufferRecord, mode: AccessMode) {
    super(record.agent.held, AccessHold.#nameOf, AccessHold.#giveBack);
    this.#record = record;
    this.mode = mode;
    const { agent, key } = record;
    if (mode === "read") this.#check = agent.validation?.reads(key.slot, () => AccessHold.#nameOf(this));
  }

  static readonly #nameOf = (hold: AccessHold): string => `An access to ${hold.mode} buffer "${hold.#record.name}"`;

  static readonly #giveBack = (hold: AccessHold): void => {
    const { mode } = hold;
    const { agent, exporter, holds } = hold.#record;
    hold.#check?.end();
    agent.validation?.released(hold);
    // Before another agent can have the bytes.
    if (traces(agent, POINT["buffer:access-end"])) {
      hold.#record.trace(POINT["buffer:access-end"], hold.#tracedAs, MODE_DETAIL[mode]);
    }
    hold.#storage.endUse();
    exporter.end(mode);
    holds.release(mode);
  };

  override activity(): Activity {
    const { slot, generation } = this.#record.key;
    return { does: this.mode === "write" ? "writes" : "reads", slot, generation };
  }

  /** An access has begun: the bytes are in use until its end. */
  override begin(): void {
    this.#storage = this.#record.storage;
    this.#storage.beginUse();
    super.begin();
    const { agent } = this.#record;
    if (traces(agent, POINT["buffer:access-begin"])) {
      this.#tracedAs = ++agent.lastTraced;
      this.#record.trace(POINT["buffer:access-begin"], this.#tracedAs, MODE_DETAIL[this.mode]);
    }
    this.#check?.begin(this.views);
  }

  get agent(): Agent {
    return this.#record.agent;
  }

  get views(): readonly Uint8Array[] {
    const { segments } = this.#storage;
    const last = this.#views;
    if (last?.length === segments.length && last.every((view, i) => isOf(view, segments[i]!))) return last;
    const views = segments.map(segmentBytes);
    // Those of an access that is held for long are its own: they then go with it.
    if (!this.isWatched) this.#views = views;
    return views;
  }

  protected override forgetViews(): void {
    this.#views = undefined;
  }
}

function isOf(view: Uint8Array, { memory, offset, length }: Storage["segments"][number]): boolean {
  return view.buffer === memory && view.byteOffset === offset && view.length === length;
}
