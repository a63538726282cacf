import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { rawFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { giveBack, publish } from "./marked-frames.js";
import { parameters, report, sample, SPIN_MS, type Plan } from "./sampling.js";

/** One process publishes as fast as it can, and each frame goes to every consumer, a process each. None is lost. */
export interface ProcessThroughputParameters {
  readonly plan: Plan;
  /** `usual` is what the library does if it is told nothing. */
  readonly wait: "spin" | "usual" | "park";
  readonly bytes: number;
  /** How many frames can be on their way. */
  readonly buffers: number;
  /** The processors of the consumers, if they are to be pinned; otherwise `undefined` for each. */
  readonly consumers: readonly (number | null)[];
}

const given = parameters<ProcessThroughputParameters>();
const { plan, wait, bytes, buffers, consumers } = given;
const options = wait === "usual" ? {} : { spin: SPIN_MS[wait] };
const place = process.argv[3];
if (place === undefined) await produce();
else await consume(place);

async function produce(): Promise<void> {
  const where = `@dmabuf-bench-${process.pid}`;
  using domain = ProcessDomain.listen(where, options);
  using stream = domain.createStream({ name: "frames", format: rawFormat(bytes), buffers, dataBytes: 0 });
  const ends = consumers.map((cpu) => start(cpu, where));
  await stream.waitForConsumers(consumers.length);
  const figures = sample(plan, (first, count) => {
    for (let i = first; i < first + count; i++) publish(stream.loanSync(), i);
  });
  stream.end();
  for (const [status] of await Promise.all(ends)) {
    if (status !== 0) throw new Error(`A consumer has ended with status ${status ?? "none"}`);
  }
  report(figures);
}

function start(cpu: number | null, where: string): Promise<[number | null]> {
  const command = [process.execPath, fileURLToPath(import.meta.url), process.argv[2]!, where];
  const [program, ...rest] = cpu === null ? command : ["taskset", "-c", String(cpu), ...command];
  return once(spawn(program!, rest, { stdio: ["ignore", "inherit", "inherit"] }), "exit") as Promise<[number | null]>;
}

async function consume(where: string): Promise<void> {
  using domain = await ProcessDomain.connect(where, options);
  using stream = await domain.findStream("frames");
  using frames = stream.frames();
  let number = 0;
  for (let frame = frames.nextSync(); frame !== undefined; frame = frames.nextSync()) giveBack(frame, number++);
}
