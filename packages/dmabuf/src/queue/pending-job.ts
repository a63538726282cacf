import type { DmaBuf } from "../buffer/buffer.js";
import type { CpuAccess } from "../buffer/cpu-access.js";
import type { Activity } from "../domain/activity.js";
import { awaitsFence } from "../domain/awaited-key.js";
import { isKeyOverdue } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { ERRNO, type DmaBufError, type ErrorCode } from "../errors.js";
import { backingOf, fenceAgent, type Fence } from "../fence/fence.js";
import { createAbortController, type HostAbortController, type AbortSignalLike } from "../host/abort.js";
import type { AccessMode } from "../reservation/usage.js";
import type { JobState } from "./job.js";
import { JobAccesses } from "./job-accesses.js";
import type { Submission } from "./submission.js";
import { POINT, traces } from "../domain/tracing.js";
import { traceFence } from "../fence/fence-trace.js";

/** What a job is started after: a fence, or a job of its own scheduler that it may follow in the pipeline. */
export type Dependency = Fence | PendingJob;

/** A job, as its queue and its scheduler know it. */
export class PendingJob<Data = unknown> implements JobState<Data> {
  readonly data: Data;
  readonly credits: number;
  /** Grows with every job of the scheduler. */
  readonly order: number;
  readonly scheduled: Fence;
  readonly finished: Fence;
  /** The executor's own fence for the work, if it has one. */
  parent: Fence | undefined;
  readonly #submission: Submission<Data>;
  readonly #accesses: JobAccesses;
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
    this.#accesses = new JobAccesses(fenceAgent(fences.finished), submission.uses);
    this.#dependencies = [...dependencies];
    this.#guards = guards;
  }

  /** Running, for other agents. */
  activity(): Activity | undefined {
    const key = backingOf(this.finished).key(this.finished);
    return key && { ...awaitsFence(key), does: "runs-job" };
  }

  holders(mode: AccessMode): DmaBuf[] {
    return this.#accesses.holders(mode);
  }

  access(buffer: DmaBuf): CpuAccess {
    return this.#accesses.access(buffer);
  }

  /** Aborts when the job is to stop, because its time is over or its scheduler is closed. */
  get signal(): AbortSignalLike {
    return (this.#controller ??= createAbortController()).signal;
  }

  abort(reason: DmaBufError): void {
    this.#accesses.stop();
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

  /** What it waits for still. */
  get pending(): Fence[] {
    const fences = this.#dependencies.map((one) => (one instanceof PendingJob ? one.scheduled : one));
    return fences.filter((fence) => !fence.isSignaled());
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
    const agent = fenceAgent(this.finished);
    const errno = error === undefined ? 0 : ERRNO[error];
    if (traces(agent, POINT["queue:done"])) traceFence(agent, POINT["queue:done"], this.finished, errno);
    this.#dependencies.length = 0;
    this.#accesses.end();
    this.#submission.close();
    return true;
  }
}
