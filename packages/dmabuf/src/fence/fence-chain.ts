import { check, checkGiven, integer } from "../arguments.js";
import { checkOwn, type Agent, type WaitCondition } from "../domain/agent.js";
import { linkAfter, type PointLink } from "./point-list.js";
import { allocateContexts } from "../domain/timeline-slot.js";
import { DmaBufError } from "../errors.js";
import { AwaitedFences } from "./awaited-fences.js";
import { fenceAgent, backingOf, Fence, FENCE, type FenceCallback, type Outcome } from "./fence.js";
import type { FenceChainHandle } from "./fence-handle.js";
import { LocalBacking } from "./local-fence.js";

const SEQNO = integer(0);

/**
 * The points of a timeline: each link holds a fence, and what was there before it.
 *
 * fence-chain.1. A link signals when its own fence and those of all earlier links have signaled.
 * fence-chain.2. A link with a higher number than the one before it continues that context; any other begins a new one,
 *     with a number that is not lower.
 * fence-chain.3. Walking drops signaled links from the chain, so it holds no more than what is pending; nothing
 *     recurses, so it may have any length.
 * fence-chain.4. A chain copies no error: look at the fences in it.
 * fence-chain.5. It is a container: its fences are plain fences or arrays, and it goes into no reservation.
 *
 * @see linux/drivers/dma-buf/dma-fence-chain.c
 */

/**
 * See {@link FenceChain}.
 *
 * @param previous What was there before: a chain, a plain fence, or nothing.
 * @param fence A chain here is reported.
 * @param link The link's place, if that is known: other agents have given it.
 * @throws {TypeError} If the fences are of two agents.
 */
export let createFenceChain: (previous: Fence | undefined, fence: Fence, seqno: number, link?: PointLink) => FenceChain;

/**
 * One link of a timeline's points, which {@link Domain.createFenceChain} makes: a fence on top of what was there before.
 * It signals when its own fence and those of all earlier links have signaled.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const first = domain.createFenceChain(undefined, timeline.createFence(), 1);
 * const second = domain.createFenceChain(first, timeline.createFence(), 2);
 * timeline.signal(2);
 * console.log(second.isSignaled(), second.previous()); // true undefined
 * ```
 */
export class FenceChain extends Fence {
  static {
    createFenceChain = (previous, fence, seqno, link) => {
      const call = "Domain.createFenceChain()";
      checkGiven(call, "previous", previous, FENCE);
      check(call, "fence", fence, FENCE);
      check(call, "seqno", seqno, SEQNO);
      const agent = fenceAgent(fence);
      if (previous !== undefined) checkOwn(call, "previous", fenceAgent(previous), agent);
      if (fence instanceof FenceChain) {
        agent.complain("fence-misuse", "A link of a fence chain holds a plain fence or an array, no chain");
      }
      return new FenceChain(agent, previous, fence, link ?? placeOn(previous, agent, seqno));
    };
  }

  /** This link's own fence. */
  readonly fence: Fence;
  /** The number of the link before, 0 if this link begins a context. */
  readonly previousSeqno: number;
  #previous: Fence | undefined;

  private constructor(agent: Agent, previous: Fence | undefined, fence: Fence, link: PointLink) {
    super(agent, new ChainBacking(), link.context, link.seqno);
    this.fence = fence;
    this.#previous = previous;
    this.previousSeqno = link.previousSeqno;
  }

  /** The pending element before this link, after dropping those that have signaled. */
  previous(): Fence | undefined {
    for (;;) {
      const previous = this.#previous;
      if (previous === undefined) return undefined;
      if (!(previous instanceof FenceChain)) {
        if (previous.isSignaled()) this.#previous = undefined;
        return this.#previous;
      }
      if (!previous.fence.isSignaled()) return previous;
      this.#previous = previous.#previous;
    }
  }

  /** This link and the pending elements before it, newest first; the last may be a plain fence. */
  *elements(): Generator<Fence> {
    yield this;
    let element = this.previous();
    while (element !== undefined) {
      yield element;
      element = element instanceof FenceChain ? element.previous() : undefined;
    }
  }

  override handle(): FenceChainHandle {
    const elements = [...this.elements()].reverse();
    const links = elements.filter((element) => element instanceof FenceChain);
    const [oldest] = elements;
    return {
      kind: "fence",
      domain: fenceAgent(this).domain,
      form: "chain",
      links: links.map(({ seqno, previousSeqno, context, fence }, i) => {
        return { seqno, previousSeqno, continues: links[i - 1]?.context === context, fence: fence.handle() };
      }),
      tail: oldest instanceof FenceChain ? undefined : oldest?.handle(),
    };
  }
}

