import { StringDecoder } from "node:string_decoder";
import { DmaBufError } from "../../errors.js";
import { letGo, letGoConnection } from "../resources/let-go.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { POLL } from "../system-calls/index.js";
import { watchDescriptor } from "../waiting/poller.js";
import { LONGEST_LINE, parseLine, sendLine } from "./json-lines.js";

/** What hears a connection. It does not fail with anything but `EPROTO`, or what else ends the connection. */
export interface LineHandlers {
  heard(line: object): void;
  /** The connection has ended, once. */
  ended(error: DmaBufError): void;
}

const RECEIVED_BYTES = 4096;

/**
 * A connection whose lines bring descriptors at any time. Node.js would drop these, so the kernel is asked by the poller,
 * and read here.
 *
 * descriptor-lines.1. A descriptor comes with the first byte of its line, and one read may bring the lines before that, too: so
 *      the line that needs it takes it. A second one before that ends the connection, and both are released.
 * descriptor-lines.2. It keeps no process alive; a wait at it does.
 */
export class DescriptorLines {
  readonly #connection: LedgerEntry;
  readonly #where: string;
  readonly #ledger: ResourceLedger;
  readonly #handlers: LineHandlers;
  readonly #bytes = Buffer.alloc(RECEIVED_BYTES);
  readonly #decoder = new StringDecoder("utf8");
  readonly #endWatch: () => void;
  #text = "";
  #file: LedgerEntry | undefined;
  #isOver = false;

  /**
   * @param connection It is this object's from now on, also if this throws.
   * @param where Where it goes, for errors.
   */
  constructor(connection: LedgerEntry, where: string, ledger: ResourceLedger, handlers: LineHandlers) {
    this.#connection = connection;
    this.#where = where;
    this.#ledger = ledger;
    this.#handlers = handlers;
    try {
      this.#endWatch = watchDescriptor(ledger.descriptorOf(connection), POLL.READABLE, () => this.#receive());
    } catch (error) {
      letGoConnection(ledger.handOver(connection));
      throw error;
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws {DmaBufError} `EPIPE` or `ECONNRESET` if the other side is gone; `EAGAIN` if it does not read. */
  say(line: object): void {
    if (this.#isOver) throw new DmaBufError("EPIPE", `Cannot say anything to ${this.#where}: the connection has ended`);
    sendLine(this.#ledger.descriptorOf(this.#connection), line);
  }

  /** The descriptor that has come, for the line that is heard. It is the caller's now. */
  takeFile(): LedgerEntry | undefined {
    const file = this.#file;
    this.#file = undefined;
    return file;
  }

  /** Ends the connection. Twice does nothing. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endWatch();
    const file = this.takeFile();
    if (file !== undefined) letGo(this.#ledger.handOver(file));
    letGoConnection(this.#ledger.handOver(this.#connection));
  }

  #receive(): void {
    try {
      while (!this.#isOver && this.#take()) this.#look();
    } catch (error) {
      const isOver = this.#isOver;
      this.close();
      if (!isOver) this.#handlers.ended(error instanceof DmaBufError ? error : new DmaBufError("EIO", String(error)));
    }
  }

  /** @returns False if nothing is there now. */
  #take(): boolean {
    const message = this.#ledger.receive(this.#ledger.descriptorOf(this.#connection), this.#bytes);
    if (message === undefined) return false;
    const [file, ...others] = message.files;
    const isTooMany = others.length > 0 || (file !== undefined && this.#file !== undefined);
    if (isTooMany) {
      letGo(...message.files.map((entry) => this.#ledger.handOver(entry)));
      throw this.#wrong("more descriptors than belong to a line");
    }
    this.#file ??= file;
    if (message.length === 0) throw new DmaBufError("ECONNRESET", `${this.#where} has hung up`);
    this.#text += this.#decoder.write(this.#bytes.subarray(0, message.length));
    return true;
  }

  #look(): void {
    for (let end = this.#text.indexOf("\n"); end >= 0 && !this.#isOver; end = this.#text.indexOf("\n")) {
      const line = parseLine(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 1);
      this.#handlers.heard(line);
    }
    if (this.#text.length > LONGEST_LINE) throw this.#wrong("too long a line");
  }

  #wrong(what: string): DmaBufError {
    return new DmaBufError("EPROTO", `${this.#where} has sent ${what}`);
  }
}
