/** Runs the cases for main.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { Fault, Job } from "./main.js";
import { SegmentFuzzer } from "./segment-fuzzer.js";

const { seed, first, cases, current } = workerData as Job;
const CASES_PER_TURN = 100;
const place = new Int32Array(current);
const fuzzer = new SegmentFuzzer(seed);
for (let index = first; index < first + cases; index++) {
  place[0] = index;
  const lines = fuzzer.run(index);
  // What has only weak references to it is kept until the thread returns to its event loop.
  if (index % CASES_PER_TURN === 0) await new Promise((turn) => setImmediate(turn));
  if (lines.length > 0) parentPort!.postMessage({ index, lines } satisfies Fault);
}
place[0] = first + cases;
