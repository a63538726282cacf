import { setMaxListeners } from "node:events";
import type { Socket } from "node:net";
import { codeOf, DmaBufError, textOf } from "../../errors.js";
import { printable, remoteError, type Refusal } from "../../node/connecting/json-lines.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { OnRead, Peer } from "../peers.js";
import type { HostFacts } from "./facts.js";
import { openData } from "./open-data.js";
import { hostTlsKey } from "./secure.js";

/**
 * The control connection between two hosts: lines of JSON, which ask, answer, tell, beat, and say good-bye.
 *
 * link.1. A line has at most 64 KiB. A host that sends a longer one, or what is no such line, is lost.
 * link.2. Each question has one answer, or the loss of the link ends it with `ESRCH`. What comes for one that has ended is
 *      nothing.
 * link.3. Once lost, a link is lost: its sockets are destroyed, nothing more is heard from it, and the signal says why.
 * link.4. At most 8,192 questions of one host wait here for their answers: one more is refused with `EBUSY`.
 */

/** Bytes. */
const LONGEST_LINE = 64 * 1024;
const MOST_QUESTIONS = 8_192;
/** Bytes that the other side does not take. */
const MOST_UNSENT = 16 * 1024 * 1024;
const ASK_LIMIT = 5_000;

/** What is done with what a host says. */
export interface LinkHandlers {
  readonly answer: (peer: Link, service: string, body: JsonValue) => Promise<JsonValue>;
  readonly hear: (peer: Link, service: string, body: JsonValue) => void;
  /** Something has come. @returns Whether it is to be looked at. */
  readonly heard: () => boolean;
  /** Once, when the link is lost. */
  readonly lost: (peer: Link) => void;
}

interface Message {
  readonly ask?: number;
  readonly answer?: number;
  readonly tell?: true;
  readonly to?: string;
  readonly body?: JsonValue;
  readonly error?: Refusal;
  readonly bye?: Refusal;
}

interface Question {
  readonly resolve: (body: JsonValue) => void;
  readonly reject: (error: unknown) => void;
}

export class Link implements Peer {
  readonly id: string;
  readonly name: string;
  readonly incarnation: number;
  readonly facts: HostFacts;
  readonly lost: AbortSignal;
  /** When something came last, by `performance.now()`. */
  lastHeard = performance.now();
  readonly #socket: Socket;
  readonly #handlers: LinkHandlers;
  readonly #end = new AbortController();
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;
  /** Questions of the other host that wait for their answers. */
  #answering = 0;
  #isLost = false;
  #text = "";

  constructor(socket: Socket, facts: HostFacts, handlers: LinkHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.facts = facts;
    this.id = facts.id;
    this.name = facts.name;
    this.incarnation = facts.incarnation;
    this.lost = this.#end.signal;
    setMaxListeners(0, this.lost);
  }

  /** Begins to hear. */
  begin(): void {
    const socket = this.#socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("close", () => this.lose(new DmaBufError("ESRCH", `The connection to ${this.title} has ended`)));
    socket.on("end", () => this.lose(new DmaBufError("ESRCH", `${this.title} has hung up`)));
    socket.resume();
    if (socket.destroyed) this.lose(new DmaBufError("ESRCH", `The connection to ${this.title} has ended`));
  }

  /** For messages. */
  get title(): string {
    return `host ${JSON.stringify(this.name)}`;
  }

  async ask(
    service: string,
    body: JsonValue,
    { timeout = ASK_LIMIT, signal }: { readonly timeout?: number; readonly signal?: AbortSignal } = {},
  ): Promise<JsonValue> {
    signal?.throwIfAborted();
    this.#checkThere();
    const number = ++this.#lastQuestion;
    const answered = new Promise<JsonValue>((resolve, reject) => this.#questions.set(number, { resolve, reject }));
    const timer =
      timeout === Infinity
        ? undefined
        : setTimeout(() => {
            const what = `${this.title} has not answered (${service}) in ${timeout} ms`;
            this.#settle(number)?.reject(new DmaBufError("ETIMEDOUT", what));
          }, timeout);
    const abort = (): void => this.#settle(number)?.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#send({ ask: number, to: service, body });
      return await answered;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(number);
      signal?.removeEventListener("abort", abort);
    }
  }

  tell(service: string, body: JsonValue): void {
    if (!this.lost.aborted) this.#send({ tell: true, to: service, body });
  }

  async open(ticket: string, onread?: OnRead): Promise<Socket> {
    this.#checkThere();
    try {
      const { address, secret } = this.facts;
      const tls = secret === undefined ? undefined : hostTlsKey(secret);
      return await openData(address, ticket, tls, this.lost, onread);
    } catch (error) {
      this.#checkThere();
      throw error;
    }
  }

