import type { Agent, WaitCondition } from "../domain/agent.js";
import type { Core } from "../domain/feature.js";
import { checkHandle, checkIntact, type HandleKind } from "../domain/handle.js";
import type { SlotKey } from "../domain/referenced-table.js";
import { DmaBufError } from "../errors.js";
import { makeUserFenceHandle, type PlainUserFenceHandleData, type UserFenceHandle } from "./user-fence-handle.js";
import {
  armUserFence,
  claimUserFence,
  isUserFenceShared,
  isUserFenceSignaled,
  signalUserFence,
  USER_FENCE_SLOTS,
  userFenceName,
} from "./user-fence-slot.js";
import type { UserFenceBacking } from "./user-fence-backing.js";

const HANDLE: HandleKind = { kind: "user-fence", noun: "user fence", slots: ({ userFences }) => userFences };

/**
 * The user fences that an agent has: one object each, however many holders there are. The agent's reference in shared
 * memory lasts while that object is used.
 */
export class UserFenceTable {
  readonly agent: Agent;
  readonly handleLimit: number;
  readonly #fences = new Map<number, SlotUserFence>();

  constructor({ agent, handleLimit }: Pick<Core, "agent" | "handleLimit">) {
    this.agent = agent;
    this.handleLimit = handleLimit;
  }

  /** A new one. The caller holds it. @throws {DmaBufError} `ENOSPC` if there is no place for it. */
  create(name: string): UserFenceBacking {
    return this.#add(claimUserFence(this.agent, name));
  }

  /**
   * The fence that was sent. The caller holds it.
   *
   * @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  open(handle: PlainUserFenceHandleData): UserFenceBacking {
    checkHandle(this.agent, handle, HANDLE);
    const { form, slot, generation, inflight } = handle;
    checkIntact("user fence", { form: form === "plain" });
    let fence = this.#fences.get(slot);
    if (fence?.key.generation !== generation) {
      // A reference of ours to another generation means that the handle's fence is gone.
      if (fence !== undefined || !USER_FENCE_SLOTS.addReference(this.agent, { slot, generation })) {
        throw new DmaBufError("ESTALE", "Cannot import the user fence: it is gone");
      }
      fence = this.#add({ slot, generation });
    }
    // It is held now: the handle's own hold, if it still lasts, has done its work.
    USER_FENCE_SLOTS.endInflight(this.agent, slot, inflight);
    return fence;
  }

  /** Gives all back before the agent leaves. */
  close(): void {
    for (const fence of [...this.#fences.values()]) fence.leave();
  }

  #add(key: SlotKey): SlotUserFence {
    const fence = new SlotUserFence(this, key, () => {
      this.#fences.delete(key.slot);
      USER_FENCE_SLOTS.dropReference(this.agent, key.slot);
    });
    this.#fences.set(key.slot, fence);
    return fence;
  }
}

/** A user fence in shared memory, as one agent has it. */
class SlotUserFence implements UserFenceBacking {
  readonly agent: Agent;
  readonly key: SlotKey;
  readonly name: string;
  readonly #table: UserFenceTable;
  /** Gives back the agent's reference; nothing when that was done. */
  #giveBack: (() => void) | undefined;
  /** Holders and waits. */
  #uses = 0;

  constructor(table: UserFenceTable, key: SlotKey, giveBack: () => void) {
    this.agent = table.agent;
    this.key = key;
    this.name = userFenceName(table.agent, key.slot);
    this.#table = table;
    this.#giveBack = giveBack;
  }

  isSignaled(): boolean {
    this.#checkHeld();
    return isUserFenceSignaled(this.agent, this.key.slot);
  }

  signal(): boolean {
    this.#checkHeld();
    return signalUserFence(this.agent, this.key.slot);
  }

  awaited(): WaitCondition {
    return {
      activity: () => ({ does: "awaits-user-fence", ...this.key }),
      arm: () => armUserFence(this.agent, this.key.slot),
      ready: () => this.isSignaled(),
      checkBlocking: () => this.#checkBlocking(),
    };
  }

  handle(): UserFenceHandle {
    this.#checkHeld();
    return makeUserFenceHandle(this.agent, this.key, this.#table.handleLimit);
  }

  hold(): void {
    this.#uses++;
  }

  release(): void {
    if (--this.#uses === 0) this.leave();
  }

  /** The agent's reference goes, whatever uses it: the slot may be another fence's from now on. */
  leave(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  /** @throws {DmaBufError} `EBADF` if the agent has left. */
  #checkHeld(): void {
    if (this.#giveBack === undefined) {
      throw new DmaBufError("EBADF", "Cannot use the user fence: this thread has left the domain");
    }
  }

  /** @throws {DmaBufError} `EDEADLK` if no other agent can signal it (user-fence.4). */
  #checkBlocking(): void {
    if (isUserFenceShared(this.agent, this.key.slot)) return;
    throw new DmaBufError("EDEADLK", `Cannot block: no other agent has user fence "${this.name}"`);
  }
}
