import { check, integer, NAME } from "../../arguments.js";
import type { Agent } from "../../domain/agent.js";
import type { Identity } from "../../domain/agent-slot.js";
import { take, takeSync, until, type Steps } from "../../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { askingAgain } from "./asking.js";
import type { PostOffice } from "./post-office.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { duplicateDescriptor } from "../system-calls/index.js";

const DESCRIPTOR = integer(0, 0x7fff_ffff);

/** A descriptor that is offered; its close withdraws it. */
export interface DescriptorOffer extends Disposable {
  /** Offers it no longer. Copies that others have taken stay theirs. Twice does nothing. */
  close(): void;
}

/** A domain's directory of descriptors, and what ends it. Made with the domain. */
export let makeDescriptorDirectory: (
  agent: Agent,
  ledger: ResourceLedger,
  post: PostOffice,
) => { readonly directory: DescriptorDirectory; readonly end: () => void };

/**
 * Descriptors that agents give each other by name: for what is no memory of the domain's, above all the kernel's own
 * buffers, fences and syncobjs. A descriptor is sent to the agent that asks for it, and is in no mailbox before.
 *
 * @example
 * ```ts
 * import { openSync, readSync } from "node:fs";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using offer = domain.descriptors.offer("zeros", openSync("/dev/zero", "r"));
 * // Mostly in another process of the domain:
 * const descriptor = await domain.descriptors.take("zeros", { timeout: 1_000 });
 * readSync(descriptor, new Uint8Array(16));
 * ```
 */
export class DescriptorDirectory {
  readonly #agent: Agent;
  readonly #ledger: ResourceLedger;
  readonly #post: PostOffice;
  readonly #offers = new Map<string, LedgerEntry>();
  readonly #wanted = new Map<string, Wanted>();

  static {
    makeDescriptorDirectory = (agent, ledger, post) => {
      const directory = new DescriptorDirectory(agent, ledger, post);
      return { directory, end: () => directory.#end() };
    };
  }

  private constructor(agent: Agent, ledger: ResourceLedger, post: PostOffice) {
    this.#agent = agent;
    this.#ledger = ledger;
    this.#post = post;
    post.on("ask for descriptor", ({ name }, from) => this.#answer(name, from));
    post.on("descriptor", ({ name }, _, [file]) => this.#receive(name, file!));
  }

  /**
   * Gives a copy of a descriptor to every agent that asks for this name, until the offer is closed or the domain is
   * left.
   *
   * @param name At most 31 bytes of UTF-8.
   * @param descriptor Stays the caller's, who may close it.
   * @throws {DmaBufError} `EEXIST` if this agent offers something of that name; `EBADF` if this is no descriptor, or
   *   the domain was left; `EMFILE` if there is no descriptor left.
   */
  offer(name: string, descriptor: number): DescriptorOffer {
    check("DescriptorDirectory.offer()", "name", name, NAME);
    check("DescriptorDirectory.offer()", "descriptor", descriptor, DESCRIPTOR);
    this.#agent.checkJoined();
    if (this.#offers.has(name)) {
      throw new DmaBufError("EEXIST", `Cannot offer descriptor ${descriptor}: "${name}" is offered already`);
    }
    const copy = this.#ledger.open(() => duplicateDescriptor(descriptor));
    this.#offers.set(name, copy);
    const close = (): void => {
      if (this.#offers.get(name) !== copy) return;
      this.#offers.delete(name);
      this.#ledger.close(copy);
    };
    return { close, [Symbol.dispose]: close };
  }

  /**
   * A descriptor of what an agent offers by this name, as soon as one does. It is the caller's, and closed on exec.
   *
   * @param name At most 31 bytes of UTF-8.
   * @param options `timeout` in milliseconds, by default no limit, and `signal`, which ends the wait.
   * @throws {DmaBufError} `ETIMEDOUT` if no agent offers it in time; `EBADF` if the domain was left, `ECANCELED` if it is
   *   left during the wait; the signal's reason if it aborts.
   */
  async take(name: string, options: WaitOptions = {}): Promise<number> {
    check("DescriptorDirectory.take()", "name", name, NAME);
    checkWait("DescriptorDirectory.take()", options);
    return take(this.#agent, this.#take(name, options.timeout), options);
  }

  /** As {@link take}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  takeSync(name: string, options: { readonly timeout?: number } = {}): number {
    check("DescriptorDirectory.takeSync()", "name", name, NAME);
    checkWaitSync("DescriptorDirectory.takeSync()", options);
    return takeSync(this.#agent, this.#take(name, options.timeout), options.timeout);
  }

  *#take(name: string, timeout: number | undefined): Steps<number> {
    this.#agent.checkJoined();
    const own = this.#offers.get(name);
    if (own !== undefined) return duplicateDescriptor(this.#ledger.descriptorOf(own));
    const wanted = this.#want(name);
    const ask = (): void => void this.#post.sendToAll({ kind: "ask for descriptor", name });
    const ready = (): boolean => {
      this.#post.read();
      return wanted.files.length > 0;
    };
    try {
      if (ready() || (yield until(this.#agent, askingAgain(this.#agent.host, ask, ready)))) {
        return this.#ledger.handOver(wanted.files.shift()!);
      }
      throw new DmaBufError("ETIMEDOUT", `Cannot take "${name}": no agent has offered it in ${timeout} ms`);
    } finally {
      this.#wantNoMore(name, wanted);
    }
  }

  /** Another agent asks. */
  #answer(name: string, from: Identity): void {
    const offer = this.#offers.get(name);
    if (offer === undefined) return;
    this.#post.send(from, { kind: "descriptor", name }, [this.#ledger.descriptorOf(offer)]);
  }

  /** Another agent has answered. @param file The directory's from now on. */
  #receive(name: string, file: LedgerEntry): void {
    const wanted = this.#wanted.get(name);
    if (wanted !== undefined && wanted.files.length < wanted.waiting) wanted.files.push(file);
    else this.#ledger.close(file);
  }

  #end(): void {
    for (const offer of this.#offers.values()) this.#ledger.close(offer);
    this.#offers.clear();
  }

  #want(name: string): Wanted {
    const wanted = this.#wanted.get(name) ?? { waiting: 0, files: [] };
    wanted.waiting += 1;
    this.#wanted.set(name, wanted);
    return wanted;
  }

  #wantNoMore(name: string, wanted: Wanted): void {
    wanted.waiting -= 1;
    while (wanted.files.length > wanted.waiting) this.#ledger.close(wanted.files.pop()!);
    if (wanted.waiting === 0) this.#wanted.delete(name);
  }
}

/** What is waited for in this agent. */
interface Wanted {
  /** By how many. */
  waiting: number;
  /** What has come for them. */
  readonly files: LedgerEntry[];
}
