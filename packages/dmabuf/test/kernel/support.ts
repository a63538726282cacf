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

/** A wait that can be asked whether it is over. */
export interface Until<T> {
  readonly result: Promise<T>;
  readonly isOver: boolean;
}

export function until<T>(waiting: Promise<T>): Until<T> {
  const state = { isOver: false, result: waiting.finally(() => (state.isOver = true)) };
  return state;
}
