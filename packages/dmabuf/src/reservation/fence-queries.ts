import { check, NANOSECONDS } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { waitsFor } from "../domain/agent-slot.js";
import { isKeyOverdue, isKeySignaled, keyOwner } from "../domain/fence-slot.js";
import { checkWait, checkWaitSync, countdown, limitsOf, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { createFenceArray } from "../fence/fence-array.js";
import type { Fence, WaitResult } from "../fence/fence.js";
import { fenceAt } from "../fence/shared-fence.js";
import { hasPending, hasUnfinished, sameEntries, type Entry } from "./entries.js";
import { OverdueWork } from "./overdue-work.js";
import { checkUsage, USAGES, usageLevel, type Usage } from "./usage.js";

export interface ReservationFence {
  readonly fence: Fence;
  readonly usage: Usage;
  /** Whether the iteration has begun again, or begins: forget what came before. */
  readonly restarted: boolean;
}

/** What can be asked of a buffer's fences, and waited for, with and without the lock; see {@link Reservation}. */
export abstract class FenceQueries {
  abstract readonly agent: Agent;

  /** The fences of one instant. @throws {DmaBufError} `EBADF` after the close. */
  protected abstract snapshot(): Entry[];

  /** How long a wait goes on. */
  protected abstract terms(options: WaitTerms): WaitTerms;

  /**
   * The pending fences up to a usage, without the lock. If the reservation changes meanwhile, the iteration begins
   * again: the next item then says `restarted`, and everything seen before it must be forgotten.
   */
  fences(usage: Usage = "bookkeep"): Generator<ReservationFence> {
    checkUsage("Reservation.fences()", usage);
    return this.#fences(usage);
  }

  *#fences(usage: Usage): Generator<ReservationFence> {
    let restarted = true;
    let entries = this.snapshot();
    for (let i = 0; i < entries.length; i++) {
      const { key, level } = entries[i]!;
      if (level > usageLevel(usage) || isKeySignaled(this.agent, key)) continue;
      const fence = fenceAt(this.agent, key);
      if (fence === undefined) continue;
      yield { fence, usage: USAGES[level]!, restarted };
      const now = this.snapshot();
      restarted = !sameEntries(entries, now);
      if (restarted) i = -1;
      entries = now;
    }
  }

  /** The pending fences up to a usage. */
  getFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getFences()", usage);
    return this.#pendingOf(this.#upTo(usage));
  }

  /**
   * The fences up to a usage that a time limit has ended while the agents that signal them may still be at the memory: they
   * live, and have neither signaled the fence all the same nor closed its timeline.
   */
  getOverdueFences(usage: Usage): Fence[] {
    checkUsage("Reservation.getOverdueFences()", usage);
    return this.overdueWork(usage)?.fences ?? [];
  }

  /**
   * The pending fences up to a usage as one: nothing, the fence itself, or an array of several. Not to be added to a
   * reservation again.
   */
  getSingleton(usage: Usage): Fence | undefined {
    checkUsage("Reservation.getSingleton()", usage);
    const fences = this.getFences(usage);
    return fences.length > 1 ? createFenceArray(this.agent, fences) : fences[0];
  }

  /** Whether no fence up to a usage is pending. */
  testSignaled(usage: Usage): boolean {
    checkUsage("Reservation.testSignaled()", usage);
    return !hasPending(this.agent, this.snapshot(), usageLevel(usage));
  }

  /** Whether no work up to a usage is pending or overdue. */
  testFinished(usage: Usage): boolean {
    checkUsage("Reservation.testFinished()", usage);
    return !hasUnfinished(this.agent, this.snapshot(), usageLevel(usage));
  }

  /**
   * Waits until every fence up to a usage that is pending now has signaled, with or without the lock. What is added
   * meanwhile is not waited for: new work could keep a waiter for ever.
   *
   * @throws {DmaBufError} `EINVAL` for a negative timeout; `EBADF` if the holder is closed meanwhile; the signal's reason if
   *   it aborts.
   */
  async wait(usage: Usage, options: WaitOptions = {}): Promise<WaitResult> {
    checkUsage("Reservation.wait()", usage);
    checkWait("Reservation.wait()", options);
    return (await this.#waitFor(this.getFences(usage), this.terms(options))) ? "signaled" : "timed-out";
  }

  /** As {@link wait}, blocking this thread. */
  waitSync(usage: Usage, options: { readonly timeout?: number } = {}): WaitResult {
    checkUsage("Reservation.waitSync()", usage);
    checkWaitSync("Reservation.waitSync()", options);
    return this.#waitForSync(this.getFences(usage), options) ? "signaled" : "timed-out";
  }

  /**
   * Waits until {@link testFinished}, also for what is added meanwhile: for fences until they have signaled, and for what a
   * time limit has ended until its agent says that it has finished, or is dead. That may take for ever.
   *
   * @returns False if the time passed first.
   */
  async waitFinished(usage: Usage, options: WaitOptions = {}): Promise<boolean> {
    checkUsage("Reservation.waitFinished()", usage);
    checkWait("Reservation.waitFinished()", options);
    const limits = limitsOf(this.agent.host, this.terms(options));
    while (!this.testFinished(usage)) {
      if (!(await this.#waitFor(this.getFences(usage), limits()))) return false;
      const overdue = this.overdueWork(usage);
      if (overdue !== undefined && !(await this.agent.wait(overdue, limits()))) return false;
    }
    return true;
  }

  /** As {@link waitFinished}, blocking this thread. */
  waitFinishedSync(usage: Usage, options: { readonly timeout?: number } = {}): boolean {
    checkUsage("Reservation.waitFinishedSync()", usage);
    checkWaitSync("Reservation.waitFinishedSync()", options);
    const left = countdown(this.agent.host, options.timeout);
    while (!this.testFinished(usage)) {
      if (!this.#waitForSync(this.getFences(usage), { timeout: left() })) return false;
      const overdue = this.overdueWork(usage);
      overdue?.checkBlocking(options.timeout);
      if (overdue !== undefined && !this.agent.waitSync(overdue, left())) return false;
    }
    return true;
  }

  /** @internal Who holds up what waits for all work up to a usage, for messages. */
  waitsFor(usage: Usage): string {
    const overdue = this.overdueWork(usage)?.describe();
    if (overdue !== undefined) return overdue;
    const pending = this.#upTo(usage).filter(({ key }) => !isKeySignaled(this.agent, key));
    return waitsFor(
      this.agent,
      pending.map(({ key }) => keyOwner(this.agent, key)),
    );
  }

  /** @internal The work up to a usage that is overdue now. */
  overdueWork(usage: Usage): OverdueWork | undefined {
    return this.#overdueAmong(this.#upTo(usage));
  }

  /** Hints to the makers of all pending fences up to a usage that somebody needs them by then. */
  setDeadline(usage: Usage, deadlineNs: number): void {
    checkUsage("Reservation.setDeadline()", usage);
    check("Reservation.setDeadline()", "deadlineNs", deadlineNs, NANOSECONDS);
    for (const fence of this.getFences(usage)) fence.setDeadline(deadlineNs);
  }

  /** One line for each pending fence, for people; bookkeeping fences are left out, as in the kernel. */
  describe(): string {
    return [...this.fences("read")].map(({ fence, usage }) => `\t${usage} fence: ${fence.describe()}\n`).join("");
  }

  async #waitFor(fences: readonly Fence[], options: WaitTerms): Promise<boolean> {
    const limits = limitsOf(this.agent.host, options);
    for (const fence of fences) {
      if ((await fence.wait(limits())) === "timed-out") return false;
    }
    return true;
  }

  #waitForSync(fences: readonly Fence[], options: { readonly timeout?: number }): boolean {
    const left = countdown(this.agent.host, options.timeout);
    return fences.every((fence) => fence.waitSync({ timeout: left() }) === "signaled");
  }

  #pendingOf(entries: readonly Entry[]): Fence[] {
    return entries
      .filter(({ key }) => !isKeySignaled(this.agent, key))
      .map(({ key }) => fenceAt(this.agent, key))
      .filter((fence) => fence !== undefined);
  }

  #overdueAmong(entries: readonly Entry[]): OverdueWork | undefined {
    const overdue = entries.filter(({ key }) => isKeyOverdue(this.agent, key));
    return overdue.length === 0 ? undefined : new OverdueWork(this.agent, overdue);
  }

  #upTo(usage: Usage): Entry[] {
    const level = usageLevel(usage);
    return this.snapshot().filter((entry) => entry.level <= level);
  }
}
