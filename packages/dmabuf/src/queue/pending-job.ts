import type { DmaBuf } from "../buffer/buffer.js";
import { makeCpuAccess, type AccessedBytes, type CpuAccess } from "../buffer/cpu-access.js";
import { segmentBytes } from "../buffer/storage.js";
import type { Agent } from "../domain/agent.js";
import { isKeyOverdue } from "../domain/fence-slot.js";
import { Held } from "../domain/held.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { fenceAgent, type Fence } from "../fence/fence.js";
import { createAbortController, type HostAbortController, type AbortSignalLike } from "../host/abort.js";
import type { AccessMode } from "../reservation/usage.js";
import type { BufferUse, Submission } from "./submission.js";

/** What a job is started after: a fence, or a job of its own scheduler that it may follow in the pipeline. */
export type Dependency = Fence | PendingJob;

/** A job, as its queue and its scheduler know it. */
export class PendingJob<Data = unknown> {
  readonly data: Data;
  readonly credits: number;
  /** Grows with every job of the scheduler. */
  readonly order: number;
  readonly scheduled: Fence;
  readonly finished: Fence;
  /** The executor's own fence for the work, if it has one. */
  parent: Fence | undefined;
  readonly #submission: Submission<Data>;
  readonly #accesses = new Map<BufferUse, CpuAccess>();
  readonly #dependencies: Dependency[];
  readonly #guards: readonly FenceKey[];
  #controller: HostAbortController | undefined;
  /** The dependency that calls back. */
  #awaited: Fence | undefined;
  #isOver = false;
  #error: ErrorCode | undefined;

  /**
   * @param dependencies What the job is started after.
   * @param guards All fences of which the work must be over by then.
   */
  constructor(
    submission: Submission<Data>,
    order: number,
    dependencies: readonly Dependency[],
    guards: readonly FenceKey[],
    fences: { readonly scheduled: Fence; readonly finished: Fence },
  ) {
    this.data = submission.data;
    this.credits = submission.credits;
    this.order = order;
    this.scheduled = fences.scheduled;
    this.finished = fences.finished;
    this.#submission = submission;
    this.#dependencies = [...dependencies];
    this.#guards = guards;
  }

  /** The job's own holders of the buffers that it uses so. */
  holders(mode: AccessMode): DmaBuf[] {
    return this.#submission.uses.filter((use) => use.mode === mode).map(({ holder }) => holder);
  }

  /** See `Job`. */
  access(buffer: DmaBuf): CpuAccess {
    const use = this.#submission.uses.find(({ named, holder }) => named === buffer || holder === buffer);
    if (use === undefined) throw new RangeError("Cannot use the bytes: the job has not named this buffer");
    if (this.#isOver) throw new DmaBufError("EBADF", "Cannot use the bytes: the job has finished");
    let access = this.#accesses.get(use);
    if (access === undefined) {
      const { mode, holder } = use;
      access = makeCpuAccess(new JobAccess(fenceAgent(this.finished), mode, holder.segments.map(segmentBytes)));
      this.#accesses.set(use, access);
    }
    return access;
  }

  /** Aborts when the job is to stop, because its time is over or its scheduler is closed. */
  get signal(): AbortSignalLike {
    return (this.#controller ??= createAbortController()).signal;
  }

  abort(reason: DmaBufError): void {
    this.#controller?.abort(reason);
  }

  /**
   * Whether nothing is left to be waited for; otherwise `look` is called when it is time to ask again.
   *
   * @param isKilled Whether the job is never to run.
   */
  isReady(look: () => void, isKilled: boolean): boolean {
    for (let i = this.#dependencies.length - 1; i >= 0; i--) {
      const dependency = this.#dependencies[i]!;
      const fence = dependency instanceof PendingJob ? dependency.#passedWith(isKilled) : dependency;
      if (!fence.isSignaled() && (this.#awaited === fence || fence.addCallback(look).queued)) {
        this.#awaited = fence;
        return false;
      }
      // Until it has finished, a job of the pipeline may still fail before this one runs.
      if (!(dependency instanceof PendingJob) || dependency.finished.isSignaled()) this.#dependencies.splice(i, 1);
    }
    return true;
  }

  /** scheduler.10: what a job waits for that follows this one in the pipeline. */
  #passedWith(isKilled: boolean): Fence {
    return isKilled || this.#error !== undefined ? this.finished : this.scheduled;
  }

  /** Whether a time limit has ended what the job depends on while that may still go on (scheduler.8). */
  get dependsOnOverdue(): boolean {
    return this.#guards.some((key) => isKeyOverdue(fenceAgent(this.finished), key));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the work has failed with. */
  get error(): ErrorCode | undefined {
    return this.#error;
  }

  /** The work has ended: it no longer looks at the buffers. False if it had before. */
  end(error: ErrorCode | undefined): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#error = error;
    this.#dependencies.length = 0;
    for (const access of this.#accesses.values()) access[Symbol.dispose]();
    this.#submission.close();
    return true;
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
