import { allOrNothing } from "../all-or-nothing.js";
import { checkList } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import type { Wait } from "../domain/steps.js";
import type { Passage } from "../domain/validation.js";
import { checkWait, checkWaitSync, waitUntil, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { AwaitedFences } from "./awaited-fences.js";
import { fenceAgent, backingOf, FENCE, wayTo, type Fence, type FenceCallback } from "./fence.js";
import { waitResult, type WaitResult } from "./read-fence.js";
import { tracedWait, tracedWaitSync, traceWait } from "./fence-trace.js";

/**
 * Waiting for several fences at once: for any of them, or for all.
 *
 * wait-many.1. A timeout of 0 only looks, in the order of the list, and enables no signaling.
 * wait-many.2. `waitAny` reports the lowest index that is signaled when it looks for the last time.
 * wait-many.3. However a wait ends, it leaves no callback behind.
 * wait-many.4. As for one fence, "signaled" says that the work has ended, not that it was good.
 *
 * @see linux/drivers/dma-buf/dma-fence.c, `dma_fence_wait_any_timeout`
 */

/** How a wait for any of several has ended. */
export type WaitAnyResult =
  | {
      /** A fence has signaled. */
      readonly state: "signaled";
      /** The lowest index of those that have. */
      readonly index: number;
    }
  | {
      /** The time passed first. */
      readonly state: "timed-out";
    };

/**
 * Waits until one of the fences signals.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @returns `"signaled"` with the lowest index of those that have, or `"timed-out"`.
 * @throws {DmaBufError} `EINVAL` for an empty list or a negative timeout; the signal's reason if it aborts (a signaled
 *   fence wins).
 * @throws {TypeError} If the fences are of several agents.
 *
 * @example
 * ```ts
 * import { Domain, waitAny } from "dmabuf";
 *
 * using domain = Domain.create();
 * const [slow, fast] = [domain.createTimeline(), domain.createTimeline()];
 * const fences = [slow.createFence(), fast.createFence()];
 * fast.signal(1);
 * console.log(await waitAny(fences)); // { state: "signaled", index: 1 }
 * ```
 */
export async function waitAny(fences: readonly Fence[], options: WaitOptions = {}): Promise<WaitAnyResult> {
  const all = checkList("waitAny()", "fences", fences, FENCE);
  checkWait("waitAny()", options);
  const wait = new FencesWait(all, false);
  return wait.anyResult(await wait.wait(options));
}

/**
 * As {@link waitAny}, blocking this thread.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @throws {DmaBufError} `EINVAL` as there; `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if only
 *   this thread can signal any of the fences.
 *
 * @example
 * ```ts
 * import { Domain, waitAnySync } from "dmabuf";
 *
 * using domain = Domain.create();
 * const [slow, fast] = [domain.createTimeline(), domain.createTimeline()];
 * const fences = [slow.createFence(), fast.createFence()];
 * fast.signal(1);
 * console.log(waitAnySync(fences, { timeout: 1000 })); // { state: "signaled", index: 1 }
 * ```
 */
export function waitAnySync(fences: readonly Fence[], options: { readonly timeout?: number } = {}): WaitAnyResult {
  const all = checkList("waitAnySync()", "fences", fences, FENCE);
  checkWaitSync("waitAnySync()", options);
  const wait = new FencesWait(all, false);
  return wait.anyResult(wait.waitSync(options.timeout ?? Infinity));
}

/**
 * Waits until all of the fences have signaled; of no fences, all have.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @returns `"timed-out"` if the time passed first.
 * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts.
 * @throws {TypeError} If the fences are of several agents.
 *
 * @example
 * ```ts
 * import { Domain, waitAll } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const fences = [timeline.createFence(), timeline.createFence()];
 * setTimeout(() => timeline.signal(2), 10);
 * console.log(await waitAll(fences, { timeout: 1000 })); // "signaled"
 * ```
 */
export async function waitAll(fences: readonly Fence[], options: WaitOptions = {}): Promise<WaitResult> {
  const all = checkList("waitAll()", "fences", fences, FENCE);
  checkWait("waitAll()", options);
  return waitResult(all.length === 0 || (await new FencesWait(all, true).wait(options)));
}

/**
 * As {@link waitAll}, blocking this thread.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @returns `"timed-out"` if the time passed first.
 * @throws {DmaBufError} `EINVAL` as there; `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if only
 *   this thread can signal one of the pending fences.
 *
 * @example
 * ```ts
 * import { Domain, waitAllSync } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const fences = [timeline.createFence(), timeline.createFence()];
 * timeline.signal(1);
 * console.log(waitAllSync(fences, { timeout: 10 })); // "timed-out"
 * timeline.signal(2);
 * console.log(waitAllSync(fences)); // "signaled"
 * ```
 */
export function waitAllSync(fences: readonly Fence[], options: { readonly timeout?: number } = {}): WaitResult {
  const all = checkList("waitAllSync()", "fences", fences, FENCE);
  checkWaitSync("waitAllSync()", options);
  return waitResult(all.length === 0 || new FencesWait(all, true).waitSync(options.timeout ?? Infinity));
}

/** The wait for all of some fences, of which at least one is pending. */
export function untilAll(fences: readonly Fence[]): Wait {
  return new FencesWait(fences, true);
}

/** The wait for all of some fences, or any. */
class FencesWait implements Wait {
  readonly doing: readonly Fence[];
  readonly #forAll: boolean;
  readonly #agent: Agent;

  constructor(fences: readonly Fence[], forAll: boolean) {
    this.doing = fences;
    this.#forAll = forAll;
    this.#agent = commonAgent(fences);
  }

  wait(terms: WaitTerms): Promise<boolean> {
    return this.#agent.validation === undefined ? this.#wait(terms) : this.#validatedWait(terms);
  }

  async #validatedWait(terms: WaitTerms): Promise<boolean> {
    const ways = this.doing.map(wayTo);
    const isOver = await this.#wait(terms);
    this.#passed(ways, isOver);
    return isOver;
  }

  /** For the validator: one who waits for any of some depends on none of them, unless there is only one. */
  #passed(ways: readonly (Passage | undefined)[], isOver: boolean): void {
    if (isOver && (this.#forAll || ways.length === 1)) for (const way of ways) way?.over();
  }

  #wait(terms: WaitTerms): Promise<boolean> {
    const end = this.#agent.tracer !== undefined ? traceWait(this.#agent, this.#pending()) : undefined;
    return end === undefined ? this.#untracedWait(terms) : tracedWait(end, this.#untracedWait(terms));
  }

  #untracedWait(terms: WaitTerms): Promise<boolean> {
    return waitUntil(
      this.#agent,
      terms,
      () => this.#isOver(),
      (done) => listen((add) => (this.#forAll ? this.#onAll(add, done) : this.#onAny(add, done))),
      this.doing,
    );
  }

  waitSync(timeout: number): boolean {
    if (timeout !== 0) this.#enable();
    if (timeout === Infinity && !this.#isOver() && this.#isOwn()) {
      throw this.#agent.blocksItself("own-fence", "Cannot block: only this thread can signal what it waits for");
    }
    const awaited = new AwaitedFences(
      () => this.#isOver(),
      () => this.#pending(),
    );
    const ways = this.#agent.validation && this.doing.map(wayTo);
    const end = this.#agent.tracer !== undefined ? traceWait(this.#agent, this.#pending()) : undefined;
    const wait = (): boolean => this.#agent.waitSync(awaited, timeout);
    const isOver = end === undefined ? wait() : tracedWaitSync(end, wait);
    if (ways !== undefined) this.#passed(ways, isOver);
    return isOver;
  }

  /** @param found Whether one has signaled. */
  anyResult(found: boolean): WaitAnyResult {
    if (!found) return { state: "timed-out" };
    return { state: "signaled", index: this.doing.findIndex((fence) => fence.isSignaled()) };
  }

  #pending(): Fence[] {
    return this.doing.filter((fence) => !fence.isSignaled());
  }

  #isOver(): boolean {
    const isSignaled = (fence: Fence): boolean => fence.isSignaled();
    return this.#forAll ? this.doing.every(isSignaled) : this.doing.some(isSignaled);
  }

  /** Whether only this thread can end the wait. */
  #isOwn(): boolean {
    const isOwn = (fence: Fence): boolean => !fence.isSignaled() && backingOf(fence).isOwn(fence);
    return this.#forAll ? this.doing.some(isOwn) : this.doing.every(isOwn);
  }

  /** Makes sure that the fences will signal by themselves; behind one that decides the wait, none is enabled. */
  #enable(): void {
    for (const fence of this.doing) {
      fence.enableSignaling();
      if (!this.#forAll && fence.isSignaled()) return;
    }
  }

  /** Calls back at the first signal; behind a fence that has signaled already, none is enabled. */
  #onAny(add: Add, done: () => void): void {
    if (this.doing.some((fence) => !add(fence, done))) done();
  }

  /** Calls back at the last signal. */
  #onAll(add: Add, done: () => void): void {
    // One more than there are callbacks, so that none of them is the last before all have been added.
    let waiting = 1;
    const ended = (): void => {
      if (--waiting === 0) done();
    };
    for (const fence of this.doing) if (add(fence, ended)) waiting++;
    ended();
  }
}

function commonAgent(fences: readonly Fence[]): Agent {
  const [first] = fences;
  if (first === undefined) throw new DmaBufError("EINVAL", "Cannot wait for any of the fences: there are none");
  const agent = fenceAgent(first);
  if (fences.every((fence) => fenceAgent(fence) === agent)) return agent;
  throw new TypeError("Cannot wait for fences of several agents at once: import them into one");
}

/** Adds a callback; false if the fence has signaled already. */
type Add = (fence: Fence, run: () => void) => boolean;

/** Adds callbacks, all or none; returns what removes them. */
function listen(addAll: (add: Add) => void): () => void {
  const callbacks: FenceCallback[] = [];
  const forget = (): void => {
    for (const callback of callbacks) callback.remove();
  };
  return allOrNothing((orUndo) => {
    orUndo(forget);
    addAll((fence, run) => {
      const callback = fence.addCallback(run);
      callbacks.push(callback);
      return callback.queued;
    });
    return forget;
  });
}
