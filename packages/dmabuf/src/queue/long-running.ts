import { holderOf, type DmaBuf } from "../buffer/buffer.js";
import type { CpuAccess } from "../buffer/cpu-access.js";
import { TIMELINE_KIND } from "../domain/layout.js";
import type { Agent } from "../domain/agent.js";
import { isKeyOverdue } from "../domain/fence-slot.js";
import { promised } from "../domain/promised.js";
import { take, until, type Steps } from "../domain/steps.js";
import { isKeyDemanded } from "../domain/timeline-demand.js";
import { Ending, waitUntil, type WaitOptions } from "../domain/wait.js";
import { DmaBufError, ERRNO } from "../errors.js";
import { AwaitedFences } from "../fence/awaited-fences.js";
import { backingOf, type Fence } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { createTimeline, type Timeline } from "../fence/timeline.js";
import type { UserFence } from "../fence/user-fence.js";
import { createAbortController, type AbortSignalLike, type HostAbortController } from "../host/abort.js";
import { JobAccesses } from "./job-accesses.js";
import type { LongRunningState } from "./long-running-job.js";
import type { Obstacle, Submission } from "./submission.js";
import type { Preemptible, Turns } from "./turns.js";

/**
 * Work without a time limit.
 *
 * long-running.1. No DMA fence stands for the end of such a job: that is a user fence, and none of its buffers has a fence of
 *     the job that others obey implicitly.
 * long-running.2. While a job has its buffers, each of them has the job's preemption fence, of usage `bookkeep`. It comes to
 *     all of them at once, under all their locks and behind a hold on each, as the fences of other jobs do (scheduler.2). It
 *     signals on demand (timeline-demand.1): an agent that waits for it asks the job to give its buffers up.
 * long-running.3. A job gives its buffers up at a safe point, where it does not look at their bytes. Its accesses end, and
 *     then the fence signals.
 * long-running.4. It comes back as soon as it can: it waits for the locks and holds of its buffers and for their storage, if
 *     that was moved, and then for all fences that were there, whatever their usage, but for those of other long-running
 *     jobs: these share the buffer. Until it runs again it gives way at once to an agent that asks.
 * long-running.5. A job that has been asked and does not come to a safe point in time is stopped, and its fence ends with
 *     `ETIMEDOUT`. That gives no memory away: the work is overdue until the job has really ended (fence.7).
 * long-running.6. A job waits for its fences before it has its buffers, and has its turn of the executor only while it has
 *     them: so nothing else is held up by what it waits for.
 *
 * @see linux/Documentation/driver-api/dma-buf.rst, "Recoverable Hardware Page Faults Implications"
 */

/** What a long-running job needs of its queue. */
export interface LongRunningOwner {
  readonly agent: Agent;
  /** The queue's, and that of what runs its jobs. */
  readonly name: string;
  readonly driverName: string;
  /** Milliseconds in which a job that is asked must come to a safe point. */
  readonly preemptLimit: number;
  readonly turns: Turns;
}

/** A long-running job, as its queue knows it. */
export class LongRunning<Data> implements LongRunningState<Data>, Preemptible {
  readonly data: Data;
  readonly #owner: LongRunningOwner;
  readonly #submission: Submission<Data>;
  readonly #waits: readonly (Fence | UserFence)[];
  /** That of all that it waits for: it was stopped. */
  readonly #ending = new Ending();
  readonly #controller: HostAbortController = createAbortController();
  #stopSafePoint: ((reason: Error) => void) | undefined;
  /** Of its preemption fences; hang recovery may have ended it. */
  #timeline: Timeline | undefined;
  /** While it has its buffers. */
  #fence: Fence | undefined;
  #giveTurnBack: (() => void) | undefined;
  /** While it runs with its buffers. */
  #accesses: JobAccesses | undefined;
  #isAtSafePoint = false;
  /** Whether it was asked for its turn since it has come to it. */
  #isPreempted = false;
  #giveWay: (() => void) | undefined;
  #isOver = false;

  /** @param waits What it waits for before it runs. */
  constructor(owner: LongRunningOwner, submission: Submission<Data>, waits: readonly (Fence | UserFence)[]) {
    this.data = submission.data;
    this.#owner = owner;
    this.#submission = submission;
    this.#waits = waits;
  }

