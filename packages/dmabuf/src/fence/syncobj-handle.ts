import { check, handleTo } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { isIndex } from "../domain/layout.js";
import { isTransit, type SlotKey, type Transit } from "../domain/referenced-slot.js";
import { addSyncobjTransit, endSyncobjTransit } from "../domain/syncobj-slot.js";
import { DmaBufError } from "../errors.js";
import { checkDomain } from "./shared-fence.js";

/**
 * A syncobj as a thing to send to another agent: post it in a message, and open it there.
 *
 * While it is on its way it holds the syncobj, counted against the sender: until it is first opened, until the sender
 * disposes it or dies, or until the domain's limit for handles passes. After that it can be opened as long as the syncobj
 * lives, and is `ESTALE` afterwards.
 *
 * A clone made by `postMessage` has the fields and not the methods: only the sender disposes.
 */
export class SyncobjHandle implements Disposable {
  readonly kind = "syncobj";
  readonly domain: string;
  readonly slot: number;
  readonly generation: number;
  readonly transit: Transit;
  readonly #agent: Agent;
  readonly #cancelTimer: () => void;

  /**
   * @internal Made by `Syncobj.handle()`.
   *
   * @param limit Milliseconds for which it holds a syncobj that nobody opens.
   */
  constructor(agent: Agent, key: SlotKey, limit: number) {
    this.domain = agent.domain;
    this.slot = key.slot;
    this.generation = key.generation;
    this.transit = addSyncobjTransit(agent, key);
    this.#agent = agent;
    this.#cancelTimer = agent.host.after(limit, () => this.#end());
  }

  [Symbol.dispose](): void {
    this.#cancelTimer();
    this.#end();
  }

  #end(): void {
    endSyncobjTransit(this.#agent, this.slot, this.transit);
  }
}

/** The fields of a handle, as they arrive in another agent. */
export type SyncobjHandleData = Pick<SyncobjHandle, "kind" | "domain" | "slot" | "generation" | "transit">;

const HANDLE = handleTo(
  "a syncobj",
  "handle() of the Syncobj",
  (value) => (value as Partial<SyncobjHandleData> | null | undefined)?.kind === "syncobj",
);

/** @throws {DmaBufError} `EINVAL` if it is no handle to a syncobj, or one of another domain. */
export function checkSyncobjHandle(agent: Agent, handle: SyncobjHandleData): void {
  check("Domain.openSyncobj()", "handle", handle, HANDLE);
  const { domain, slot, generation, transit } = handle;
  const isIntact =
    isIndex(slot, agent.layout.sizes.syncobjs) && Number.isSafeInteger(generation) && isTransit(agent, transit);
  if (!isIntact) throw new DmaBufError("EINVAL", "Cannot open the syncobj: its handle is damaged");
  checkDomain(agent, domain, "syncobj");
}
