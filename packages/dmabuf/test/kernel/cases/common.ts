import { test } from "node:test";
import { BUFFER_CASES } from "./buffers.js";
import { SYNC_FILE_CASES } from "./sync-files.js";
import { SYNCOBJ_CASES } from "./syncobjs.js";
import type { CommonCase, World } from "./world.js";

/** The cases that are said once and hold for the library and for the kernel. */
const COMMON_CASES: readonly CommonCase[] = [...SYNC_FILE_CASES, ...BUFFER_CASES, ...SYNCOBJ_CASES];

const TIMEOUT_MS = 20_000;

/** A test of each case. */
export function testCommonCases(open: () => World): void {
  for (const { id, fact, run } of COMMON_CASES) {
    test(`${id} ${fact}`, { timeout: TIMEOUT_MS }, async () => {
      const world = open();
      try {
        await run(world);
      } finally {
        world.close();
      }
    });
  }
}
