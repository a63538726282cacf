/**
 * A member of a domain, for tests that look at it from outside: it sends a handle, and then hangs with what it has.
 *
 * Usage: node observed-program.js make|join PLACE NAME hang|go on|threads|wait, with an IPC channel. The first makes the domain and the
 * buffer "frame", to which it holds a write access, and produces "frames"; with "threads" its worker is an agent, too, and both
 * hang; with "wait" it blocks for a write access of the buffer whose handle it is sent.
 */
import { once } from "node:events";
import process from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { rawFormat, type BufferHandleData } from "../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";

const SIZES = { agents: 6, buffers: 16, timelines: 8, oneShots: 8, streams: 4, requests: 4, syncobjs: 4 };

const [, , role, place, name, then] = process.argv as unknown as [string, string, string, string, string, string];

if (isMainThread) {
  const domain =
    role === "make"
      ? ProcessDomain.listen(place, { ...SIZES, name, handleLimit: 120_000 })
      : await ProcessDomain.connect(place, { name });
  if (then === "threads") await startThread(domain.invite({ name: `${name}'s thread` }));
  const buffer = role === "make" ? domain.allocate(4096, { name: "frame" }) : undefined;
  await buffer?.access("write");
  if (role === "make") domain.createStream({ name: "frames", format: rawFormat(64), buffers: 2 });
  await new Promise((sent) => process.send!((buffer ?? domain.allocate(4096)).handle(), sent));
  if (then === "wait") {
    const [handle] = (await once(process, "message")) as [BufferHandleData];
    domain.import(handle).accessSync("write");
  } else if (then !== "go on") hang();
} else {
  ProcessDomain.join(workerData as WorkerInvitation);
  parentPort!.postMessage("joined");
  parentPort!.once("message", () => {});
  setImmediate(hang);
}

async function startThread(invitation: WorkerInvitation): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), {
    argv: process.argv.slice(2),
    workerData: invitation,
    transferList: [invitation.port],
  });
  await once(worker, "message");
}

/** Blocks this thread until its process is killed. */
function hang(): void {
  // eslint-disable-next-line no-restricted-globals -- no substrate is meant: the thread does nothing any more
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
