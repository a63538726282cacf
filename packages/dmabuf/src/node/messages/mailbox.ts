import { isLive, ring, slotOf, type Identity, type Member } from "../../domain/agent-slot.js";
import { AGENT } from "../../domain/layout.js";
import { codeOf, DmaBufError } from "../../errors.js";
import type { DomainFiles } from "../joining/domain-files.js";
import { parseLetter, type Letter } from "./message.js";
import type { LedgerEntry, ReceivedFiles, ResourceLedger } from "../memory/resource-ledger.js";
import { sendMessage, writeDescriptor } from "../system-calls/index.js";

/**
 * How agents of different processes send each other descriptors and what belongs to them, without a connection and
 * without anybody's help: each has an inbox, into which everybody may put letters.
 *
 * mailbox.1. A letter lies in the inbox until its agent takes it, even if the sender has died, and costs the sender no
 *      wait.
 * mailbox.2. A full inbox refuses a letter: the sender goes on, and the receiver asks when it misses something.
 * mailbox.3. Whoever has put a letter in counts it, rings, and writes into the pipe of the receiver's event loop,
 *     whether that sleeps there or not. The receiver looks into its inbox when it hears the pipe, when it is about to
 *     sleep in a blocking wait and the count has changed, and when it needs something.
 * mailbox.4. A letter names its receiver: the next agent in the slot drops what was meant for the one before.
 * mailbox.5. A letter that is damaged, or whose descriptors this process has no room for, is dropped with its
 *      descriptors, and a warning says so.
 *      What a member sends may block where it is closed: members trust each other.
 * mailbox.6. However fast letters come, their agent goes on with its own work after so many.
 */

/** Bytes; the longest letter names a stream with all its buffers. */
const LONGEST = 64 * 1024;
/** More than any inbox holds at a time. */
const MOST_AT_ONCE = 512;
const BYTE = new Uint8Array([1]);

/** A letter, and the descriptors that came with it: they belong to whoever takes it. */
export interface Received {
  readonly letter: Letter;
  readonly from: Identity;
  readonly files: readonly LedgerEntry[];
}

/** As it comes out of the inbox: nothing of it is sure. */
interface Envelope {
  readonly to?: unknown;
  readonly from?: unknown;
  readonly letter?: unknown;
}

export class Inbox {
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

  /** Whether letters have come that were not taken. */
  get hasLetters(): boolean {
    return this.#count !== this.#taken;
  }

  get #count(): number {
    return this.#member.memory.load(this.#word(slotOf(this.#member.identity)));
  }

  /** Why letters were lost since this was asked last: `EMFILE` if this process can open nothing more. */
  takeLoss(): DmaBufError | undefined {
    const lost = this.#lost;
    this.#lost = undefined;
    return lost;
  }

  /** Sends copies of descriptors. @returns False if the receiver's inbox is full, or it has left. */
  post(to: Identity, letter: Letter, descriptors: readonly number[] = []): boolean {
    if (!isLive(this.#member, to)) return false;
    const slot = slotOf(to);
    const text = Buffer.from(JSON.stringify({ to, from: this.#member.identity, letter }));
    if (text.byteLength > LONGEST) {
      throw new DmaBufError(
        "EMSGSIZE",
        `Cannot send ${text.byteLength} bytes to another agent: at most ${LONGEST} fit`,
      );
    }
    if (!this.#send(this.#files.inboxes[slot]!, text, descriptors)) return false;
    // SYNC POINT letter-before-count: pairs with take().
    this.#member.memory.add(this.#word(slot), 1);
    ring(this.#member, slot);
    writeDescriptor(this.#files.bells[slot]!, BYTE);
    return true;
  }

  /** Takes out all letters that are there. */
  *take(): Generator<Received> {
    // SYNC POINT letter-before-count: what is counted now lies there.
    this.#taken = this.#count;
    const inbox = this.#files.inboxes[slotOf(this.#member.identity)]!;
    for (let letters = 0; letters < MOST_AT_ONCE; letters++) {
      const message = this.#receive(inbox);
      if (message === undefined) return;
      if (message === "lost") continue;
      const received = this.#open(message);
      if (received !== undefined) yield received;
      else for (const file of message.files) this.#ledger.close(file);
    }
    // mailbox.6: the rest comes with the next turn.
    this.#taken = undefined;
    writeDescriptor(this.#files.bells[slotOf(this.#member.identity)]!, BYTE);
  }

  /** @returns False if there is no room, neither in the inbox nor among the descriptors that may be on their way. */
  #send(inbox: number, text: Uint8Array, descriptors: readonly number[]): boolean {
    try {
      return sendMessage(inbox, text, descriptors) !== undefined;
    } catch (error) {
      if (codeOf(error) === "ETOOMANYREFS") return false;
      throw error;
    }
  }

  #receive(inbox: number): ReceivedFiles | "lost" | undefined {
    try {
      return this.#ledger.receive(inbox, this.#bytes);
    } catch (error) {
      if (!(error instanceof DmaBufError) || !["EMFILE", "EMSGSIZE"].includes(error.code)) throw error;
      this.#lost = error;
      this.#warn(`A letter from another agent was lost: ${error.message}`);
      return "lost";
    }
  }

  #open({ length, files }: ReceivedFiles): Received | undefined {
    try {
      const { to, from, letter } = JSON.parse(this.#bytes.toString("utf8", 0, length)) as Envelope;
      // mailbox.4: not an error, the one before has left.
      if (to !== this.#member.identity) return undefined;
      if (typeof from !== "number" || !Number.isInteger(from)) throw new TypeError("it names no sender");
      return { letter: parseLetter(letter, files.length, this.#member.layout.sizes), from, files };
    } catch (error) {
      this.#warn(`A letter from another agent was dropped: ${String(error)}`);
      return undefined;
    }
  }

  #word(slot: number): number {
    return this.#member.layout.agent(slot) + AGENT.MESSAGES;
  }
}
