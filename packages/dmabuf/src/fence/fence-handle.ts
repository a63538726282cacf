import { check, handleTo, isCount, isName, shown } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { checkDomain } from "../domain/handle.js";
import { DmaBufError } from "../errors.js";

/**
 * A fence as plain data to send to another agent: `fence.handle()` gives it, and {@link Domain.import} opens it. Containers
 * are sent as what they contain, so that no agent depends on the agent that made them.
 */
export type FenceHandle = PlainFenceHandle | FenceArrayHandle | FenceChainHandle | SignaledFenceHandle;

/** A handle to a fence that has a place in shared memory. */
export interface PlainFenceHandle {
  /** The same for all fences. */
  readonly kind: "fence";
  /** The id of the domain that the fence is of, as in all handles. */
  readonly domain: string;
  /** Which of the four handles to a fence it is. */
  readonly form: "plain";
  /** With the two below, the fence's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
  /** The fence's number in the slot. */
  readonly sequence: number;
  /** This and the four below as of {@link Fence}. */
  readonly context: number;
  /** As {@link Fence.seqno}. */
  readonly seqno: number;
  /** Whether the numbers of the context wrap at 32 bits. */
  readonly seqno32: boolean;
  /** As {@link Fence.driverName}. */
  readonly driverName: string;
  /** As {@link Fence.timelineName}. */
  readonly timelineName: string;
  /** Milliseconds after which hang recovery may end the fence. */
  readonly timeLimit: number;
}

/** A handle to a {@link FenceArray}. */
export interface FenceArrayHandle {
  /** The same for all fences. */
  readonly kind: "fence";
  /** The id of the domain that the fence is of. */
  readonly domain: string;
  /** Which of the four handles to a fence it is. */
  readonly form: "array";
  /** Handles to the fences of the array, in its order. */
  readonly fences: readonly FenceHandle[];
  /** Whether the array signals with its first fence; otherwise with its last. */
  readonly signalOnAny: boolean;
}

/** A handle to a {@link FenceChain}. */
export interface FenceChainHandle {
  /** The same for all fences. */
  readonly kind: "fence";
  /** The id of the domain that the fence is of. */
  readonly domain: string;
  /** Which of the four handles to a fence it is. */
  readonly form: "chain";
  /** The links that are pending, oldest first. */
  readonly links: readonly FenceChainLink[];
  /** The plain fence before the oldest link, if it is pending. */
  readonly tail: FenceHandle | undefined;
}

/** One link of a {@link FenceChainHandle}. */
export interface FenceChainLink {
  /** The link's point. */
  readonly seqno: number;
  /** The number of the link before, even if that has signaled and is no longer there. */
  readonly previousSeqno: number;
  /** Whether it continues the context of the link before it in the list. */
  readonly continues: boolean;
  /** A handle to the link's own fence. */
  readonly fence: FenceHandle;
}

/** A handle to a fence that was never pending. */
export interface SignaledFenceHandle {
  /** The same for all fences. */
  readonly kind: "fence";
  /** The id of the domain that the fence is of. */
  readonly domain: string;
  /** Which of the four handles to a fence it is. */
  readonly form: "signaled";
  /** Monotonic nanoseconds. */
  readonly timestamp: number;
}

export function signaledHandle(domain: string, timestamp: number): SignaledFenceHandle {
  return { kind: "fence", domain, form: "signaled", timestamp };
}

const FORMS = ["plain", "array", "chain", "signaled"];
/** What an argument `handle` must be. */
export const FENCE_HANDLE = handleTo("a fence", "fence.handle()", (value) => {
  const { kind, form } = (value ?? {}) as Partial<FenceHandle>;
  return kind === "fence" && FORMS.includes(form as string);
});

/** @throws {DmaBufError} `EINVAL` if it is of another domain, or no handle. */
export function checkFenceHandle(agent: Agent, handle: FenceHandle): void {
  check("Domain.import()", "handle", handle, FENCE_HANDLE);
  checkDomain(agent, handle.domain, "fence");
}

export function checkPlain({ layout }: Agent, handle: PlainFenceHandle): void {
  const { slot, generation, sequence, context, seqno, seqno32, driverName, timelineName, timeLimit } = handle;
  const slots = layout.fenceSlots;
  const areCounts = [slot, sequence, context, seqno].every(isCount);
  if (!areCounts || !Number.isSafeInteger(generation) || typeof seqno32 !== "boolean" || slot >= slots) {
    refuseFence(`its handle names no fence slot (${shown(slot)} of ${slots})`);
  }
  const areNames = isName(driverName) && isName(timelineName);
  if (!areNames || typeof timeLimit !== "number" || !(timeLimit > 0 && timeLimit <= 0x7fff_ffff)) {
    refuseFence("what its handle says of its maker is damaged");
  }
}

export function refuseFence(why: string): never {
  throw new DmaBufError("EINVAL", `Cannot import the fence: ${why}`);
}
