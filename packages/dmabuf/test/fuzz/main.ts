/**
 * `npm run fuzz`: damages control segments, and lets a newcomer read each. The cases run in a worker, so that one which
 * hangs or takes too much memory is known by its number.
 */
import { Command } from "commander";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { wholeNumber } from "../command-line.js";
import { SegmentFuzzer } from "./segment-fuzzer.js";

export interface Job {
  readonly seed: number;
  readonly first: number;
  readonly cases: number;
  /** One word: the number of the case that runs. */
  readonly current: SharedArrayBuffer;
}

export interface Fault {
  readonly index: number;
  readonly lines: readonly string[];
}

const LONGEST_CASE_MS = 60_000;
const PROGRESS_MS = 1_000;
const MEMORY_MB = 256;

const program = new Command("fuzz")
  .description("Damages control segments at random, and lets a newcomer to the domain read each.")
  .option("--cases <count>", "how many segments", wholeNumber, 100_000)
  .option("--seed <number>", "repeats the same cases", wholeNumber, 1)
  .option("--case <number>", "runs this case alone")
  .parse();
const options = program.opts<{ cases: number; seed: number; case?: string }>();

if (options.case === undefined) await runAll(options.seed, options.cases);
else report([{ index: Number(options.case), lines: new SegmentFuzzer(options.seed).run(Number(options.case)) }]);

async function runAll(seed: number, cases: number): Promise<void> {
  const current = new SharedArrayBuffer(4);
  const place = new Int32Array(current);
  const worker = new Worker(new URL("./fuzz-worker.js", import.meta.url), {
    workerData: { seed, first: 0, cases, current } satisfies Job,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  });
  const faults: Fault[] = [];
  const begun = Date.now();
  let [last, lastChange] = [-1, begun];
  const timer = setInterval(() => {
    const [now, index] = [Date.now(), place[0]!];
    if (index !== last) [last, lastChange] = [index, now];
    const seconds = (now - begun) / 1000;
    process.stderr.write(
      `\r${index} of ${cases} cases, ${Math.round(index / seconds)} a second, ${faults.length} faults `,
    );
    if (now - lastChange > LONGEST_CASE_MS) {
      faults.push({ index, lines: [`It has not ended after ${LONGEST_CASE_MS / 1000} s`] });
      void worker.terminate();
    }
  }, PROGRESS_MS);
  worker.on("message", (fault: Fault) => faults.push(fault));
  worker.on("error", (error) => faults.push({ index: place[0]!, lines: [String(error)] }));
  await new Promise((ended) => worker.once("exit", ended));
  clearInterval(timer);
  process.stderr.write("\n");
  report(faults);
  console.log(`${place[0]} of ${cases} cases with seed ${seed}: ${faults.length} faults`);
}

function report(faults: readonly Fault[]): void {
  for (const { index, lines } of faults) for (const line of lines) console.log(`case ${index}: ${line}`);
  if (faults.some(({ lines }) => lines.length > 0)) process.exitCode = 1;
}
