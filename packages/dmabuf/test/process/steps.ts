/** Counts to 4 in memory and on standard output, and sends itself a signal, or blocks, before the third count. */
import { writeSync } from "node:fs";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { SteppedSubstrate } from "../../src/testing/index.js";

const memory = createSharedSubstrate((workerData as SharedArrayBuffer | null) ?? new SharedArrayBuffer(8));
const stepped = new SteppedSubstrate(memory);
const signal = process.argv[2] as NodeJS.Signals | undefined;
stepped.begin({
  at: 3,
  happen() {
    if (signal !== undefined) process.kill(process.pid, signal);
    else {
      parentPort!.postMessage("blocks");
      memory.park(1, 0, Infinity);
    }
  },
});
for (let count = 1; count <= 4; count++) {
  stepped.add(0, 1);
  if (signal !== undefined) writeSync(1, `${count}\n`);
}
