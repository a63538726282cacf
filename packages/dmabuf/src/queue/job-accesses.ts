import type { DmaBuf } from "../buffer/buffer.js";
import { makeCpuAccess, type AccessedBytes, type CpuAccess } from "../buffer/cpu-access.js";
import { segmentBytes } from "../buffer/storage.js";
import type { Agent } from "../domain/agent.js";
import { Held } from "../domain/held.js";
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
    if (this.#isOver) throw new DmaBufError("EBADF", "Cannot use the bytes: the job has finished");
    let access = this.#accesses.get(use);
    if (access === undefined) {
      const { mode, holder } = use;
      access = makeCpuAccess(new JobAccess(this.#agent, mode, holder.segments.map(segmentBytes)));
      this.#accesses.set(use, access);
    }
    return access;
  }

  end(): void {
    this.#isOver = true;
    for (const access of this.#accesses.values()) access[Symbol.dispose]();
  }
}

/** A job's access ends with the job: nothing of it can be forgotten. */
class JobAccess extends Held implements AccessedBytes {
  readonly mode: AccessMode;
  readonly views: readonly Uint8Array[];

  constructor({ held }: Agent, mode: AccessMode, views: readonly Uint8Array[]) {
    super(
      held,
      () => undefined,
      () => {},
    );
    this.mode = mode;
    this.views = views;
  }
}
