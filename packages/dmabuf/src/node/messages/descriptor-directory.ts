import { check, integer, NAME } from "../../arguments.js";
import type { Agent } from "../../domain/agent.js";
import { otherAgents, type Identity } from "../../domain/agent-slot.js";
import { checkWait, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { askingAgain } from "./asking.js";
import type { Inbox } from "./mailbox.js";
import type { LedgerEntry, ResourceLedger } from "../memory/resource-ledger.js";
import { duplicateDescriptor } from "../system-calls/index.js";

const DESCRIPTOR = integer(0, 0x7fff_ffff);

/**
 * Descriptors that agents give each other by name: for what is no memory of the domain's, above all the kernel's own
 * buffers, fences and syncobjs. A descriptor is sent to whoever asks for it, and lies in no inbox before.
 */
export class DescriptorDirectory {
  readonly #agent: Agent;
  readonly #ledger: ResourceLedger;
  readonly #inbox: Inbox;
  readonly #readLetters: () => void;
  readonly #offers = new Map<string, LedgerEntry>();
  readonly #wanted = new Map<string, Wanted>();

  /** @internal Made by `Domain`. */
  constructor(agent: Agent, ledger: ResourceLedger, inbox: Inbox, readLetters: () => void) {
    this.#agent = agent;
    this.#ledger = ledger;
    this.#inbox = inbox;
    this.#readLetters = readLetters;
  }

  /**
   * Gives a copy of a descriptor to every agent that asks for this name, until the result is disposed.
   *
   * @param name At most 31 bytes of UTF-8.
   * @param descriptor Stays the caller's, who may close it.
   * @throws {DmaBufError} `EEXIST` if this agent offers something of that name; `EBADF` if this is no descriptor.
   */
  offer(name: string, descriptor: number): Disposable {
    check("DescriptorDirectory.offer()", "name", name, NAME);
    check("DescriptorDirectory.offer()", "descriptor", descriptor, DESCRIPTOR);
    this.#checkJoined();
    if (this.#offers.has(name)) {
      throw new DmaBufError("EEXIST", `Cannot offer descriptor ${descriptor}: "${name}" is offered already`);
    }
    const copy = this.#ledger.open(() => duplicateDescriptor(descriptor));
    this.#offers.set(name, copy);
    return {
      [Symbol.dispose]: () => {
        if (this.#offers.get(name) !== copy) return;
        this.#offers.delete(name);
        this.#ledger.close(copy);
      },
    };
  }

  /**
   * A descriptor of what somebody offers by this name, as soon as somebody does. It is the caller's, and closed on exec.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if nobody offers it in time.
   */
  async take(name: string, options: WaitOptions = {}): Promise<number> {
    check("DescriptorDirectory.take()", "name", name, NAME);
    checkWait("DescriptorDirectory.take()", options);
    this.#checkJoined();
    const own = this.#offers.get(name);
    if (own !== undefined) return duplicateDescriptor(this.#ledger.descriptorOf(own));
    const wanted = this.#want(name);
    const ask = (): void => {
      for (const to of otherAgents(this.#agent)) this.#inbox.post(to, { kind: "ask for descriptor", name });
    };
    const ready = (): boolean => {
      this.#readLetters();
      return wanted.files.length > 0;
    };
    try {
      if (await this.#agent.wait(askingAgain(this.#agent.host, ask, ready), options)) {
        return this.#ledger.handOver(wanted.files.shift()!);
      }
      throw new DmaBufError("ETIMEDOUT", `Nobody has offered "${name}" in ${options.timeout} ms`);
    } finally {
      this.#wantNoMore(name, wanted);
    }
  }

  /** @internal Another agent asks. */
  answer(name: string, from: Identity): void {
    const offer = this.#offers.get(name);
    if (offer === undefined) return;
    this.#inbox.post(from, { kind: "descriptor", name }, [this.#ledger.descriptorOf(offer)]);
  }

  /** @internal Another agent has answered. @param file The directory's from now on. */
  receive(name: string, file: LedgerEntry): void {
    const wanted = this.#wanted.get(name);
    if (wanted !== undefined && wanted.files.length < wanted.waiting) wanted.files.push(file);
    else this.#ledger.close(file);
  }

  /** @internal */
  close(): void {
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

  #checkJoined(): void {
    if (this.#agent.closed) throw new DmaBufError("EBADF", "Cannot use the domain: this thread has left it");
  }
}

/** What is waited for in this agent. */
interface Wanted {
  /** By how many. */
  waiting: number;
  /** What has come for them. */
  readonly files: LedgerEntry[];
}
