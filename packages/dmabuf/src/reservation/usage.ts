import { check, oneOf } from "../arguments.js";
import { USAGE_LEVEL } from "../domain/layout.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";

/**
 * What a fence means for others that use the buffer, strongest first. A query at one level sees the fences of that
 * level and of all stronger ones.
 *
 * - `kernel`: memory management (moves, clears); all agents wait before touching the memory.
 * - `write`: writers that take part in implicit synchronization.
 * - `read`: readers that take part in it.
 * - `bookkeep`: work that no agent waits for implicitly.
 *
 * @see linux/include/linux/dma-resv.h
 */
export type Usage = "kernel" | "write" | "read" | "bookkeep";

export const USAGES: readonly Usage[] = ["kernel", "write", "read", "bookkeep"];

const USAGE = /* @__PURE__ */ oneOf(USAGES);

/** What an argument `usage` must be. */
export function checkUsage(call: string, usage: Usage): void {
  if (usageLevel(usage) < 0) check(call, "usage", usage, USAGE);
}

/** The place of a usage in {@link USAGES}: 0 for `kernel` to 3 for `bookkeep`, -1 for what is none. */
export function usageLevel(usage: Usage): number {
  switch (usage) {
    case "kernel":
      return USAGE_LEVEL.KERNEL;
    case "write":
      return USAGE_LEVEL.WRITE;
    case "read":
      return USAGE_LEVEL.READ;
    case "bookkeep":
      return USAGE_LEVEL.BOOKKEEP;
    default:
      return -1;
  }
}

/** What an access uses the buffer for. */
export type AccessMode = "read" | "write";

/**
 * Which fences a new access must wait for: a writer for all readers and writers, a reader for the writers.
 *
 * @example
 * ```ts
 * import { Domain, usageFor } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * console.log(usageFor("write")); // "read": a writer waits for readers, and for all that is stronger
 * console.log(buffer.reservation.getFences(usageFor("write"))); // []
 * ```
 */
export function usageFor(access: AccessMode): Usage {
  checkAccessMode("usageFor()", access, "access");
  return access === "write" ? "read" : "write";
}

const ACCESS_MODE = /* @__PURE__ */ oneOf(["read", "write"]);

/** @param argument What it is called there. */
export function checkAccessMode(call: string, access: AccessMode, argument = "mode"): void {
  if (access !== "read" && access !== "write") check(call, argument, access, ACCESS_MODE);
}

/** Looks at a mode and the options of the wait that an access may need. */
export function checkAccess(call: string, mode: AccessMode, options: WaitOptions): void {
  checkAccessMode(call, mode);
  checkWait(call, options);
}

/** The same for one that blocks. */
export function checkAccessSync(call: string, mode: AccessMode, options: Pick<WaitOptions, "timeout">): void {
  checkAccessMode(call, mode);
  checkWaitSync(call, options);
}
