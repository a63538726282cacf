import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as pause } from "node:timers/promises";
import { codeOf, DmaBufError, ERRNO } from "../../errors.js";
import { endConnection, letGo } from "../resources/let-go.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { sendMessage, setTakesDescriptors, waitingBytes } from "../system-calls/index.js";

/**
 * What two processes say through a stream socket: lines of JSON, with descriptors beside some of them.
 *
 * json-lines.1. Nothing that the other side sends is believed: a line has a length limit, is an object, and is checked
 *      field by field by the code that reads it.
 * json-lines.2. Descriptors come at the beginning only, and are read without Node.js, whose sockets drop them. Where
 *      none are expected none are taken (since Linux 6.16). What came unasked is released, which blocks no thread: see
 *      let-go.ts.
 * json-lines.3. So many lines may come before Node.js takes over: who sends more, or more descriptors than belong to a
 *      domain, has said what cannot be meant.
 * json-lines.4. An error with words of the other side says whose words these are.
 */

/** Bytes. */
export const LONGEST_LINE = 64 * 1024;

/** The largest domain has 2,047 descriptors, in nine messages. */
const MOST_HANDSHAKE_LINES = 16;
const MOST_HANDSHAKE_DESCRIPTORS = 2_047;

/** Milliseconds between two looks at the socket: joining is rare, and takes a few of them. */
const LOOK_AGAIN = 1;

/** @throws {DmaBufError} `EAGAIN` if the socket takes nothing; `EPIPE` or `ECONNRESET` if the other end is gone. */
export function sendLine(connection: number, fields: object, descriptors: readonly number[] = []): void {
  const bytes = Buffer.from(`${JSON.stringify(fields)}\n`);
  if (sendMessage(connection, bytes, descriptors) === bytes.length) return;
  throw new DmaBufError("EAGAIN", "Cannot say anything to the other process: its socket takes nothing");
}

/** Says what this side wants. A peer that has hung up may have said why: {@link HandshakeReader.next} tells. */
export function sendRequest(connection: number, request: object): void {
  try {
    sendLine(connection, request);
  } catch (error) {
    if (codeOf(error) !== "EPIPE" && codeOf(error) !== "ECONNRESET") throw error;
  }
}

/** @throws {DmaBufError} `EPROTO` if this is no object in JSON. */
export function parseLine(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // As below.
  }
  throw new DmaBufError("EPROTO", `Cannot understand "${printable(text.slice(0, 80))}"`);
}

/** How long something is waited for. */
export interface WaitLimits {
  /** When to give up, by `performance.now()`. */
  readonly end: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reads the lines that come before Node.js takes over the socket, and their descriptors. */
export class HandshakeReader {
  readonly #connection: number;
  readonly #where: string;
  readonly #bytes = Buffer.alloc(LONGEST_LINE);
  readonly #decoder = new StringDecoder("utf8");
  #text = "";
  /** Bytes. */
  #received = 0;
  #lines = 0;
  readonly #ledger: ResourceLedger;
  #descriptors: LedgerEntry[] = [];

  /**
   * @param where Where the connection goes, for errors.
   * @param ledger In which the descriptors are.
   */
  constructor(connection: number, where: string, ledger: ResourceLedger) {
    this.#connection = connection;
    this.#where = where;
    this.#ledger = ledger;
  }

  /**
   * The next line.
   *
   * @throws {DmaBufError} `ETIMEDOUT`; `ECONNRESET` if the other side hangs up; `EPROTO` if it sends no such thing;
   *   what it refuses with.
   */
  async next(limits: WaitLimits): Promise<object> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = parseLine(this.#text.slice(0, end)) as Refusal;
        this.#text = this.#text.slice(end + 1);
        if (++this.#lines > MOST_HANDSHAKE_LINES) throw new DmaBufError("EPROTO", `${this.#where} says too much`);
        if (line.code !== undefined) throw remoteError(this.#where, line);
        return line;
      }
      if (this.#text.length > LONGEST_LINE) throw new DmaBufError("EPROTO", `${this.#where} has sent too long a line`);
      limits.signal?.throwIfAborted();
      if (this.#receive()) continue;
      if (performance.now() > limits.end) throw new DmaBufError("ETIMEDOUT", `${this.#where} does not answer`);
      await pause(LOOK_AGAIN);
    }
  }

  /** What has come with the lines. They belong to the caller now. */
  takeDescriptors(): LedgerEntry[] {
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    return descriptors;
  }

  /**
   * From here on Node.js reads from the socket, and no more descriptors are taken.
   *
   * @returns What has come behind the last line.
   */
  handOver(): string {
    setTakesDescriptors(this.#connection, false);
    // Node.js would drop them in its event loop.
    for (let left = waitingBytes(this.#connection); left > 0;) {
      const before = this.#received;
      if (!this.#receive()) break;
      left -= this.#received - before;
    }
    this.close();
    return this.#text;
  }

  /** Releases what was not taken. */
  close(): void {
    letGo(...this.takeDescriptors().map((entry) => this.#ledger.handOver(entry)));
  }

  #receive(): boolean {
    const message = this.#ledger.receive(this.#connection, this.#bytes);
    if (message === undefined) return false;
    this.#descriptors.push(...message.files);
    if (this.#descriptors.length > MOST_HANDSHAKE_DESCRIPTORS) {
      throw new DmaBufError("EPROTO", `${this.#where} has sent more descriptors than any domain has`);
    }
    if (message.length === 0) throw new DmaBufError("ECONNRESET", `${this.#where} has hung up`);
    this.#received += message.length;
    this.#text += this.#decoder.write(this.#bytes.subarray(0, message.length));
    return true;
  }
}

/** Says why not: {@link HandshakeReader.next} throws it on the other side. */
export function refuse(connection: number, error: DmaBufError): void {
  try {
    sendLine(connection, error.toPlain());
  } catch {
    // A peer that is gone needs no answer.
  }
}

export interface Refusal {
  readonly code?: unknown;
  readonly message?: unknown;
}

/** The error that another process has sent. @param who Whose words these are: it comes before them (json-lines.4). */
export function remoteError(who: string, { code, message }: Refusal): DmaBufError {
  const isKnown = typeof code === "string" && Object.hasOwn(ERRNO, code);
  const unknown = isKnown ? "" : `, with the unknown code "${printable(code)}"`;
  return new DmaBufError(codeOf({ code }), `${who} says${unknown}: ${printable(message)}`);
}

/**
 * What the other side has sent, for a message: short, on one line, and without an object's own functions. Nothing in it
 * changes how a terminal shows the rest: no control characters, and none that turn the direction or are not seen.
 */
export function printable(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  const plain = text.slice(0, LONGEST_PRINTED).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
  return text.length > LONGEST_PRINTED ? `${plain}…` : plain;
}

const LONGEST_PRINTED = 500;

/** Calls back with each line that a socket receives; a peer that sends anything else loses its connection. */
export function onLines(connection: Socket, heard: (line: object) => void, first = ""): void {
  let text = first;
  const look = (): void => {
    for (let end = text.indexOf("\n"); end >= 0 && !connection.destroyed; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      try {
        heard(parseLine(line));
      } catch {
        endConnection(connection);
      }
    }
    if (text.length > LONGEST_LINE) endConnection(connection);
  };
  connection.setEncoding("utf8");
  connection.on("data", (some: string) => {
    text += some;
    look();
  });
  connection.on("error", () => endConnection(connection));
  connection.unref().resume();
  look();
}
