import type { BufferKey } from "./buffer-slot.js";
import type { Storage } from "./storage.js";

/** The storage that a buffer has after so many moves. */
export interface StorageVersion {
  readonly key: BufferKey;
  readonly version: number;
  readonly storage: Storage;
}

/** How a buffer's storage, when its exporter has moved it, reaches the other agents of a domain. */
export interface StorageExchange {
  /** Says who has storage in this agent, and hears of what arrives. Called once, before anything else. */
  connect(keeper: StorageKeeper): void;
  /** Sends new storage to all agents, before its version is published. It arrives even if this agent ends at once. */
  announce(moved: StorageVersion): void;
  /**
   * Asks the other agents for a version that is published already. The keeper hears of it, later or before this returns:
   * what has arrived, or that no agent that can be reached has it.
   */
  ask(key: BufferKey, version: number): void;
  /** Whether an agent that blocks its thread receives storage, and serves others. */
  readonly receivesWhileBlocked: boolean;
}

/** The storage that an agent has. */
export interface StorageKeeper {
  storageOf(key: BufferKey): StorageVersion | undefined;
  /** Another agent has sent storage: of a buffer that this agent may not hold, and not always the newest. */
  arrived(moved: StorageVersion): void;
  /** No agent that can be reached has this version. */
  missing(key: BufferKey, version: number): void;
}
