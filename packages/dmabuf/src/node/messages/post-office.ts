import type { Agent } from "../../domain/agent.js";
import { otherAgents, type Identity } from "../../domain/agent-slot.js";
import { textOf } from "../../errors.js";
import type { DomainFiles } from "../joining/domain-files.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { Mailbox } from "./mailbox.js";
import type { Message } from "./message.js";

/** Milliseconds until what could not be received is looked for again. */
const LATER = 100;

/** @param files The handler's from now on. */
type Handler<M extends Message> = (message: M, from: Identity, files: readonly LedgerEntry[]) => void;

/** The mailbox of this thread's agent, and which part of the program handles which kind of message. */
export class PostOffice extends Mailbox {
  readonly #agent: Agent;
  readonly #handlers = new Map<Message["kind"], Handler<never>>();

  constructor(agent: Agent, files: DomainFiles, ledger: ResourceLedger) {
    super(agent, files, ledger, (message) => agent.host.warn(message));
    this.#agent = agent;
  }

  /** Registers what handles a kind of message; each has one handler. */
  on<K extends Message["kind"]>(kind: K, handle: Handler<Extract<Message, { readonly kind: K }>>): void {
    this.#handlers.set(kind, handle);
  }

  /** Sends to all other agents. @returns Those whose mailboxes took it. */
  sendToAll(message: Message): Identity[] {
    return [...otherAgents(this.#agent)].filter((to) => this.send(to, message));
  }

  /** As {@link read}, where there is no caller to be told of an error: it looks again some time later (mailbox.7). */
  hear(): void {
    const { host } = this.#agent;
    try {
      this.read();
    } catch (error) {
      host.warn(`Messages from other agents are left for later: ${textOf(error)}`);
      host.after(LATER, () => this.hear());
    }
  }

  /** Hands what has come to the handlers. @throws {DmaBufError} What the system says where it cannot be received. */
  read(): void {
    if (this.#agent.closed || !this.hasMessages) return;
    for (const { message, from, files } of this.take()) {
      try {
        (this.#handlers.get(message.kind) as Handler<Message>)(message, from, files);
      } catch (error) {
        this.#agent.host.warn(`A message from another agent came to nothing: ${String(error)}`);
      }
    }
  }
}
