import { countedCopyTo } from "../buffer/copies.js";
import type { CopyReason } from "../domain/copying.js";
import { DmaBufError, ERRNO, type ErrorCode } from "../errors.js";
import { isLengthOf } from "./format.js";
import { endOf, type FrameStream } from "./frame-stream.js";
import type { Loan } from "./frame.js";

/**
 * Fills the frames of a stream with chunks of any size, one after the other.
 *
 * frame-filler.1. A frame is published as soon as it is full. Only the last one may be shorter, and only where frames of the
 *      format may have a length of their own.
 * frame-filler.2. What the chunks fail with, the stream fails with: its own code, or `EIO`; `ECANCELED` if they just
 *      end too early.
 */
export class FrameFiller {
  readonly #stream: FrameStream;
  readonly #why: CopyReason;
  readonly #timeout: number | undefined;
  #loan: Loan | undefined;
  /** Bytes of it. */
  #filled = 0;
  #hasFailed = false;

  /** @param why What the chunks are copied for. @param timeout Milliseconds to wait for each loan. */
  constructor(stream: FrameStream, why: CopyReason, timeout: number | undefined) {
    this.#stream = stream;
    this.#why = why;
    this.#timeout = timeout;
  }

  /** @throws {DmaBufError} `EPIPE` if the stream has ended; `ETIMEDOUT`, `EBADF`, `EPERM` as `FrameStream.loan()`. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length;) {
      this.#loan ??= await this.#next();
      const { bytes } = this.#loan;
      const part = chunk.subarray(taken, taken + bytes.length - this.#filled);
      countedCopyTo(endOf(this.#stream).agent, this.#why, part, bytes.subarray(this.#filled));
      taken += part.length;
      this.#filled += part.length;
      if (this.#filled === bytes.length) this.#publish();
    }
  }

  /**
   * The chunks have ended: so does the stream.
   *
   * @throws {DmaBufError} `ENODATA` if the last frame is not full, and the format wants it to be.
   */
  async finish(): Promise<void> {
    if (this.#loan !== undefined) {
      const { format } = this.#stream;
      const missing = format.size - this.#filled;
      if (!isLengthOf(format, this.#filled))
        throw new DmaBufError(
          "ENODATA",
          `Cannot publish the last frame: ${missing} of its ${format.size} bytes are missing`,
        );
      this.#publish();
    }
    if (!this.#stream.isClosed) this.#stream.end();
  }

  /** The chunks have failed. A wait for a loan ends. */
  fail(error: unknown): void {
    this.#hasFailed = true;
    this.#loan?.close();
    this.#loan = undefined;
    if (this.#stream.isProducer && !this.#stream.isClosed) this.#stream.fail(codeFor(error));
  }

  async #next(): Promise<Loan> {
    const { name } = this.#stream;
    const loan = await this.#stream.loan(this.#timeout === undefined ? {} : { timeout: this.#timeout });
    if (this.#hasFailed) loan?.close();
    if (loan === undefined || this.#hasFailed)
      throw new DmaBufError("EPIPE", `Cannot write to stream "${name}": it has ended`);
    this.#filled = 0;
    return loan;
  }

  #publish(): void {
    const loan = this.#loan!;
    this.#loan = undefined;
    try {
      loan.publish({ length: this.#filled });
    } finally {
      loan.close();
    }
  }
}

/** frame-filler.2. */
function codeFor(error: unknown): ErrorCode {
  if (error === undefined || error === null) return "ECANCELED";
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code === "string" && Object.hasOwn(ERRNO, code)) return code as ErrorCode;
  return name === "AbortError" ? "ECANCELED" : "EIO";
}
