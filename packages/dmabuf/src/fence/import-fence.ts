import { ARRAY, NANOSECONDS } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { createFenceArray } from "./fence-array.js";
import { createFenceChain, type FenceChain } from "./fence-chain.js";
import { makeFence, type Fence } from "./fence.js";
import {
  checkFenceHandle,
  checkPlain,
  refuseFence,
  type FenceChainHandle,
  type FenceChainLink,
  type FenceHandle,
} from "./fence-handle.js";
import { SharedBacking } from "./shared-fence.js";
import { stubFence } from "./stub.js";

/**
 * The fence that was sent, as this agent sees it.
 *
 * @throws {DmaBufError} `EINVAL` if it is of another domain, or no handle.
 */
export function importFence(agent: Agent, handle: FenceHandle): Fence {
  checkFenceHandle(agent, handle);
  switch (handle.form) {
    case "array": {
      if (!ARRAY.isKind(handle.fences) || typeof handle.signalOnAny !== "boolean") refuseFence("its list is damaged");
      const fences = handle.fences.map((member) => importFence(agent, member));
      return createFenceArray(agent, fences, { signalOnAny: handle.signalOnAny });
    }
    case "chain":
      return importChain(agent, handle);
    case "signaled":
      if (!NANOSECONDS.isKind(handle.timestamp) || !(handle.timestamp >= 0 && handle.timestamp < Infinity))
        refuseFence("its time is damaged");
      return stubFence(agent, handle.timestamp);
    case "plain": {
      checkPlain(agent, handle);
      const backing = new SharedBacking(agent, handle.slot, handle.generation, handle);
      return makeFence(agent, backing, handle.context, handle.seqno);
    }
  }
}

function isLink(link: FenceChainLink | null | undefined): boolean {
  return [link?.seqno, link?.previousSeqno].every((seqno) => Number.isSafeInteger(seqno) && seqno! >= 0);
}

function importChain(agent: Agent, handle: FenceChainHandle): Fence {
  if (!ARRAY.isKind(handle.links) || !handle.links.every(isLink)) refuseFence("its chain is damaged");
  const tail = handle.tail && importFence(agent, handle.tail);
  let chain: FenceChain | undefined;
  const add = (fence: Fence, seqno: number): void => void (chain = createFenceChain(chain ?? tail, fence, seqno));
  // A link that has signaled and is gone still gives its number to what follows.
  const restore = (seqno: number): void => add(stubFence(agent, 0), seqno);
  for (const { seqno, previousSeqno, continues, fence } of handle.links) {
    const last = chain?.seqno ?? Infinity;
    if (continues) {
      if (last < previousSeqno) restore(previousSeqno);
    } else {
      // Raised as far as this, the old context is not continued by what comes next.
      if (last < (previousSeqno || seqno)) restore(previousSeqno || seqno);
      if (previousSeqno > 0) restore(previousSeqno);
    }
    add(importFence(agent, fence), seqno);
  }
  return chain ?? stubFence(agent, 0);
}
