import type { CopyLog, CopyReason } from "../domain/copying.js";

/** Every copy that the library makes of a buffer's bytes goes through here, so that it can be counted. */

let bytes = 0;

/**
 * Bytes of buffers that the library has copied in this thread, all on the user's request.
 *
 * @example
 * ```ts
 * import { copiedBytes, Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4096) });
 * using consumer = stream.frames();
 * using loan = await stream.loan();
 * loan?.publish();
 * using frame = await consumer.next();
 * console.log(copiedBytes()); // 0
 * const copy = frame?.copy();
 * console.log(copiedBytes(), copy?.length); // 4096 4096
 * ```
 */
export function copiedBytes(): number {
  return bytes;
}

/** An agent that copies; its domain may have an account of that. */
export interface Copier {
  readonly copies: CopyLog | undefined;
}

/** A copy in memory of its own, for interfaces that refuse shared memory. @param copier None if the bytes are of no domain here. */
export function countedCopy(copier: Copier | undefined, why: CopyReason, source: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(source.length);
  countedCopyTo(copier, why, source, copy);
  return copy;
}

/** A copy to other memory of at least the same length. */
export function countedCopyTo(
  copier: Copier | undefined,
  why: CopyReason,
  source: Uint8Array,
  target: Uint8Array,
): void {
  target.set(source);
  countCopy(copier, why, source.length);
}

/** A copy that the surroundings have made for the library, as a browser does from or to a `VideoFrame`. */
export function countCopy(copier: Copier | undefined, why: CopyReason, length: number): void {
  bytes += length;
  copier?.copies?.add(why, length);
}
