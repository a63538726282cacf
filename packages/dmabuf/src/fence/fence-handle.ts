import { ARRAY, check, handleTo, isName, shown } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { keyTimeLimit, type Origin } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError } from "../errors.js";
import { FenceArray } from "./fence-array.js";
import { FenceChain } from "./fence-chain.js";
import { Fence, FENCE } from "./fence.js";
import { checkDomain, DEFAULT_TIME_LIMIT, publish, SharedFenceOps } from "./shared-fence.js";
import { privateStub } from "./stub.js";

/**
 * A fence as a thing to send to another agent: post it in a message, and import it there. Containers are sent as what
 * they contain, so that nobody depends on the agent that made them.
 */
export type FenceHandle = PlainHandle | ArrayHandle | ChainHandle | StubHandle;

interface PlainHandle extends FenceKey, Origin {
  readonly kind: "fence";
  readonly domain: string;
}

interface ArrayHandle {
  readonly kind: "array";
  readonly fences: readonly FenceHandle[];
  readonly signalOnAny: boolean;
}

interface ChainHandle {
  readonly kind: "chain";
  /** The links that are pending, oldest first. */
  readonly links: readonly LinkHandle[];
  /** The plain fence before the oldest link, if it is pending. */
  readonly tail: FenceHandle | undefined;
}

interface LinkHandle {
  readonly seqno: number;
  /** The number of the link before, even if that has signaled and is no longer there. */
  readonly previousSeqno: number;
  /** Whether it continues the context of the link before it in the list. */
  readonly continues: boolean;
  readonly fence: FenceHandle;
}

interface StubHandle {
  readonly kind: "stub";
  readonly timestamp: number;
}

const KINDS = ["fence", "array", "chain", "stub"];
const HANDLE = handleTo("a fence", "domain.exportFence()", (value) =>
  KINDS.includes((value as Partial<FenceHandle> | null | undefined)?.kind as string),
);

/**
 * A handle to a fence. A plain fence of this agent alone is published first.
 *
 * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
 */
export function fenceHandle(fence: Fence): FenceHandle {
  check("Domain.exportFence()", "fence", fence, FENCE);
  if (fence instanceof FenceArray) {
    return { kind: "array", fences: fence.fences.map(fenceHandle), signalOnAny: fence.signalOnAny };
  }
  if (fence instanceof FenceChain) return chainHandle(fence);
  if (fence.context === 0) return { kind: "stub", timestamp: fence.timestamp! };
  const { context, seqno, seqno32, driverName, timelineName } = fence;
  const key = publish(fence);
  const timeLimit = keyTimeLimit(fence.agent, key) ?? DEFAULT_TIME_LIMIT;
  return {
    kind: "fence",
    domain: fence.agent.domain,
    ...key,
    context,
    seqno,
    seqno32,
    driverName,
    timelineName,
    timeLimit,
  };
}

/**
 * The fence that was sent, as this agent sees it.
 *
 * @throws {DmaBufError} `EINVAL` if it is of another domain, or no handle.
 */
export function importFence(agent: Agent, handle: FenceHandle): Fence {
  check("Domain.importFence()", "handle", handle, HANDLE);
  switch (handle.kind) {
    case "array": {
      if (!ARRAY.isKind(handle.fences) || typeof handle.signalOnAny !== "boolean") refuse("its list is damaged");
      const fences = handle.fences.map((member) => importFence(agent, member));
      return new FenceArray(agent, fences, { signalOnAny: handle.signalOnAny });
    }
    case "chain":
      return importChain(agent, handle);
    case "stub":
      if (!(handle.timestamp >= 0 && handle.timestamp < Infinity)) refuse("its time is damaged");
      return privateStub(agent, handle.timestamp);
    case "fence": {
      checkDomain(agent, handle.domain, "fence");
      checkKey(agent, handle);
      const ops = new SharedFenceOps(agent, handle.slot, handle.generation, handle);
      return new Fence(agent, ops, handle.context, handle.seqno);
    }
  }
}

function refuse(why: string): never {
  throw new DmaBufError("EINVAL", `Cannot import the fence: ${why}`);
}

function checkKey({ layout }: Agent, handle: PlainHandle): void {
  const { slot, generation, sequence, context, seqno, seqno32, driverName, timelineName, timeLimit } = handle;
  const slots = layout.sizes.timelines + layout.sizes.oneShots;
  const areCounts = [slot, sequence, context, seqno].every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!areCounts || !Number.isSafeInteger(generation) || typeof seqno32 !== "boolean" || slot >= slots) {
    refuse(`its handle names no fence slot (${shown(slot)} of ${slots})`);
  }
  const areNames = [driverName, timelineName].every((name) => typeof name === "string" && isName(name));
  if (!areNames || typeof timeLimit !== "number" || !(timeLimit > 0 && timeLimit <= 0x7fff_ffff))
    refuse("what its handle says of its maker is damaged");
}

function chainHandle(chain: FenceChain): ChainHandle {
  const elements = [...chain.elements()].reverse();
  const links = elements.filter((element) => element instanceof FenceChain);
  const tail = elements[0] instanceof FenceChain ? undefined : elements[0];
  return {
    kind: "chain",
    links: links.map(({ seqno, previousSeqno, context, fence }, i) => {
      return { seqno, previousSeqno, continues: links[i - 1]?.context === context, fence: fenceHandle(fence) };
    }),
    tail: tail && fenceHandle(tail),
  };
}

function isLink(link: LinkHandle | null | undefined): boolean {
  return [link?.seqno, link?.previousSeqno].every((seqno) => Number.isSafeInteger(seqno) && seqno! >= 0);
}

function importChain(agent: Agent, handle: ChainHandle): Fence {
  if (!ARRAY.isKind(handle.links) || !handle.links.every(isLink)) refuse("its chain is damaged");
  const tail = handle.tail && importFence(agent, handle.tail);
  let chain: FenceChain | undefined;
  const add = (fence: Fence, seqno: number): void => void (chain = new FenceChain(chain ?? tail, fence, seqno));
  // A link that has signaled and is gone still gives its number to what follows.
  const restore = (seqno: number): void => add(privateStub(agent, 0), seqno);
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
  return chain ?? privateStub(agent, 0);
}
