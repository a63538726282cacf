import { allOrNothing } from "../../all-or-nothing.js";
import type { CpuAccess } from "../../buffer/cpu-access.js";
import type { DmaBuf } from "../../buffer/buffer.js";
import { agentOf } from "../../domain-base.js";
import type { Fence } from "../../fence/fence.js";
import { JobAccesses, type UsedBuffer } from "../../queue/job-accesses.js";
import type { JobState } from "../../queue/job.js";
import type { AccessMode } from "../../reservation/usage.js";
import type { Domain } from "../../threads.js";
import type { ProcessDomain } from "../process-domain.js";
import type { KeptBuffers } from "./kept-buffers.js";
import type { SentJob } from "./messages.js";

/** A job in the worker that runs it. Its buffers are mapped here until it ends. */
export class ReceivedJob implements JobState<unknown> {
  readonly data: unknown;
  readonly credits: number;
  readonly #domain: Domain | ProcessDomain;
  readonly #sent: SentJob;
  readonly #uses: readonly UsedBuffer[];
  readonly #accesses: JobAccesses;
  #finished: Fence | undefined;

  constructor(domain: Domain | ProcessDomain, kept: KeptBuffers, sent: SentJob) {
    this.data = sent.data;
    this.credits = sent.credits;
    this.#domain = domain;
    this.#sent = sent;
    this.#uses = allOrNothing((orUndo) =>
      sent.buffers.map(({ mode, handle }) => {
        const holder = kept.open(handle);
        orUndo(() => holder.close());
        return { mode, holder, named: holder };
      }),
    );
    this.#accesses = new JobAccesses(agentOf(domain), this.#uses);
  }

  /** It has been given to the executor. */
  get scheduled(): Fence {
    return this.#domain.stubFence();
  }

  get finished(): Fence {
    return (this.#finished ??= this.#domain.import(this.#sent.finished));
  }

  holders(mode: AccessMode): DmaBuf[] {
    return this.#accesses.holders(mode);
  }

  access(buffer: DmaBuf): CpuAccess {
    return this.#accesses.access(buffer);
  }

  end(): void {
    this.#accesses.end();
    for (const { holder } of this.#uses) holder.close();
  }
}
