import type { Socket } from "node:net";
import { isObject } from "../../arguments.js";
import { codeOf, DmaBufError, ERRNO, textOf, type ErrorCode } from "../../errors.js";
import type { StreamBuffer } from "../../buffer/stream-buffer.js";
import { bufferUnder, type PublishOptions } from "../../stream/frame.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import { printable } from "../connecting/json-lines.js";
import { endConnection } from "../resources/let-go.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { LentMemory } from "./lent-memory.js";
import type { LentBlank, LentPlaces } from "./lent-places.js";
import { endWith, sayOrEnd } from "./session-lines.js";

export interface SessionParts {
  /** Of the contributor, for people. */
  readonly name: string;
  readonly stream: FrameStream;
  readonly buffers: readonly StreamBuffer[];
  readonly ledger: ResourceLedger;
  readonly places: LentPlaces;
  /** The contributor has ended; with a code, if it has not ended well. */
  readonly ended: (code: ErrorCode | undefined) => void;
}

/** One contributor. */
export class ContributorSession {
  readonly #connection: Socket;
  readonly #parts: SessionParts;
  readonly #gone = new AbortController();
  #blank: LentBlank | undefined;
  /** It has asked for a blank, and has none yet. */
  #isAsking = false;
  /** Ends its wait for a place. */
  #forget = (): void => {};
  #hasEnded = false;

  constructor(connection: Socket, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  /** @throws {DmaBufError} `EPROTO` for what cannot be meant; `EBUSY` if the contributor can still write to what it gives back. */
  hear(line: object): void {
    if (this.#hasEnded) throw wrong("after its end");
    const { loan, publish, drop, end, fail } = line as Readonly<Record<string, unknown>>;
    if (loan === true) this.#ask();
    else if (isObject(publish)) this.#publish(publish);
    else if (drop === true) this.#drop();
    else if (end === true) this.#end(undefined);
    else if (isObject(fail)) this.#end(codeIn(fail));
    else throw wrong(`: ${printable(line)}`);
  }

  /** The connection has ended. */
  end(): void {
    this.#forget();
    this.#gone.abort();
    this.#return();
    if (!this.#hasEnded) this.#parts.ended("ESRCH");
    this.#hasEnded = true;
  }

  #ask(): void {
    if (this.#isAsking || this.#blank !== undefined) throw wrong(": it has a blank already, or has asked for one");
    this.#isAsking = true;
    const { places } = this.#parts;
    this.#forget = places.take(() => void this.#lend());
  }

  /** Takes a loan, and lends its memory. Its place is taken. */
  async #lend(): Promise<void> {
    const { stream, places } = this.#parts;
    try {
      const loan = await stream.loan({ signal: this.#gone.signal, unref: true });
      this.#isAsking = false;
      if (loan === undefined) {
        places.giveBack();
        return sayOrEnd(this.#connection, { end: true });
      }
      this.#lent(loan);
    } catch (error) {
      this.#isAsking = false;
      // What was lent comes back with the end of the connection.
      if (this.#blank === undefined) places.giveBack();
      if (!this.#gone.signal.aborted) endWith(this.#connection, asDmaBufError(error));
    }
  }

  #lent(loan: LentBlank["loan"]): void {
    const { buffers, ledger, name } = this.#parts;
    try {
      const buffer = bufferUnder(loan)!;
      const memory = new LentMemory(buffer.storage);
      memory.lend(ledger, (descriptor) => {
        this.#blank = { loan, memory, name };
        sayOrEnd(this.#connection, { blank: buffers.indexOf(buffer) }, [descriptor]);
      });
      if (this.#connection.destroyed) this.#return();
    } catch (error) {
      if (this.#blank === undefined) loan.close();
      throw error;
    }
  }

  #publish(options: object): void {
    const blank = this.#takeBack();
    const { places } = this.#parts;
    try {
      const sequence = blank.loan.publish(travelling(options));
      places.giveBack();
      sayOrEnd(this.#connection, { published: sequence });
    } catch (error) {
      blank.loan.close();
      places.giveBack();
      sayOrEnd(this.#connection, { refused: asDmaBufError(error).toPlain() });
    }
  }

  #drop(): void {
    this.#takeBack().loan.close();
    this.#parts.places.giveBack();
    sayOrEnd(this.#connection, { dropped: true });
  }

  /** @throws {DmaBufError} `EBUSY` if the contributor can still write to it: it is returned when it cannot (contributor-server.2). */
  #takeBack(): LentBlank {
    const blank = this.#blank;
    if (blank === undefined) throw wrong(": it has no blank");
    if (!blank.memory.isBack()) {
      this.#return();
      throw new DmaBufError(
        "EBUSY",
        "Cannot take the frame back: it can still be written to; unmap and close it first",
      );
    }
    this.#blank = undefined;
    return blank;
  }

  #return(): void {
    const blank = this.#blank;
    this.#blank = undefined;
    if (blank !== undefined) this.#parts.places.returnUnpublished(blank);
  }

  #end(code: ErrorCode | undefined): void {
    this.#hasEnded = true;
    this.#forget();
    this.#return();
    this.#parts.ended(code);
    endConnection(this.#connection);
  }
}

function wrong(what: string): DmaBufError {
  return new DmaBufError("EPROTO", `Cannot do what a contributor has said${what}`);
}

/** What a contributor may say of a frame: its number is the stream's own. */
function travelling(words: PublishOptions): PublishOptions {
  const { timestamp, data, length, picture } = words;
  // What is not there is no option; what is wrong is refused as a producer's.
  const all = { timestamp, data, length, picture };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A code that is not known is `EIO`. */
function codeIn({ code }: { readonly code?: unknown }): ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRNO, code) ? (code as ErrorCode) : "EIO";
}

/** Wrong metadata are a mistake of the contributor's program: there the library throws a `TypeError` or a `RangeError`. */
function asDmaBufError(error: unknown): DmaBufError {
  if (error instanceof DmaBufError) return error;
  const isMistake = error instanceof TypeError || error instanceof RangeError;
  return new DmaBufError(isMistake ? "EINVAL" : codeOf(error), isMistake ? error.message : textOf(error));
}