  get holders(): DmaBuf[] {
    return this.#submission.uses.map(({ holder }) => holder);
  }

  /** Aborts when the job is to stop. */
  get signal(): AbortSignalLike {
    return this.#controller.signal;
  }

  /** Runs the job to its end. @throws What it has failed with; it has ended then. */
  async run(work: () => unknown): Promise<void> {
    try {
      const ending = this.#ending;
      const terms: WaitOptions & { readonly ending: Ending } = { ending };
      for (const fence of this.#waits) await fence.wait(terms);
      await this.#come();
      this.#goesOn();
      await work();
      ending.check();
    } finally {
      this.#isOver = true;
      this.#leave();
      this.#endTimeline();
      this.#submission.close();
    }
  }

  /** The job is to end: what it waits for rejects. If it has its buffers, it must give them up in time. */
  stop(reason: DmaBufError): void {
    this.#ending.end(() => reason);
    this.#controller.abort(reason);
    this.#stopSafePoint?.(reason);
    this.preempt();
  }

  preempt(): void {
    this.#isPreempted = true;
    // It would give way before it has run at all, and again then (executor.6).
    if (this.#accesses === undefined) return;
    // Whichever agent waits for the fence asks for it, this one too.
    this.#fence?.enableSignaling();
    this.#asked();
  }

  describe(): string {
    return `a job of "${this.#owner.name}"`;
  }

  /** It goes on, until its next safe point. */
  #goesOn(): void {
    if (this.#isPreempted) this.preempt();
  }

  get isAsked(): boolean {
    const fence = this.#fence;
    if (fence === undefined || this.#owner.agent.closed) return false;
    if (this.#isPreempted && this.#accesses !== undefined) return true;
    return isKeyDemanded(this.#owner.agent, backingOf(fence).key(fence)!) || fence.isSignaled();
  }

  access(buffer: DmaBuf): CpuAccess {
    this.#ending.check();
    if (this.#accesses !== undefined && !this.#isAtSafePoint) {
      // Of a paged buffer it faults what it needs.
      if (!buffer.isClosed) holderOf(buffer).record.pages?.check("use all bytes of");
      return this.#accesses.access(buffer);
    }
    const why = this.#isOver ? "the job has ended" : "the job is at a safe point";
    throw new DmaBufError("EBADF", `Cannot use the bytes: ${why}`);
  }

  async safePoint<T>(pending: PromiseLike<T> | undefined): Promise<T | undefined> {
    this.#checkLate();
    this.#ending.check();
    if (this.#isOver) throw new DmaBufError("EBADF", "Cannot come to a safe point: the job has ended");
    if (this.#isAtSafePoint) throw new DmaBufError("EBUSY", "Cannot come to a safe point: the job is at one");
    this.#isAtSafePoint = true;
    try {
      if (this.isAsked) this.#leave();
      return pending === undefined ? undefined : await this.#unlessStopped(pending);
    } finally {
      try {
        while (this.#fence === undefined) await this.#come();
      } finally {
        this.#isAtSafePoint = false;
        this.#goesOn();
      }
    }
  }

  #unlessStopped<T>(pending: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#stopSafePoint = reject;
      Promise.resolve(promised(pending)).then(resolve, reject);
    });
  }

  /** Comes to its buffers, and gets its turn (long-running.4). */
  async #come(): Promise<void> {
    try {
      while (!(await this.#tryCome())) this.#leave();
    } catch (error) {
      this.#leave();
      throw error;
    }
    this.#accesses = new JobAccesses(this.#owner.agent, this.#submission.uses);
  }

  /** @returns False if it has to give way, or work has become overdue. */
  async #tryCome(): Promise<boolean> {
    const { agent } = this.#owner;
    const ending = this.#ending;
    ending.check();
    const others = await take(agent, this.#enter(), {}, ending);
    const pending = (): Fence[] => others.filter((fence) => !fence.isSignaled());
    const ready = (): boolean => this.isAsked || pending().length === 0;
    await agent.wait(new AwaitedFences(ready, pending), { ending });
    if (others.some((fence) => isKeyOverdue(agent, publish(fence)))) return false;
    return this.#getTurn();
  }

  /** Puts the preemption fence on all buffers; returns what is to be waited for then. */
  *#enter(): Steps<Fence[]> {
    const { agent, name } = this.#owner;
    for (;;) {
      const entered = yield* this.#tryEnter();
      if (Array.isArray(entered)) return entered;
      let isReady = false;
      try {
        isReady = yield until(agent, entered.awaited, () => [`run a job of queue "${name}"`, entered.describe()]);
      } finally {
        entered.end(isReady);
      }
    }
  }

  *#tryEnter(): Steps<Fence[] | Obstacle> {
    const submission = this.#submission;
    using _locks = yield* submission.lockAll();
    const obstacle = this.#movedStorage() ?? submission.tryHoldAll();
    if (obstacle !== undefined) return obstacle;
    try {
      const others = submission.dependencies();
      for (const fence of others) publish(fence);
      for (const reservation of submission.reservations) reservation.reserveFences(1);
      this.#timeline ??= this.#createTimeline();
      const fence = this.#timeline.createFence();
      for (const reservation of submission.reservations) reservation.addFence(fence, "bookkeep");
      this.#fence = fence;
      return others;
    } finally {
      submission.releaseHolds();
    }
  }

  #movedStorage(): Obstacle | undefined {
    const moved = this.holders
      .map((holder) => holderOf(holder).record.known)
      .find((known) => known.look() === undefined);
    if (moved === undefined) return undefined;
    return { awaited: moved, end: () => {}, describe: () => "the moved storage of a buffer has not arrived" };
  }

  /** @returns False if it has to give way before. */
  async #getTurn(): Promise<boolean> {
    const { agent, turns } = this.#owner;
    let isGranted = false;
    await waitUntil(
      agent,
      { ending: this.#ending },
      () => isGranted || this.isAsked,
      (done) => {
        this.#giveWay = done;
        this.#giveTurnBack = turns.ask(this, () => {
          isGranted = true;
          done();
        });
        return () => (this.#giveWay = undefined);
      },
    );
    return isGranted && !this.isAsked;
  }

  #createTimeline(): Timeline {
    const { agent, name, driverName, preemptLimit } = this.#owner;
    const options = { name, driverName, timeLimit: preemptLimit };
    return createTimeline(agent, options, { kind: TIMELINE_KIND.LONG_RUNNING, onDemand: () => this.#asked() });
  }

  /** An agent waits for a preemption fence: for the one that there is now, or for one before. */
  #asked(): void {
    const fence = this.#fence;
    if (fence === undefined || !this.isAsked) return;
    if (this.#accesses === undefined) this.#giveWay?.();
    else if (this.#isAtSafePoint) this.#leave();
    else if (!fence.addCallback(() => this.#checkLate()).queued) this.#checkLate();
  }

  /** If hang recovery has ended the fence while the job uses its buffers, the job is late (long-running.5). */
  #checkLate(): void {
    if (this.#accesses === undefined || this.#isAtSafePoint || this.#fence?.status !== -ERRNO.ETIMEDOUT) return;
    this.#endTurn();
    if (this.#ending.isOver) return;
    const { name, preemptLimit } = this.#owner;
    this.stop(
      new DmaBufError("ETIMEDOUT", `The job of queue "${name}" has not come to a safe point in ${preemptLimit} ms`),
    );
  }

  /** Gives the buffers up, and the turn (long-running.3). */
  #leave(): void {
    this.#accesses?.end();
    this.#accesses = undefined;
    for (const holder of this.holders) holderOf(holder).endUse();
    const fence = this.#fence;
    this.#fence = undefined;
    // Hang recovery has ended it, and the timeline with it: that is no longer overdue then.
    if (fence !== undefined && !fence.signal()) this.#endTimeline();
    this.#endTurn();
    this.#isPreempted = false;
  }

  #endTurn(): void {
    this.#giveTurnBack?.();
    this.#giveTurnBack = undefined;
  }

  #endTimeline(): void {
    this.#timeline?.close();
    this.#timeline = undefined;
  }
}
