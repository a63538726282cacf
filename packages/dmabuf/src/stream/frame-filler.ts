import { countedCopyTo } from "../buffer/copies.js";
import type { CopyReason } from "../domain/copying.js";
import { codeOf, DmaBufError, type ErrorCode } from "../errors.js";
import { isLengthOf } from "./format.js";
import { endOf, type FrameStream } from "./frame-stream.js";
import type { Loan } from "./frame.js";

/**
 * Fills the frames of a stream with chunks of any size, one after the other.
 *
 * frame-filler.1. A frame is published as soon as it is full. Only the last one may be shorter, and only where frames of the
 *      format may have a length of their own.
 * frame-filler.2. What the chunks fail with, the stream fails with: its own code, what its name means, or `EIO`;
 *      `ECANCELED` if they just end too early.
 */
export interface FrameFiller {
  /** @throws {DmaBufError} `EPIPE` if the stream has ended; `ETIMEDOUT`, `EBADF`, `EPERM` as `FrameStream.loan()`. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * The chunks have ended: so does the stream.
   *
   * @throws {DmaBufError} `ENODATA` if the last frame is not full, and the format wants it to be.
   */
  finish(): Promise<void>;
  /** The chunks have failed. A wait for a loan ends. */
  fail(error: unknown): void;
}

/** @param why What the chunks are copied for. @param options `timeout`: milliseconds to wait for each loan. */
export function frameFiller(
  stream: FrameStream,
  why: CopyReason,
  { timeout }: { readonly timeout?: number },
): FrameFiller {
  const { name, format } = stream;
  let loan: Loan | undefined;
  /** Bytes of it. */
  let filled = 0;
  let hasFailed = false;

  const nextLoan = async (): Promise<Loan> => {
    const next = await stream.loan(timeout === undefined ? {} : { timeout });
    if (hasFailed) next?.close();
    if (!next || hasFailed) throw new DmaBufError("EPIPE", `Cannot write to stream "${name}": it has ended`);
    filled = 0;
    return next;
  };
  const publish = (full: Loan): void => {
    loan = undefined;
    try {
      full.publish({ length: filled });
    } finally {
      full.close();
    }
  };
  return {
    async write(chunk) {
      for (let taken = 0; taken < chunk.length;) {
        loan ??= await nextLoan();
        const rest = loan.bytes.subarray(filled);
        const part = chunk.subarray(taken, taken + rest.length);
        countedCopyTo(endOf(stream).agent, why, part, rest);
        taken += part.length;
        filled += part.length;
        if (part.length === rest.length) publish(loan);
      }
    },
    async finish() {
      if (loan) {
        if (!isLengthOf(format, filled)) {
          const missing = format.size - filled;
          const which = `${missing} of its ${format.size} bytes are missing`;
          throw new DmaBufError("ENODATA", `Cannot publish the last frame: ${which}`);
        }
        publish(loan);
      }
      if (!stream.isClosed) stream.end();
    },
    fail(error) {
      hasFailed = true;
      loan?.close();
      loan = undefined;
      if (stream.isProducer && !stream.isClosed) stream.fail(codeFor(error));
    },
  };
}

/** frame-filler.2. */
function codeFor(error: unknown): ErrorCode {
  return error === undefined || error === null ? "ECANCELED" : codeOf(error);
}