/**
 * The element of a chain that signals a point: gaps resolve to the next higher point, and a new context stops the
 * search, because an older timeline is waited for as a whole.
 *
 * @param seqno From 0 to 2^53 - 1; 0 is the fence as it is.
 * @returns `undefined` if everything up to the point has signaled.
 * @throws {DmaBufError} `EINVAL` if `fence` is no chain, or ends before the point.
 *
 * @example
 * ```ts
 * import { Domain, findSeqno } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const first = domain.createFenceChain(undefined, timeline.createFence(), 5);
 * const second = domain.createFenceChain(first, timeline.createFence(), 9);
 * console.log(findSeqno(second, 6) === second, findSeqno(second, 4) === first); // true true
 * ```
 *
 * @see linux/drivers/dma-buf/dma-fence-chain.c, `dma_fence_chain_find_seqno`
 */
export function findSeqno(fence: Fence, seqno: number): Fence | undefined {
  check("findSeqno()", "fence", fence, FENCE);
  check("findSeqno()", "seqno", seqno, SEQNO);
  if (seqno === 0) return fence;
  if (!reaches(fence, seqno)) {
    throw new DmaBufError("EINVAL", `Cannot find point ${seqno}: the fence is no chain, or ends before it`);
  }
  let element: Fence | undefined = fence;
  while (element instanceof FenceChain) {
    if (element.context !== fence.context || element.previousSeqno < seqno) return element;
    element = element.previous();
  }
  return element;
}

/** Whether a fence is a chain that has a point, or one above it. Points have 64 bits, and do not wrap. */
export function reaches(fence: Fence, point: number): fence is FenceChain {
  // eslint-disable-next-line no-restricted-syntax -- a point is compared, not the number of a fence
  return fence instanceof FenceChain && fence.seqno >= point;
}

function placeOn(previous: Fence | undefined, agent: Agent, seqno: number): PointLink {
  return linkAfter(previous instanceof FenceChain ? previous : undefined, seqno, () => allocateContexts(agent, 1));
}

class ChainBacking extends LocalBacking {
  readonly driverName = "dma_fence_chain";
  readonly timelineName = "unbound";
  override readonly isContainer = true;
  #callback: FenceCallback | undefined;

  enableSignaling(chain: Fence): boolean {
    return this.#hook(chain as FenceChain);
  }

  poll(chain: Fence): Outcome | undefined {
    if (firstPending(chain as FenceChain) !== undefined) return undefined;
    return { error: undefined, timestamp: fenceAgent(chain).host.nowNs() };
  }

  override setDeadline(chain: Fence, deadlineNs: number): void {
    for (const element of (chain as FenceChain).elements()) ownFence(element).setDeadline(deadlineNs);
  }

  override awaited(chain: Fence): WaitCondition {
    // One at a time: a chain may be so long that asking for all of them at each ring would never end.
    return new AwaitedFences(
      () => chain.isSignaled(),
      () => [firstPending(chain as FenceChain)].filter((fence) => fence !== undefined),
    ).enable();
  }

  isOwn(chain: Fence): boolean {
    for (const fence of pendingFences(chain as FenceChain)) if (backingOf(fence).isOwn(fence)) return true;
    return false;
  }

  override release(): void {
    this.#callback?.remove();
  }

  /** Waits for the newest fence that is pending; false if none is. */
  #hook(chain: FenceChain): boolean {
    for (;;) {
      const pending = firstPending(chain);
      if (pending === undefined) return false;
      this.#callback = pending.addCallback(() => {
        if (!this.#hook(chain)) chain.signal();
      });
      if (this.#callback.queued) return true;
    }
  }
}

function firstPending(chain: FenceChain): Fence | undefined {
  for (const fence of pendingFences(chain)) return fence;
  return undefined;
}

/** What a chain still waits for, newest first. */
function* pendingFences(chain: FenceChain): Generator<Fence> {
  for (const element of chain.elements()) {
    const fence = ownFence(element);
    if (!fence.isSignaled()) yield fence;
  }
}

function ownFence(element: Fence): Fence {
  return element instanceof FenceChain ? element.fence : element;
}
