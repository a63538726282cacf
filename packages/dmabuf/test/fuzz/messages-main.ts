/**
 * `npm run fuzz:messages`: sends damaged messages to honest members of a domain. The cases run in this thread, which a
 * watchdog in another one ends if it hangs.
 */
import { Command } from "commander";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { wholeNumber } from "../command-line.js";
import { CASES_PER_LOOK, MessageFuzzer } from "./message-fuzzer.js";

const LONGEST_CASE_MS = 60_000;
const PROGRESS_MS = 1_000;
const MOST_FAULTS = 20;

const options = new Command("fuzz:messages")
  .description("Sends damaged messages, handles and descriptors to honest members of a domain and to viewers.")
  .option("--cases <count>", "how many messages", wholeNumber, 100_000)
  .option("--seed <number>", "repeats the same cases", wholeNumber, 1)
  .parse()
  .opts<{ cases: number; seed: number }>();

const place = new Int32Array(new SharedArrayBuffer(4));
const watchdog = startWatchdog();
// Each refusal warns: a hundred thousand of them help no reader.
process.removeAllListeners("warning");
process.on("uncaughtException", (error) => {
  console.log(`case ${place[0]}: uncaught ${error.stack}`);
  process.exit(1);
});

const begun = Date.now();
let faults = 0;
let shownAt = 0;
const fuzzer = await MessageFuzzer.create(options.seed);
for (let index = 0; index < options.cases && faults < MOST_FAULTS; index++) {
  place[0] = index;
  report(index, await fuzzer.run(index));
  if (index % CASES_PER_LOOK === CASES_PER_LOOK - 1) {
    report(
      index,
      await fuzzer.look().then(
        () => undefined,
        (error: unknown) => `the honest ones are harmed: ${String(error)}`,
      ),
    );
  }
  if (Date.now() - shownAt < PROGRESS_MS) continue;
  shownAt = Date.now();
  const rate = Math.round((1000 * index) / (shownAt - begun));
  process.stderr.write(`\r${index} of ${options.cases} cases, ${rate} a second, ${faults} faults `);
}
fuzzer.close();
await watchdog.terminate();
process.stderr.write("\n");
console.log(`${place[0]! + 1} of ${options.cases} cases with seed ${options.seed}: ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;

function report(index: number, fault: string | undefined): void {
  if (fault === undefined) return;
  faults++;
  console.log(`case ${index}: ${fault}`);
}

function startWatchdog(): Worker {
  const code = `
    const { workerData: { place, limit } } = require("node:worker_threads");
    let last = -1, since = Date.now();
    setInterval(() => {
      if (place[0] !== last) [last, since] = [place[0], Date.now()];
      if (Date.now() - since < limit) return;
      require("node:fs").writeSync(1, "case " + last + ": it has not ended after " + limit + " ms\\n");
      process.kill(process.pid, "SIGKILL");
    }, 1000);`;
  const worker = new Worker(code, { eval: true, workerData: { place, limit: LONGEST_CASE_MS } });
  worker.unref();
  return worker;
}
