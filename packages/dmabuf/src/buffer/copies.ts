/** Every copy that the library makes of a buffer's bytes goes through here, so that it can be counted. */

let bytes = 0;

/** Bytes of buffers that the library has copied in this thread, all on the user's request. */
export function copiedBytes(): number {
  return bytes;
}

/** A copy in memory of its own, for interfaces that refuse shared memory. */
export function countedCopy(source: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(source.length);
  copy.set(source);
  bytes += source.length;
  return copy;
}

/** A copy to other memory of at least the same length. */
export function countedCopyTo(source: Uint8Array, target: Uint8Array): void {
  target.set(source);
  bytes += source.length;
}