  /** Says that this host lives. */
  beat(): void {
    if (!this.lost.aborted) this.#write("{}\n");
  }

  /** Ends the link from this side, and says why. */
  leave(reason: DmaBufError): void {
    if (this.lost.aborted) return;
    this.#write(`${JSON.stringify({ bye: reason.toPlain() })}\n`);
    this.#socket.end();
    this.lose(reason, true);
  }

  /** link.3. @param isToldFirst Whether the other side is to get what was said until now. */
  lose(reason: DmaBufError, isToldFirst = false): void {
    if (this.#isLost) return;
    this.#isLost = true;
    // Those that hear of it find it gone.
    this.#handlers.lost(this);
    this.#end.abort(reason);
    if (isToldFirst) this.#socket.destroySoon();
    else this.#socket.destroy();
    for (const { reject } of this.#questions.values()) reject(reason);
    this.#questions.clear();
  }

  #checkThere(): void {
    if (this.lost.aborted) throw this.lost.reason;
  }

  /** @throws {DmaBufError} `EMSGSIZE`. @throws {TypeError} For what JSON cannot carry. */
  #send(message: Message): void {
    const line = `${JSON.stringify(message)}\n`;
    if (Buffer.byteLength(line) > LONGEST_LINE) {
      throw new DmaBufError(
        "EMSGSIZE",
        `Cannot say so much to ${this.title}: a message has at most ${LONGEST_LINE} bytes`,
      );
    }
    this.#write(line);
  }

  #write(line: string): void {
    this.#socket.write(line);
    if (this.#socket.writableLength <= MOST_UNSENT) return;
    this.lose(new DmaBufError("ESRCH", `${this.title} takes nothing of what is said to it`));
  }

  #read(text: string): void {
    // Whether this host has been silent for too long is looked at before anything is done.
    if (!this.#handlers.heard() || this.lost.aborted) return;
    this.lastHeard = performance.now();
    this.#text += text;
    for (let end = this.#text.indexOf("\n"); end >= 0 && !this.lost.aborted; end = this.#text.indexOf("\n")) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      if (!this.#take(line)) this.#loseFor(line);
    }
    if (this.#text.length > LONGEST_LINE) this.#loseFor(this.#text);
  }

  /** link.1. */
  #loseFor(line: string): void {
    this.lose(
      new DmaBufError("ESRCH", `${this.title} says what cannot be understood: "${printable(line.slice(0, 80))}"`),
    );
  }

  /** Whether the line could be understood. */
  #take(line: string): boolean {
    if (line.length > LONGEST_LINE) return false;
    let message: Partial<Record<keyof Message, unknown>>;
    try {
      message = JSON.parse(line) as typeof message;
    } catch {
      return false;
    }
    if (typeof message !== "object" || message === null || Array.isArray(message)) return false;
    const { ask, answer, tell, to, body = null, error, bye } = message;
    if (bye !== undefined) {
      this.lose(new DmaBufError("ESRCH", `${this.title} has left: ${remoteError("it", bye as Refusal).message}`));
    } else if (typeof answer === "number") {
      this.#hearAnswer(answer, body as JsonValue, error as Refusal | undefined);
    } else if (ask !== undefined || tell !== undefined) {
      if (typeof to !== "string") return false;
      if (tell === true) this.#handlers.hear(this, to, body as JsonValue);
      else if (typeof ask === "number") void this.#answer(ask, to, body as JsonValue);
      else return false;
    }
    return true;
  }

  #hearAnswer(number: number, body: JsonValue, error: Refusal | undefined): void {
    const question = this.#settle(number);
    if (typeof error === "object" && error !== null) question?.reject(remoteError(this.title, error));
    else question?.resolve(body);
  }

  #settle(number: number): Question | undefined {
    const question = this.#questions.get(number);
    this.#questions.delete(number);
    return question;
  }

  async #answer(number: number, service: string, body: JsonValue): Promise<void> {
    const answer: { answer: number; body?: JsonValue; error?: Refusal } = { answer: number };
    this.#answering++;
    try {
      // link.4
      if (this.#answering > MOST_QUESTIONS) throw new DmaBufError("EBUSY", "Too many questions wait for their answers");
      answer.body = await this.#handlers.answer(this, service, body);
      if (!this.lost.aborted) this.#send(answer);
    } catch (error) {
      const { code, message } = plainOf(error);
      if (!this.lost.aborted) this.#send({ answer: number, error: { code, message: message.slice(0, 1_000) } });
    } finally {
      this.#answering--;
    }
  }
}

/** An error of this host's own code, as another host is told it. */
function plainOf(error: unknown): { readonly code: string; readonly message: string } {
  return error instanceof DmaBufError ? error.toPlain() : { code: codeOf(error), message: textOf(error) };
}
