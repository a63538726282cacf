import { Held } from "../domain/held.js";
import type { AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";
import type { AccessedBytes } from "./cpu-access.js";
import { segmentBytes, type Storage } from "./storage.js";

/** What accesses of one holder hold, one after the other. It keeps their views, which are as costly as an access. */
export class AccessHold implements AccessedBytes {
  readonly mode: AccessMode;
  readonly held: Held;
  readonly #record: BufferRecord;
  #storage!: Storage;
  #views: readonly Uint8Array[] | undefined;

  constructor(record: BufferRecord, mode: AccessMode) {
    this.#record = record;
    this.mode = mode;
    const what = (): string => `An access to ${mode} buffer "${record.name}"`;
    this.held = new Held(record.agent.held, what, () => {
      this.#storage.endUse();
      record.exporter.end(mode);
      record.holds.release(mode);
    });
  }

  /** An access has begun: the bytes are in use until its end. */
  begin(): void {
    this.#storage = this.#record.storage;
    this.#storage.beginUse();
    this.held.begin();
  }

  get views(): readonly Uint8Array[] {
    const { segments } = this.#storage;
    const last = this.#views;
    if (last?.length === segments.length && last.every((view, i) => isOf(view, segments[i]!))) return last;
    const views = segments.map(segmentBytes);
    // Those of an access that is held for long are its own: they then go with it.
    if (!this.held.isWatched) this.#views = views;
    return views;
  }

  forgetViews(): void {
    this.#views = undefined;
  }
}

function isOf(view: Uint8Array, { memory, offset, length }: Storage["segments"][number]): boolean {
  return view.buffer === memory && view.byteOffset === offset && view.length === length;
}
