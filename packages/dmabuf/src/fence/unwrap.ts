import { check, checkList } from "../arguments.js";
import { checkOwn, type Agent } from "../domain/agent.js";
import { createFenceArray, FenceArray } from "./fence-array.js";
import { FenceChain } from "./fence-chain.js";
import { fenceAgent, FENCE, type Fence } from "./fence.js";
import { stubFence } from "./stub.js";

/**
 * The plain fences in a fence, however they are nested: a chain's links newest first, an array's members in order.
 * Signaled fences are among them, except those that a chain has dropped.
 *
 * @example
 * ```ts
 * import { Domain, unwrap } from "dmabuf";
 *
 * using domain = Domain.create();
 * const fences = [1, 2].map(() => domain.createTimeline().createFence());
 * console.log([...unwrap(domain.createFenceArray(fences))].length); // 2
 * ```
 *
 * @see linux/drivers/dma-buf/dma-fence-unwrap.c
 */
export function unwrap(fence: Fence): Generator<Fence> {
  check("unwrap()", "fence", fence, FENCE);
  return plainFences(fence);
}

function* plainFences(fence: Fence): Generator<Fence> {
  const elements = fence instanceof FenceChain ? fence.elements() : [fence];
  for (const element of elements) {
    const own = element instanceof FenceChain ? element.fence : element;
    if (own instanceof FenceArray) yield* own.fences;
    else yield own;
  }
}

/**
 * One fence for all that is pending in some fences: the newest of each context. What has signaled is left out, and its
 * error with it. Containers are unwrapped.
 *
 * @returns The one pending fence itself; an array of several; or a signaled stub with the time of the last one.
 */
export function mergeFences(agent: Agent, fences: Iterable<Fence>): Fence {
  let latest = 0;
  const pending: Fence[] = [];
  const all = checkList("Domain.mergeFences()", "fences", fences, FENCE);
  for (const [i, fence] of all.entries()) checkOwn("Domain.mergeFences()", `fences[${i}]`, fenceAgent(fence), agent);
  for (const fence of all) {
    for (const leaf of unwrap(fence)) {
      if (leaf.isSignaled()) latest = Math.max(latest, leaf.timestamp!);
      else pending.push(leaf);
    }
  }
  const newest = newestOfEachContext(pending);
  if (newest.length === 0) return stubFence(agent, latest);
  return newest.length === 1 ? newest[0]! : createFenceArray(agent, newest);
}

/**
 * The newest fence of each context, in the order of the contexts.
 *
 * @example
 * ```ts
 * import { Domain, newestOfEachContext } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const fences = [timeline.createFence(), timeline.createFence()];
 * console.log(newestOfEachContext(fences)[0] === fences[1]); // true
 * ```
 */
export function newestOfEachContext(fences: readonly Fence[]): Fence[] {
  // One after the other: numbers that wrap have no order that a sort could rely on.
  const newest = new Map<number, Fence>();
  for (const fence of checkList("newestOfEachContext()", "fences", fences, FENCE)) {
    const known = newest.get(fence.context);
    if (known === undefined || fence.isLater(known)) newest.set(fence.context, fence);
  }
  return [...newest.values()].sort((a, b) => a.context - b.context);
}
