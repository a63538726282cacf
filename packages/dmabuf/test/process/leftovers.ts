/**
 * Has workers join a domain of processes and terminates them in the middle of what they do, again and again. Then
 * prints how many descriptors, mappings of memory files and GiB of addresses of WebAssembly this process has more than after the first few.
 *
 * Usage: node --expose-gc remains.js WORKERS
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { rawFormat, type BufferHandleData, type StreamHandleData } from "../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";
import { pause } from "../agents.js";
import { reservedGibibytes } from "../mappings.js";
import { Random } from "../random.js";

interface Details {
  readonly invitation: WorkerInvitation;
  readonly handle: BufferHandleData;
  readonly stream: StreamHandleData;
}

const FIRST = 5;

function count(): { descriptors: number; mappings: number; reserved: number } {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mappings = maps.filter((line) => line.includes("memfd:dmabuf")).length;
  return { descriptors: readdirSync("/proc/self/fd").length, mappings, reserved: reservedGibibytes() };
}

async function terminateMany(workers: number): Promise<void> {
  const domain = ProcessDomain.create({ agents: 8 });
  const buffer = domain.allocate(65_536);
  const unused = domain.allocate(4096);
  const stream = domain.createStream({ format: rawFormat(4096) });
  (await stream.loan())!.publish();
  const random = new Random(1);
  let before = count();
  const terminateOne = async (): Promise<void> => {
    const invitation = domain.invite();
    // Both live longer than the worker: the handles need not hold them.
    using handle = buffer.handle();
    const streamHandle = stream.handle();
    streamHandle.close();
    const details: Details = {
      invitation,
      handle: structuredClone(handle),
      stream: structuredClone(streamHandle),
    };
    const worker = new Worker(new URL(import.meta.url), {
      workerData: details,
      transferList: [invitation.port],
    });
    const begun = new Promise((resolve) => worker.once("message", resolve));
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await Promise.race([begun, ended]);
    // Its memory comes to the worker, which does nothing with it.
    using _letter = unused.handle();
    await pause(random.below(10));
    await worker.terminate();
  };
  for (let i = 0; i < workers + FIRST; i++) {
    if (i === FIRST) before = await settled(domain);
    await terminateOne();
  }
  const after = await settled(domain);
  const descriptors = after.descriptors - before.descriptors;
  const mappings = after.mappings - before.mappings;
  const reserved = after.reserved - before.reserved;
  console.log(JSON.stringify({ workers, descriptors, mappings, reserved, agents: domain.agents.length }));
  domain.close();
}

/** The counts when all that is to be released has been. */
async function settled(domain: ProcessDomain): Promise<ReturnType<typeof count>> {
  while (domain.agents.length > 1) await pause(1);
  for (let i = 0; i < 5; i++) {
    globalThis.gc!();
    await pause(20);
  }
  return count();
}

/**
 * Says so when it has looked at all that it maps for long: koffi ends the process if a thread is terminated while it makes
 * a view, which happens once a mapping, when its bytes are first looked at.
 */
async function work({ invitation, handle, stream }: Details): Promise<never> {
  const domain = ProcessDomain.join(invitation);
  domain.descriptors.offer("output", 1);
  const consumer = domain.import(stream).frames();
  const frame = await consumer.next();
  const buffer = domain.import(handle);
  void (await buffer.access("read")).bytes[0];
  parentPort!.postMessage("joined");
  for (;;) {
    const again = domain.import(handle);
    const own = domain.allocate(8192);
    own.handle("read");
    own.tryAccess("write")![Symbol.dispose]();
    own.close();
    frame![Symbol.dispose]();
    await consumer.next({ timeout: 0 }).catch(() => undefined);
    again.close();
    await pause(0);
  }
}

if (isMainThread) await terminateMany(Number(process.argv[2]));
else await work(workerData as Details);
