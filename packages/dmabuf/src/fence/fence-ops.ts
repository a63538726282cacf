import { FLAG, FUNCTION, NAME, oneOf, required, type Kinds } from "../arguments.js";
import type { WaitCondition } from "../domain/agent.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Fence } from "./fence.js";

/** What the maker of a fence says about it. Only the names are mandatory. */
export interface FenceOps {
  readonly driverName: string;
  readonly timelineName: string;
  /** Sequence numbers are compared as signed differences of 32 bits, as those of older hardware. Default false. */
  readonly seqno32?: boolean;
  /** Set for a fence that stands for other fences, and so goes into no reservation and no array. */
  readonly container?: "array" | "chain";
  /** Starts whatever will signal the fence; false if the work has already passed. It may set the error first. */
  enableSignaling?(fence: Fence): boolean;
  /** Looks whether the work has finished; once true, always true. It may set the error just before. */
  signaled?(fence: Fence): boolean;
  /** When the work finished that `signaled` found, in monotonic nanoseconds. Default: now. */
  completedAt?(fence: Fence): number | undefined;
  /** Tells the maker that somebody needs the fence by then (absolute monotonic nanoseconds). */
  setDeadline?(fence: Fence, deadlineNs: number): void;
  /** The fence was disposed. */
  release?(fence: Fence): void;
  /** The fence was disposed while it is pending and somebody waits for it. By default it fails, which is reported. */
  abandon?(fence: Fence): void;
  /** Decides a fence that lives in shared memory; false if somebody else has decided it. */
  decide?(fence: Fence, error: number, timestampNs: number): boolean;
  /** The fence is signaled, by whomever; now its maker says that the work has finished. */
  acknowledge?(fence: Fence): void;
  /** Where the fence stands in shared memory, if it does. */
  key?(fence: Fence): FenceKey;
  /** How a thread blocks for a fence that others signal; that alone makes sure that it will signal. */
  awaited?(fence: Fence): WaitCondition;
  /** Whether only this agent can signal the fence, so that it must not block for it without a limit. */
  isOwn?(fence: Fence): boolean;
}

export const FENCE_OPS: Kinds<FenceOps> = {
  driverName: required(NAME),
  timelineName: required(NAME),
  seqno32: FLAG,
  container: oneOf("array", "chain"),
  enableSignaling: FUNCTION,
  signaled: FUNCTION,
  completedAt: FUNCTION,
  setDeadline: FUNCTION,
  release: FUNCTION,
  abandon: FUNCTION,
  decide: FUNCTION,
  acknowledge: FUNCTION,
  key: FUNCTION,
  awaited: FUNCTION,
  isOwn: FUNCTION,
};
