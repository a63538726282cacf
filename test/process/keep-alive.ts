/**
 * A process in which nothing is alive but an asynchronous wait for a fence of an unreferenced worker. Prints "waiting",
 * and "signaled" if it lives to see it.
 *
 * Usage: node keep-alive.js wait | unref | callback
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Domain, type FenceHandle, type Invitation } from "../../src/index.js";

/** Milliseconds until the fence signals: long enough for a process without work to be gone before. */
const WORK = 500;

if (isMainThread) {
  const domain = Domain.create();
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: invitation,
    transferList: [invitation.port as never],
  });
  const [handle] = (await once(worker, "message")) as [FenceHandle];
  worker.unref();
  const fence = domain.importFence(handle);
  const tell = (): void => console.log("signaled");
  console.log("waiting");
  if (process.argv[2] === "callback") fence.addCallback(tell);
  else void fence.wait({ unref: process.argv[2] === "unref" }).then(tell);
} else {
  const domain = Domain.join(workerData as Invitation);
  const fence = domain.timeline().createFence();
  parentPort!.postMessage(domain.exportFence(fence));
  setTimeout(() => fence.signal(), WORK);
}
