import type { Agent } from "../domain/agent.js";
import { InflightHold } from "../domain/inflight-hold.js";
import type { Inflight, SlotKey } from "../domain/referenced-table.js";
import { USER_FENCE_SLOTS } from "./user-fence-slot.js";

/** @param limit Milliseconds for which the handle holds a fence that no agent opens. */
export let makeUserFenceHandle: (agent: Agent, key: SlotKey, limit: number) => PlainUserFenceHandle;

/**
 * A {@link UserFence} as a thing to send to another agent: post it in a message, and open it there with
 * {@link Domain.import}. It is no {@link FenceHandle}: where one is wanted, it is `EINVAL`.
 */
export interface UserFenceHandle extends Disposable {
  /** What the handle opens. */
  readonly kind: "user-fence";
  /** The id of the domain that the fence is of. */
  readonly domain: string;
  /** Which of the two handles to a user fence it is: that of a {@link MemoryFence} is `"memory"`. */
  readonly form: "plain" | "memory";
  /** The handle no longer holds the fence. */
  close(): void;
}

/**
 * A handle to a {@link UserFence} that is no {@link MemoryFence}.
 *
 * While it is on its way it holds the fence, counted against the sender: until it is first opened, until the sender
 * closes it or dies, or until the domain's limit for handles passes. After that it can be opened as long as the fence
 * lives, and is `ESTALE` afterwards.
 *
 * A clone made by `postMessage` has the fields and not the methods: only the sender closes it.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using fence = domain.createUserFence();
 * const { port1: port } = new MessageChannel();
 * const handle = fence.handle();
 * port.postMessage(handle); // there: using received = domain.import(handle)
 * ```
 */
export class PlainUserFenceHandle implements UserFenceHandle {
  static {
    makeUserFenceHandle = (agent, key, limit) => new PlainUserFenceHandle(agent, key, limit);
  }

  /** What the handle opens. */
  readonly kind = "user-fence";
  /** The id of the domain that the fence is of. */
  readonly domain: string;
  /** Which of the two handles to a user fence it is. */
  readonly form = "plain";
  /** The fence's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
  /** The handle's own hold of the fence. */
  readonly inflight: Inflight;
  readonly #hold: InflightHold;

  private constructor(agent: Agent, key: SlotKey, limit: number) {
    this.domain = agent.domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.#hold = new InflightHold(agent, USER_FENCE_SLOTS, key, limit);
    this.inflight = this.#hold.inflight;
  }

  /** The handle no longer holds the fence. */
  close(): void {
    this.#hold.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What arrives of a handle in another agent; the rest of it depends on its form. */
export type UserFenceHandleData = Pick<UserFenceHandle, "kind" | "domain" | "form">;

/** The fields of a plain one. */
export type PlainUserFenceHandleData = Pick<
  PlainUserFenceHandle,
  "kind" | "domain" | "form" | "slot" | "generation" | "inflight"
>;
