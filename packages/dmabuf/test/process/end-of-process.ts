/**
 * Processes that must come to their end by themselves, or must not before they have done something.
 *
 * Usage: node ends.js CASE
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Domain, rawFormat, type DmaBuf, type Fence, type FenceHandle, type Invitation } from "../../src/index.js";

/** Milliseconds until something happens that a process without work would not live to see. */
const WORK = 300;

/** What a program keeps to its end: of what is collected earlier there is a warning. */
const kept: unknown[] = [];

type WorkerCase = "signals" | "waits" | "waits unreferenced" | "blocks";

interface WorkerDetails {
  readonly invitation: Invitation;
  readonly fence: FenceHandle;
  readonly what: WorkerCase;
}

/** A worker that has nothing to do but wait for a fence of this thread, or signal one of its own. */
function startWorker(domain: Domain, what: WorkerCase): { worker: Worker; signal: () => void } {
  const fence = domain.createTimeline().createFence();
  const invitation = domain.invite();
  const details: WorkerDetails = { invitation, fence: fence.handle(), what };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: details,
    transferList: [invitation.port],
  });
  if (what !== "signals") worker.on("message", (message) => console.log(message));
  return { worker, signal: () => fence.signal() };
}

/** Another agent of this thread, which releases what it holds after a while, unreferenced. */
function holdForAWhile(domain: Domain, buffer: DmaBuf, hold: (theirs: DmaBuf) => Disposable): void {
  const held = hold(Domain.join(domain.invite()).import(buffer.handle()));
  setTimeout(() => held[Symbol.dispose](), WORK).unref();
}

/** Hands over the fence of an unreferenced worker, which signals after a while, and says when it has signaled. */
async function foreignFence(wait: (fence: Fence) => Promise<unknown>): Promise<void> {
  const domain = Domain.create();
  const { worker } = startWorker(domain, "signals");
  const [handle] = (await once(worker, "message")) as [FenceHandle];
  worker.unref();
  void wait(domain.import(handle)).then(() => console.log("signaled"));
  console.log("waiting");
}

const cases: Record<string, () => Promise<void> | void> = {
  /** Waits of other kinds than for a fence, which nothing else keeps alive. */
  async access() {
    const domain = Domain.create();
    const buffer = domain.allocate(1);
    holdForAWhile(domain, buffer, (theirs) => theirs.tryAccess("write")!);
    kept.push(await buffer.access("read"));
    console.log("access");
  },
  async lock() {
    const domain = Domain.create();
    const buffer = domain.allocate(1);
    holdForAWhile(domain, buffer, (theirs) => theirs.reservation.tryLock()!);
    kept.push(await buffer.reservation.lock());
    console.log("lock");
  },
  async frame() {
    const domain = Domain.create();
    const stream = domain.createStream({ format: rawFormat(1) });
    setTimeout(() => void stream.loan().then((loan) => loan!.publish()), WORK).unref();
    const consumer = stream.frames();
    kept.push(consumer, await consumer.next());
    console.log("frame");
  },
  async loan() {
    const domain = Domain.create();
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const held = (await stream.loan())!;
    setTimeout(() => held[Symbol.dispose](), WORK).unref();
    kept.push(held, await stream.loan());
    console.log("loan");
  },

  /** A fence of another thread: a wait keeps the process alive, one with unref and a callback do not. */
  async fence() {
    await foreignFence((fence) => fence.wait());
  },
  async fenceUnreferenced() {
    await foreignFence((fence) => fence.wait({ unref: true }));
  },
  async fenceCallback() {
    await foreignFence((fence) => new Promise((resolve) => fence.addCallback(resolve)));
  },

  /** A time limit that passes is an end too. */
  async timeout() {
    const fence = Domain.create().createTimeline().createFence();
    console.log(await fence.wait({ timeout: WORK }));
  },

  /** Whatever is open when the last work is done. */
  async open() {
    const domain = Domain.create();
    const other = Domain.join(domain.invite());
    domain.invite();
    const buffer = domain.allocate(1);
    other.import(buffer.handle());
    buffer.handle();
    kept.push(buffer, await buffer.access("write"), await buffer.reservation.lock());
    const memory = new SharedArrayBuffer(4096);
    domain.export([{ memory, offset: 0, length: 4096 }], { ops: { map: () => [], unmap() {}, release() {} } });
    const stream = domain.createStream({ format: rawFormat(8) });
    const consumer = other.import(stream.handle()).frames();
    (await stream.loan())!.publish();
    kept.push(consumer, await consumer.next(), await stream.loan());
    const timeline = domain.createTimeline({ onDeadline: () => {} });
    timeline.createFence().addCallback(() => console.log("never called"));
    other.import(timeline.createFence().handle()).addCallback(() => console.log("never called"));
    domain.fenceFrom(new Promise(() => {})).addCallback(() => console.log("never called"));
    console.log("open");
  },

  /** A wait that was given up keeps no process alive. */
  async aborted() {
    const domain = Domain.create();
    const controller = new AbortController();
    const wait = domain.createTimeline().createFence().wait({ signal: controller.signal });
    controller.abort(new Error("aborted"));
    await wait.catch((error: Error) => console.log(error.message));
  },
  async closed() {
    const domain = Domain.create();
    const stream = domain.createStream({ format: rawFormat(8) });
    const consumer = stream.frames();
    kept.push(consumer);
    const wait = consumer.next();
    domain.close();
    await wait.catch((error: { code: string }) => console.log(error.code));
  },

  /** A worker is alive as long as it waits, the process as long as its worker. */
  async workerWaits() {
    const { worker, signal } = startWorker(Domain.create(), "waits");
    await once(worker, "message");
    setTimeout(signal, WORK);
    await once(worker, "exit");
    console.log("the worker has ended");
  },
  async workerWaitsUnreferenced() {
    const { worker } = startWorker(Domain.create(), "waits unreferenced");
    await once(worker, "exit");
    console.log("the worker has ended");
  },
  async workerBlocks() {
    const { worker } = startWorker(Domain.create(), "blocks");
    await once(worker, "message");
    await new Promise((resolve) => setTimeout(resolve, WORK));
    await worker.terminate();
    console.log("the worker has ended");
  },
  async exit() {
    const { worker } = startWorker(Domain.create(), "blocks");
    await once(worker, "message");
    process.exit(0);
  },
};

if (isMainThread) {
  await cases[process.argv[2]!]!();
} else {
  const { invitation, fence: handle, what } = workerData as WorkerDetails;
  const domain = Domain.join(invitation);
  if (what === "signals") {
    const fence = domain.createTimeline().createFence();
    parentPort!.postMessage(fence.handle());
    setTimeout(() => fence.signal(), WORK);
  } else {
    const fence = domain.import(handle);
    parentPort!.postMessage(`it ${what}`);
    if (what === "blocks") fence.waitSync();
    // Not awaited here: a module that ends before its own awaits do is warned of.
    void fence.wait({ unref: what === "waits unreferenced" }).then(() => parentPort!.postMessage("signaled"));
  }
}
