import type { Agent, WaitCondition } from "../domain/agent.js";
import type { UserFenceHandle } from "./user-fence-handle.js";

/** What is behind a user fence: its slot, or its word in a buffer. */
export interface UserFenceBacking {
  readonly agent: Agent;
  readonly name: string;
  isSignaled(): boolean;
  /** Returns whether this call has signaled it. */
  signal(): boolean;
  /** How an agent waits for it: one object for each wait. */
  awaited(): WaitCondition;
  handle(): UserFenceHandle;
  /** Counts a holder, or a wait. */
  hold(): void;
  /** The end that belongs to {@link hold}. */
  release(): void;
}
