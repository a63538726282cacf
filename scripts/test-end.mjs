/**
 * `scripts/test.mjs` has this module in each file of tests: a file whose tests are over ends.
 *
 * A test that ran out of time may have left a thread, or a socket: they would keep the process alive until the runner kills
 * it, minutes later. A file that does not end by itself has failed, also if each of its tests has passed.
 */
import { after } from "node:test";
import process from "node:process";
import { setTimeout } from "node:timers";
import { isMainThread } from "node:worker_threads";

const LONGEST_END = Number(process.env["DMABUF_TEST_END"] ?? 60) * 1_000;

// Threads and processes that tests start have this module, too.
if (isMainThread && process.argv[1]?.endsWith(".test.js")) {
  after(() => {
    setTimeout(() => {
      const alive = process.getActiveResourcesInfo().join(", ");
      process.stderr.write(`All tests of this file are over, and it does not end: there are still ${alive}\n`);
      process.exit(1);
    }, LONGEST_END).unref();
  });
}
