import { checkList } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { checkWait, checkWaitSync, waitUntil, type Subscribe, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { AwaitedFences } from "./awaited-fences.js";
import { fenceAgent, backingOf, FENCE, type Fence, type FenceCallback, type WaitResult } from "./fence.js";

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

export type WaitAnyResult =
  | { readonly state: "signaled"; /** The lowest that is signaled. */ readonly index: number }
  | { readonly state: "timed-out" };

/**
 * Waits until one of the fences signals.
 *
 * @throws {DmaBufError} `EINVAL` for an empty list or a negative timeout; the signal's reason if it aborts (a signaled
 *   fence wins).
 */
export async function waitAny(fences: readonly Fence[], options: WaitOptions = {}): Promise<WaitAnyResult> {
  fences = checkList("waitAny()", "fences", fences, FENCE);
  checkWait("waitAny()", options);
  const agent = commonAgent(fences);
  const look = (): number => fences.findIndex((fence) => fence.isSignaled());
  const found = await waitUntil(agent, options, () => look() >= 0, onAny(fences));
  return anyResult(found ? look() : -1);
}

/**
 * As {@link waitAny}, blocking this thread.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @throws {DmaBufError} `EINVAL` as there; `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if only
 *   this thread can signal any of the fences.
 */
export function waitAnySync(fences: readonly Fence[], options: { readonly timeout?: number } = {}): WaitAnyResult {
  fences = checkList("waitAnySync()", "fences", fences, FENCE);
  checkWaitSync("waitAnySync()", options);
  const { timeout = Infinity } = options;
  const agent = commonAgent(fences);
  const look = (): number => fences.findIndex((fence) => fence.isSignaled());
  const found = timeout !== 0 && fences.some(isSignaledOnceEnabled);
  if (timeout === Infinity && !found && fences.every(isOwn)) refuseToBlock();
  const awaited = new AwaitedFences(
    () => look() >= 0,
    () => pendingOf(fences),
  );
  return anyResult(agent.waitSync(awaited, timeout) ? look() : -1);
}

/**
 * Waits until all of the fences have signaled; of no fences, all have.
 *
 * @returns `"timed-out"` if the time passed first.
 * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts.
 */
export async function waitAll(fences: readonly Fence[], options: WaitOptions = {}): Promise<WaitResult> {
  fences = checkList("waitAll()", "fences", fences, FENCE);
  checkWait("waitAll()", options);
  if (fences.length === 0) return "signaled";
  const agent = commonAgent(fences);
  const look = (): boolean => fences.every((fence) => fence.isSignaled());
  return (await waitUntil(agent, options, look, onAll(fences))) ? "signaled" : "timed-out";
}

/**
 * As {@link waitAll}, blocking this thread.
 *
 * @param options `timeout` in milliseconds; default no limit.
 * @throws {DmaBufError} `EINVAL` as there; `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if only
 *   this thread can signal one of the pending fences.
 */
export function waitAllSync(fences: readonly Fence[], options: { readonly timeout?: number } = {}): WaitResult {
  fences = checkList("waitAllSync()", "fences", fences, FENCE);
  checkWaitSync("waitAllSync()", options);
  const { timeout = Infinity } = options;
  if (fences.length === 0) return "signaled";
  const agent = commonAgent(fences);
  if (timeout !== 0) {
    for (const fence of fences) fence.enableSignaling();
    if (timeout === Infinity && fences.some((fence) => !fence.isSignaled() && isOwn(fence))) refuseToBlock();
  }
  const awaited = new AwaitedFences(
    () => fences.every((fence) => fence.isSignaled()),
    () => pendingOf(fences),
  );
  return agent.waitSync(awaited, timeout) ? "signaled" : "timed-out";
}

function commonAgent(fences: readonly Fence[]): Agent {
  const [first] = fences;
  if (first === undefined) throw new DmaBufError("EINVAL", "Cannot wait for any of the fences: there are none");
  const agent = fenceAgent(first);
  if (fences.every((fence) => fenceAgent(fence) === agent)) return agent;
  throw new TypeError("Cannot wait for fences of several agents at once: import them into one");
}

/** Calls back at the first signal; behind a fence that has signaled already, none is enabled. */
function onAny(fences: readonly Fence[]): Subscribe {
  return (done) =>
    listen((add) => {
      if (fences.some((fence) => !add(fence, done))) done();
    });
}

/** Calls back at the last signal. */
function onAll(fences: readonly Fence[]): Subscribe {
  return (done) =>
    listen((add) => {
      // One more than there are callbacks, so that none of them is the last before all have been added.
      let waiting = 1;
      const ended = (): void => {
        if (--waiting === 0) done();
      };
      for (const fence of fences) if (add(fence, ended)) waiting++;
      ended();
    });
}

/** Adds a callback; false if the fence has signaled already. */
type Add = (fence: Fence, run: () => void) => boolean;

/** Adds callbacks, all or none; returns what removes them. */
function listen(addAll: (add: Add) => void): () => void {
  const callbacks: FenceCallback[] = [];
  const forget = (): void => {
    for (const callback of callbacks) callback.remove();
  };
  try {
    addAll((fence, run) => {
      const callback = fence.addCallback(run);
      callbacks.push(callback);
      return callback.queued;
    });
    return forget;
  } catch (error) {
    forget();
    throw error;
  }
}

function anyResult(index: number): WaitAnyResult {
  return index < 0 ? { state: "timed-out" } : { state: "signaled", index };
}

function isOwn(fence: Fence): boolean {
  return backingOf(fence).isOwn(fence);
}

function isSignaledOnceEnabled(fence: Fence): boolean {
  fence.enableSignaling();
  return fence.isSignaled();
}

function refuseToBlock(): never {
  throw new DmaBufError("EDEADLK", "Cannot block: only this thread can signal what it waits for");
}

function pendingOf(fences: readonly Fence[]): Fence[] {
  return fences.filter((fence) => !fence.isSignaled());
}
