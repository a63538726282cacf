import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import type { Figures } from "../figures.js";
import { giveBack, publish } from "./marked-frames.js";
import { parameters, report, sampleAsync, type Plan } from "./sampling.js";

/** A frame from this process to one of Python, and one of the same size back. Both sides mark and check the first and last byte. */
export interface PythonParameters {
  readonly plan: Plan;
  readonly way: "visitors" | "pipe" | "shared-memory" | "zeromq";
  /** Python's. */
  readonly program: string;
  /** Of NV12. */
  readonly width: number;
  readonly height: number;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

const PEER = fileURLToPath(new URL("../../../peers/round_trip.py", import.meta.url));
const CLIENT = fileURLToPath(new URL("../../../../../clients/python/src", import.meta.url));

const WAYS: { readonly [way in PythonParameters["way"]]: (given: PythonParameters) => Promise<Figures> } = {
  visitors,
  pipe,
  "shared-memory": sharedMemory,
  zeromq,
};

const given = parameters<PythonParameters>();
report(await WAYS[given.way](given));
// A child ends with its input.
process.exit();

function start({ way, program, width, height, plan }: PythonParameters, ...rest: readonly string[]): Child {
  const all = [PEER, way, String((width * height * 3) / 2), JSON.stringify(plan), ...rest];
  const env = { ...process.env, PYTHONPATH: CLIENT };
  return spawn(program, all, { stdio: ["pipe", "pipe", "inherit"], env });
}

async function visitors(given: PythonParameters): Promise<Figures> {
  const { plan, width, height } = given;
  const domain = ProcessDomain.create();
  const options = { format: imageFormat("NV12", width, height), buffers: 2, dataBytes: 0 } as const;
  const there = domain.createStream({ name: "there", ...options });
  const back = domain.createStream({ name: "back", ...options });
  const [source, sink] = [`@bench-there-${process.pid}`, `@bench-back-${process.pid}`];
  domain.serveViewers(source, there, { policy: "block" });
  domain.serveContributors(sink, back, { ends: true });
  const results = back.frames();
  const ended = once(start(given, source, sink), "exit");
  await there.waitForConsumers(1);
  const figures = await sampleAsync(plan, async (first, count) => {
    for (let i = first; i < first + count; i++) {
      publish(await there.loan(), i);
      giveBack(await results.next(), i);
    }
  });
  there.end();
  await ended;
  return figures;
}

async function pipe(given: PythonParameters): Promise<Figures> {
  const child = start(given);
  const frame = frameOf(given);
  const result = Buffer.alloc(frame.length);
  const came = receiver(child, result);
  return sampleAsync(given.plan, async (first, count) => {
    for (let i = first; i < first + count; i++) {
      mark(frame, i);
      const whole = came();
      child.stdin.write(frame);
      await whole;
      check(result, i);
    }
  });
}

/** Puts all that a child says into a buffer: the call that it gives resolves when that is full. */
function receiver(child: Child, into: Buffer): () => Promise<void> {
  let length = 0;
  let full = (): void => {};
  child.stdout.on("data", (some: Buffer) => {
    some.copy(into, length);
    length += some.length;
    if (length < into.length) return;
    length = 0;
    full();
  });
  return () => new Promise((resolve) => (full = resolve));
}

/** Python's `multiprocessing.shared_memory`. Node.js has no `mmap`: it writes to and reads from the file. */
async function sharedMemory(given: PythonParameters): Promise<Figures> {
  const child = start(given);
  const [names] = (await once(child.stdout, "data")) as [Buffer];
  const [there, back] = (JSON.parse(names.toString()) as [string, string]).map((name) =>
    openSync(`/dev/shm/${name}`, "r+"),
  ) as [number, number];
  const frame = frameOf(given);
  const result = Buffer.alloc(frame.length);
  const came = receiver(child, Buffer.alloc(1));
  const figures = await sampleAsync(given.plan, async (first, count) => {
    for (let i = first; i < first + count; i++) {
      mark(frame, i);
      writeSync(there, frame, 0, frame.length, 0);
      const answered = came();
      child.stdin.write("\n");
      await answered;
      readSync(back, result, 0, result.length, 0);
      check(result, i);
    }
  });
  closeSync(there);
  closeSync(back);
  const ended = once(child, "exit");
  child.stdin.end();
  await ended;
  return figures;
}

/** Both sides are Python: it measures by itself. */
async function zeromq(given: PythonParameters): Promise<Figures> {
  let said = "";
  for await (const some of start(given).stdout) said += String(some);
  return JSON.parse(said) as Figures;
}

function frameOf({ width, height }: PythonParameters): Buffer {
  return Buffer.alloc((width * height * 3) / 2, 1);
}

function mark(frame: Buffer, i: number): void {
  frame[0] = i;
  frame[frame.length - 1] = i;
}

function check(frame: Buffer, i: number): void {
  if (frame[0] !== (i & 0xff) || frame.at(-1) !== (i & 0xff)) throw new Error("A frame came torn");
}
