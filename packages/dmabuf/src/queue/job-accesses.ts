import { holderOf, type DmaBuf } from "../buffer/buffer.js";
import { makeCpuAccess, type AccessedBytes, type CpuAccess } from "../buffer/cpu-access.js";
import { segmentBytes } from "../buffer/storage.js";
import { raiseContent } from "../buffer/content-version.js";
import type { Agent } from "../domain/agent.js";
import { Held } from "../domain/held.js";
import type { ReadCheck } from "../domain/validation.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";

/** One buffer of a job. */
export interface UsedBuffer {
  readonly mode: AccessMode;
  /** The holder that the job's owner named. */
  readonly named: DmaBuf;
  /** The job's own. */
  readonly holder: DmaBuf;
}

/** A job's accesses to its buffers: they wait for nothing, since the job has, and end with the job. */
export class JobAccesses {
  readonly #agent: Agent;
  readonly #uses: readonly UsedBuffer[];
  readonly #accesses = new Map<UsedBuffer, CpuAccess>();
  #isOver = false;
  #isStopped = false;

  constructor(agent: Agent, uses: readonly UsedBuffer[]) {
    this.#agent = agent;
    this.#uses = uses;
  }

  /** The job's own holders of the buffers that it uses so. */
  holders(mode: AccessMode): DmaBuf[] {
    return this.#uses.filter((use) => use.mode === mode).map(({ holder }) => holder);
  }

  /** See `Job`. */
  access(buffer: DmaBuf): CpuAccess {
    const use = this.#uses.find(({ named, holder }) => named === buffer || holder === buffer);
    if (use === undefined) throw new RangeError("Cannot use the bytes: the job has not named this buffer");
    if (this.#isOver) {
      this.usedLate();
      throw new DmaBufError("EBADF", "Cannot use the bytes: the job has finished");
    }
    let access = this.#accesses.get(use);
    if (access === undefined) {
      access = makeCpuAccess(new JobAccess(this.#agent, use, () => this.usedLate()));
      this.#accesses.set(use, access);
    }
    return access;
  }

  /** The job is told to stop: that it goes on for a while is no mistake. */
  stop(): void {
    this.#isStopped = true;
  }

  end(): void {
    this.#isOver = true;
    for (const access of this.#accesses.values()) access[Symbol.dispose]();
  }

  /** Its bytes are asked for after the end. */
  usedLate(): void {
    if (this.#isStopped) return;
    const message = "A job goes on after its fence has signaled: its work has finished when what `run` returns settles";
    this.#agent.validation?.report("work-after-fence", message);
  }
}

/** A job's access ends with the job: nothing of it can be forgotten. */
class JobAccess extends Held implements AccessedBytes {
  readonly mode: AccessMode;
  readonly agent: Agent;
  readonly views: readonly Uint8Array[];
  readonly usedLate: () => void;
  readonly #check: ReadCheck | undefined;
  readonly #slot: number;

  constructor(agent: Agent, { mode, holder }: UsedBuffer, usedLate: () => void) {
    super(
      agent.held,
      () => undefined,
      (access: JobAccess) => {
        access.#check?.end();
        if (access.mode === "write") raiseContent(agent, access.#slot);
      },
    );
    this.mode = mode;
    this.#slot = holderOf(holder).holds.slot;
    this.agent = agent;
    this.views = holderOf(holder).segments.map(segmentBytes);
    this.usedLate = usedLate;
    if (mode === "write" || agent.validation === undefined) return;
    const { name } = holder;
    this.#check = agent.validation.reads(this.#slot, () => `A job's access to read "${name}"`, "job");
    this.#check.begin(this.views);
  }
}
