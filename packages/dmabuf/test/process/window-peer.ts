/**
 * A process, or a worker, of the tests of windows.
 *
 * Usage: node window-peer.js produce PLACE | many | attack STORE
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { rawFormat, type ModuleMemory } from "../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";
import { pause } from "../agents.js";
import { createFilters } from "../filters.js";

/** What a worker gets. */
export interface WindowWork {
  readonly invitation: WorkerInvitation;
  /** Where it opens its window: memory of its own if that is missing. */
  readonly memory?: ModuleMemory;
}

const FORMAT = rawFormat(1 << 20);

export function mappings(): number {
  return readFileSync("/proc/self/maps", "latin1").split("memfd:dmabuf camera").length - 1;
}

async function produce(place: string): Promise<void> {
  const domain = await ProcessDomain.connect(place);
  const stream = domain.createStream({ name: "camera", format: FORMAT });
  const loan = (await stream.loan())!;
  loan.bytes.fill(7);
  loan.publish();
  process.send!("published");
  setInterval(() => {}, 1000);
}

/** Windows, of which some are closed and others forgotten, in memories that have grown: nothing of them is left. */
async function many(): Promise<void> {
  process.removeAllListeners("warning").on("warning", () => {});
  const domain = ProcessDomain.create();
  const stream = domain.createStream({ name: "camera", format: FORMAT, buffers: 2 });
  await (async () => (await stream.loan())!.publish())();
  const frame = (await stream.frames().next())!;
  void frame.bytes[0];
  const open = (isClosed: boolean): void => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000 });
    const window = domain.createModuleWindow(memory, stream);
    memory.grow(3);
    const bytes = new Uint8Array(memory.buffer, window.pointerTo(frame), FORMAT.size);
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 4096) sum += bytes[i]!;
    if (sum !== 0) throw new Error("These are not the frame's bytes");
    if (isClosed) window.close();
  };
  const rounds = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      open(i % 2 === 0);
      // The young are watched after a tenth of a second.
      if (i % 50 === 49) await settle();
    }
  };
  await rounds(100);
  await settle();
  const before = { mappings: mappings(), rss: process.memoryUsage.rss() };
  await rounds(1000);
  await settle();
  const grown = process.memoryUsage.rss() - before.rss;
  console.log(JSON.stringify({ windows: 1000, mappings: mappings() - before.mappings, isFlat: grown < 32 << 20 }));
  process.exit();
}

async function settle(): Promise<void> {
  await pause(120);
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await pause(5);
  }
}

/** Writes to a frame in a way that nothing can catch. */
async function attack(how: "fill" | "atomicAdd"): Promise<void> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000, shared: true });
  const filters = await createFilters(memory);
  const domain = ProcessDomain.create();
  const buffer = domain.allocate(65_536);
  const window = domain.createModuleWindow(memory, buffer);
  window.call(() => filters[how](window.pointerTo(buffer), 8));
  console.log("The buffer was written to");
}

async function work({ invitation, memory = new WebAssembly.Memory({ initial: 1 }) }: WindowWork): Promise<never> {
  const domain = ProcessDomain.join(invitation);
  const stream = await domain.findStream("camera");
  const window = domain.createModuleWindow(memory, stream);
  const frame = (await stream.frames().next())!;
  parentPort!.postMessage(new Uint8Array(memory.buffer)[window.pointerTo(frame)]);
  for (;;) await pause(1000);
}

if (!isMainThread) await work(workerData as WindowWork);
const [, , task, argument = ""] = process.argv;
if (task === "produce") await produce(argument);
if (task === "many") await many();
if (task === "attack") await attack(argument as "fill" | "atomicAdd");
