import { isLive, ring, slotOf, type Identity, type Member } from "../../domain/agent-slot.js";
import { AGENT } from "../../domain/layout.js";
import { codeOf, DmaBufError } from "../../errors.js";
import type { DomainFiles } from "../joining/domain-files.js";
import type { LedgerEntry, ReceivedFiles, ResourceLedger } from "../resources/resource-ledger.js";
import { sendMessage, writeDescriptor } from "../system-calls/index.js";
import { parseMessage, type Message } from "./message.js";

/**
 * How agents of different processes send each other descriptors and what belongs to them, without a connection and
 * without the help of any other: each agent has a mailbox, a socket that every member may send to.
 *
 * mailbox.1. A message is in the mailbox until its agent takes it, even if the sender has died, and costs the sender
 *      no wait.
 * mailbox.2. A full mailbox refuses a message: the sender goes on, and the receiver asks when it misses something.
 * mailbox.3. The sender of a message counts it, rings, and writes into the pipe of the receiver's event loop, whether
 *     the receiver sleeps there or not. The receiver looks into its mailbox when it hears the pipe, when it is about to
 *     sleep in a blocking wait and the count has changed, and when it needs something.
 * mailbox.4. A message names its receiver: the next agent in the slot drops what was meant for the one before.
 * mailbox.5. A message that is damaged, or whose descriptors this process has no room for, is dropped with its
 *      descriptors, and a warning says so.
 *      What a member sends may block where it is closed: members trust each other.
 * mailbox.6. However fast messages come, their agent goes on with its own work after so many.
 * mailbox.7. What the system cannot give now is in the mailbox still, and counts as not taken. A look that no call waits for says so
 *      in a warning, and there is another one soon.
 */

/** Bytes; the longest message names a stream with all its buffers. */
const LONGEST = 64 * 1024;
/** More than any mailbox holds at a time. */
const MOST_AT_ONCE = 512;
const BYTE = new Uint8Array([1]);

/** A message, and the descriptors that came with it: they belong to the part of the program that takes it. */
export interface Received {
  readonly message: Message;
  readonly from: Identity;
  readonly files: readonly LedgerEntry[];
}

/** As it comes out of the mailbox: nothing of it is sure. */
interface Envelope {
  readonly to?: unknown;
  readonly from?: unknown;
  readonly message?: unknown;
}

/** One agent's mailbox, and its way into those of others. */
export class Mailbox {
  readonly #member: Member;
  readonly #files: DomainFiles;
  readonly #ledger: ResourceLedger;
  readonly #warn: (message: string) => void;
  readonly #bytes = Buffer.alloc(LONGEST);
  #taken: number | undefined;
  #lost: DmaBufError | undefined;

  constructor(member: Member, files: DomainFiles, ledger: ResourceLedger, warn: (message: string) => void) {
    this.#member = member;
    this.#files = files;
    this.#ledger = ledger;
    this.#warn = warn;
  }

  /** Whether messages have come that were not taken. */
  get hasMessages(): boolean {
    return this.#count !== this.#taken;
  }

  get #count(): number {
    return this.#member.memory.load(this.#word(slotOf(this.#member.identity)));
  }

  /** Why messages were lost since this was asked last: `EMFILE` if this process can open nothing more. */
  takeLoss(): DmaBufError | undefined {
    const lost = this.#lost;
    this.#lost = undefined;
    return lost;
  }

  /** Sends copies of descriptors. @returns False if the receiver's mailbox is full, or it has left. */
  send(to: Identity, message: Message, descriptors: readonly number[] = []): boolean {
    if (!isLive(this.#member, to)) return false;
    const slot = slotOf(to);
    const text = Buffer.from(JSON.stringify({ to, from: this.#member.identity, message }));
    if (text.byteLength > LONGEST) {
      throw new DmaBufError(
        "EMSGSIZE",
        `Cannot send ${text.byteLength} bytes to another agent: at most ${LONGEST} fit`,
      );
    }
    if (!this.#trySend(this.#files.mailboxes[slot]!, text, descriptors)) return false;
    // SYNC POINT message-before-count: pairs with take().
    this.#member.memory.add(this.#word(slot), 1);
    ring(this.#member, slot);
    writeDescriptor(this.#files.bells[slot]!, BYTE);
    return true;
  }

  /** Takes out all messages that are there. */
  *take(): Generator<Received> {
    // SYNC POINT message-before-count: what is counted now is there.
    this.#taken = this.#count;
    const mailbox = this.#files.mailboxes[slotOf(this.#member.identity)]!;
    for (let messages = 0; messages < MOST_AT_ONCE; messages++) {
      const arrived = this.#receive(mailbox);
      if (arrived === undefined) return;
      if (arrived === "lost") continue;
      const received = this.#open(arrived);
      if (received !== undefined) yield received;
      else for (const file of arrived.files) this.#ledger.close(file);
    }
    // mailbox.6: the rest comes with the next turn.
    this.#taken = undefined;
    writeDescriptor(this.#files.bells[slotOf(this.#member.identity)]!, BYTE);
  }

  /** @returns False if there is no room, neither in the mailbox nor among the descriptors that may be on their way. */
  #trySend(mailbox: number, text: Uint8Array, descriptors: readonly number[]): boolean {
    try {
      return sendMessage(mailbox, text, descriptors) !== undefined;
    } catch (error) {
      if (codeOf(error) === "ETOOMANYREFS") return false;
      throw error;
    }
  }

  #receive(mailbox: number): ReceivedFiles | "lost" | undefined {
    try {
      return this.#ledger.receive(mailbox, this.#bytes);
    } catch (error) {
      if (!(error instanceof DmaBufError) || !["EMFILE", "EMSGSIZE"].includes(error.code)) {
        // mailbox.7
        this.#taken = undefined;
        throw error;
      }
      this.#lost = error;
      this.#warn(`A message from another agent was lost: ${error.message}`);
      return "lost";
    }
  }

  #open({ length, files }: ReceivedFiles): Received | undefined {
    try {
      const { to, from, message } = JSON.parse(this.#bytes.toString("utf8", 0, length)) as Envelope;
      // mailbox.4: not an error, the one before has left.
      if (to !== this.#member.identity) return undefined;
      if (typeof from !== "number" || !Number.isInteger(from)) throw new TypeError("it names no sender");
      return { message: parseMessage(message, files.length, this.#member.layout.sizes), from, files };
    } catch (error) {
      this.#warn(`A message from another agent was dropped: ${String(error)}`);
      return undefined;
    }
  }

  #word(slot: number): number {
    return this.#member.layout.agent(slot) + AGENT.MESSAGES;
  }
}
