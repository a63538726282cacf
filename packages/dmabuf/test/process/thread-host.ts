/**
 * A process whose workers come into a domain by themselves, each by one of the ways, take hold of what others then wait
 * for, and end. Its main thread is in no domain, except where it must invite.
 *
 * Usage: node thread-host.js, with an IPC channel; as a worker it is what it starts.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { isMainThread, MessageChannel, parentPort, Worker, workerData, type MessagePort } from "node:worker_threads";
import { rawFormat } from "../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";
import type { Catch, HostOrder, ThreadEnd, ThreadStart } from "./threads.js";

const SELF = new URL(import.meta.url);

/** What the thread that comes in is told. */
interface Details extends ThreadStart {
  readonly invitation?: WorkerInvitation;
  readonly port: MessagePort;
}

class Thread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #ended: Promise<unknown>;

  constructor(start: ThreadStart, invitation: WorkerInvitation | undefined) {
    const { port1, port2 } = new MessageChannel();
    const transferList = [port2, ...(invitation === undefined ? [] : [invitation.port])];
    this.#worker = startWorker({ ...start, invitation, port: port2 } as Details, transferList);
    this.#port = port1;
    this.#ended = once(port1, "close");
  }

  async caught(): Promise<Catch> {
    const [answer] = (await once(this.#port, "message")) as [Catch | string];
    if (typeof answer === "string") throw new Error(answer);
    return answer;
  }

  /** The thread is gone, and so is the one that has started it. */
  async end(how: ThreadEnd): Promise<void> {
    if (how !== "terminate()") {
      this.#port.postMessage(how);
      await this.#ended;
    }
    await this.#worker.terminate();
  }
}

function startWorker(details: Details, transferList: MessagePort[]): Worker {
  // What is said about the errors that it is told to make is of no interest.
  const worker = new Worker(SELF, { workerData: details, transferList, stderr: true });
  worker.on("error", () => {});
  return worker;
}

/** The main thread. */
function serve(): void {
  let thread: Thread;
  let inviter: ProcessDomain | undefined;
  const obey = async (order: HostOrder): Promise<unknown> => {
    switch (order.order) {
      case "start": {
        if (order.way === "join") inviter ??= await ProcessDomain.connect(order.place, { name: "inviter" });
        thread = new Thread(order, order.way === "join" ? inviter?.invite({ name: order.name }) : undefined);
        return thread.caught();
      }
      case "end":
        await thread.end(order.how);
        inviter?.close();
        inviter = undefined;
        return undefined;
      case "count": {
        const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
        const mappings = maps.filter((line) => line.includes("/memfd:")).length;
        return { descriptors: readdirSync("/proc/self/fd").length, mappings };
      }
    }
  };
  process.on("message", (order: HostOrder) => {
    obey(order).then(
      (answer) => process.send!(answer ?? "done"),
      (error: unknown) => process.send!(`failed: ${String(error)}`),
    );
  });
  process.send!("ready");
}

async function enter({ way, place, name, invitation }: Details): Promise<ProcessDomain> {
  switch (way) {
    case "create": {
      const domain = ProcessDomain.create({ name, agents: 8 });
      domain.listen(place);
      return domain;
    }
    case "listen":
      return ProcessDomain.listen(place, { name, agents: 8 });
    case "connect":
      return ProcessDomain.connect(place, { name });
    case "inherit":
      return ProcessDomain.inherit({ descriptor: Number(place), name });
    case "join":
      return ProcessDomain.join(invitation!);
  }
}

/** The thread that comes in. */
async function live(details: Details): Promise<void> {
  const { port, name } = details;
  const domain = await enter(details);
  const buffer = domain.allocate(4096, { name });
  const handle = buffer.handle();
  const fence = domain.createTimeline({ timeLimit: 60_000 }).createFence().handle();
  const stream = domain.createStream({ name, format: rawFormat(4096), buffers: 2 });
  (await stream.loan())!.publish();
  const held = [await stream.loan(), await buffer.access("write"), await buffer.reservation.lock()];
  port.postMessage({ handle, fence } satisfies Catch);
  port.on("message", (how: ThreadEnd) => {
    if (how === "process.exit()") process.exit(held.length);
    if (how === "an uncaught error") throw new Error("as ordered");
    // Nothing is left that keeps the thread.
    port.unref();
  });
}

if (isMainThread) serve();
else {
  const details = workerData as Details;
  if (details.depth > 0) {
    const { invitation, port } = details;
    const transferList = [port, ...(invitation === undefined ? [] : [invitation.port])];
    startWorker({ ...details, depth: details.depth - 1 }, transferList);
    // It stays, whatever becomes of its worker.
    parentPort!.on("message", () => {});
  } else live(details).catch((error: unknown) => details.port.postMessage(String(error)));
}
