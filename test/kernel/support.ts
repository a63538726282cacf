import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { DmaBufError, type ErrorCode } from "../../src/index.js";

export function isDmaBufError(error: unknown, code: ErrorCode): boolean {
  return error instanceof DmaBufError && error.code === code;
}

/** Fails unless `run` throws a `DmaBufError` with this code. */
export function fails(code: ErrorCode, run: () => unknown): void {
  assert.throws(run, { name: "DmaBufError", code });
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
