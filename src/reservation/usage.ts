/**
 * What a fence means for others that use the buffer, strongest first. A query at one level sees the fences of that
 * level and of all stronger ones.
 *
 * - `kernel`: memory management (moves, clears); everybody waits before touching the memory.
 * - `write`: writers that take part in implicit synchronization.
 * - `read`: readers that take part in it.
 * - `bookkeep`: work that nobody waits for implicitly.
 *
 * @see linux/include/linux/dma-resv.h
 */
export type Usage = "kernel" | "write" | "read" | "bookkeep";

export const USAGES: readonly Usage[] = ["kernel", "write", "read", "bookkeep"];

/** The number of a usage: 0 for `kernel` to 3 for `bookkeep`. */
export function usageLevel(usage: Usage): number {
  const level = USAGES.indexOf(usage);
  if (level < 0) throw new TypeError(`A usage is one of ${USAGES.join(", ")}, not ${String(usage)}`);
  return level;
}

/** What an access uses the buffer for. */
export type AccessMode = "read" | "write";

/** Which fences a new access must wait for: a writer for all readers and writers, a reader for the writers. */
export function usageFor(access: AccessMode): Usage {
  checkAccessMode(access);
  return access === "write" ? "read" : "write";
}

export function checkAccessMode(access: AccessMode): void {
  if (access === "read" || access === "write") return;
  throw new TypeError(`An access is "read" or "write", not ${String(access)}`);
}
