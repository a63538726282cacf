import type { Agent } from "../domain/agent.js";
import { InflightHold } from "../domain/inflight-hold.js";
import type { SlotKey, Inflight } from "../domain/referenced-table.js";
import { SYNCOBJ_SLOTS } from "./syncobj-slot.js";

/** @param limit Milliseconds for which the handle holds a syncobj that no agent opens. */
export let makeSyncobjHandle: (agent: Agent, key: SlotKey, limit: number) => SyncobjHandle;

/**
 * A syncobj as a thing to send to another agent: post it in a message, and open it there with {@link Domain.import}.
 *
 * While it is on its way it holds the syncobj, counted against the sender: until it is first opened, until the sender
 * closes it or dies, or until the domain's limit for handles passes. After that it can be opened as long as the syncobj
 * lives, and is `ESTALE` afterwards.
 *
 * A clone made by `postMessage` has the fields and not the methods: only the sender closes it.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using syncobj = domain.createSyncobj();
 * const { port1: port } = new MessageChannel();
 * const handle = syncobj.handle();
 * port.postMessage(handle); // there: using received = domain.import(handle)
 * ```
 */
export class SyncobjHandle implements Disposable {
  static {
    makeSyncobjHandle = (agent, key, limit) => new SyncobjHandle(agent, key, limit);
  }

  /** What the handle opens. */
  readonly kind = "syncobj";
  /** The id of the domain that the syncobj is of. */
  readonly domain: string;
  /** The syncobj's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
  /** The handle's own hold of the syncobj. */
  readonly inflight: Inflight;
  readonly #hold: InflightHold;

  private constructor(agent: Agent, key: SlotKey, limit: number) {
    this.domain = agent.domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.#hold = new InflightHold(agent, SYNCOBJ_SLOTS, key, limit);
    this.inflight = this.#hold.inflight;
  }

  /** The handle no longer holds the syncobj. */
  close(): void {
    this.#hold.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The fields of a handle, as they arrive in another agent. */
export type SyncobjHandleData = Pick<SyncobjHandle, "kind" | "domain" | "slot" | "generation" | "inflight">;
