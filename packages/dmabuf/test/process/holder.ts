/**
 * Another agent of a domain, for tests of its end: it takes hold of what it is told, and then ends, is stopped or
 * killed.
 *
 * Usage: node holder.js, with an IPC channel; its first order is the place to join. Or as a worker, with an invitation.
 */
import { agentOf } from "../../src/domain-base.js";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import {
  rawFormat,
  type AccessMode,
  type Loan,
  type DmaBuf,
  type Fence,
  type Frame,
  type FrameStream,
} from "../../src/index.js";
import { ProcessDomain, StreamViewer, type ViewedFrame, type WorkerInvitation } from "../../src/node/index.js";
import { closeDescriptor } from "../../src/node/system-calls/index.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import { checkPattern, writePattern } from "../pattern.js";
import { WorkerHolder, type End, type HolderOrder } from "./holder-process.js";
import { memoryHook } from "../../src/node/joining/control-segment.js";

let domain: ProcessDomain;
let steps: SteppedSubstrate;
let buffer: DmaBuf;
let frame: Frame | undefined;
let produced: FrameStream | undefined;
/** A frame in the middle. */
let half: Loan | undefined;
/** What it keeps as a viewer. */
let seen: ViewedFrame | undefined;
let lock: Disposable | undefined;
/** What goes on with an access that was begun. */
let goOn: (() => unknown) | undefined;

const VERSION = 1;
/** Bytes: what a frame of the tests has, without its metadata. */
const WORKED_ON = 4096;

async function obey(order: HolderOrder): Promise<unknown> {
  switch (order.order) {
    case "join":
      domain = await join(order.place);
      return agentOf(domain).identity;
    case "import":
      buffer = domain.import(order.handle);
      return undefined;
    case "fence":
      return domain.createTimeline({ timeLimit: order.timeLimit }).createFence().handle();
    case "lock":
      lock = await buffer.reservation.lock();
      return undefined;
    case "unlock":
      lock![Symbol.dispose]();
      return undefined;
    case "write":
      return writeHalf();
    case "read":
      return readHalf();
    case "write on":
    case "read on":
    case "work on":
      return goOn!();
    case "work":
      return work(order.on, order.mode, order.timeLimit);
    case "produce": {
      const stream = domain.createStream({ name: order.name, format: rawFormat(4096), buffers: 2 });
      (await stream.loan())!.publish();
      await stream.loan();
      return undefined;
    }
    case "publish":
      return publish(order.name, order.versions, order.bytes ?? 4096);
    case "wait for a consumer":
      return produced!.waitForConsumers(1, { timeout: 10_000 });
    case "end stream":
      half![Symbol.dispose]();
      if (order.error === undefined) produced!.end();
      else produced!.fail(order.error);
      return undefined;
    case "consume": {
      const stream = await domain.findStream(order.name, { timeout: 30_000 });
      frame = await stream.frames({ policy: order.policy }).next({ timeout: 30_000 });
      return frame!.data;
    }
    case "check frame":
      return checkPattern(frame!.bytes, nothing, () => false);
    case "visit":
      seen = await (await StreamViewer.connect(order.place)).next();
      return seen!.bytes[0];
    case "hire": {
      const worker = await WorkerHolder.start({ after() {} }, domain);
      for (const each of order.orders) await worker.ask(each);
      return undefined;
    }
    case "wait":
      return wait(domain.import(order.fence), order.timeout);
    case "die at exchange":
      steps.begin({
        at: order.at,
        kinds: ["compareExchange", "compareExchange64"],
        happen: () => void process.kill(process.pid, "SIGKILL"),
      });
      return undefined;
    case "end":
      return end(order.how);
  }
}

async function publish(name: string, versions: readonly number[], bytes: number): Promise<void> {
  produced ??= domain.createStream({ name, format: rawFormat(bytes), buffers: 4 });
  half?.[Symbol.dispose]();
  for (const version of versions) {
    const loan = (await produced.loan({ timeout: 10_000 }))!;
    writePattern(loan.bytes, version, agentOf(domain).identity, nothing);
    loan.publish({ data: version });
  }
  half = (await produced.loan({ timeout: 10_000 }))!;
  half.bytes.fill(255, 0, bytes >> 1);
}

async function join(place: string): Promise<ProcessDomain> {
  if (parentPort !== null) return ProcessDomain.join(workerData as WorkerInvitation);
  memoryHook.wrap = (memory) => (steps = new SteppedSubstrate(memory));
  return ProcessDomain.connect(place);
}

async function writeHalf(): Promise<void> {
  const access = await buffer.access("write");
  const { bytes } = access;
  new Int32Array(bytes.buffer, bytes.byteOffset)[0] = agentOf(domain).identity;
  goOn = () => {
    writePattern(bytes, VERSION, agentOf(domain).identity, nothing);
    access[Symbol.dispose]();
  };
}

async function readHalf(): Promise<void> {
  const access = await buffer.access("read");
  const half = Buffer.from(access.bytes.subarray(0, access.bytes.length >> 1)).toString("base64");
  goOn = () => {
    const version = checkPattern(access.bytes, nothing, () => false);
    const same = Buffer.from(access.bytes.subarray(0, access.bytes.length >> 1)).toString("base64") === half;
    access[Symbol.dispose]();
    return same ? version : "other bytes than before";
  };
}

async function work(on: "buffer" | "frame", mode: AccessMode, timeLimit: number): Promise<void> {
  const target = on === "buffer" ? buffer : frame!.buffer;
  const { memory, offset, length } = target.segments[0]!;
  const bytes = new Uint8Array(memory, offset, Math.min(length, WORKED_ON));
  const fence = domain.createTimeline({ name: "device", timeLimit }).createFence();
  {
    using _lock = await target.reservation.lock();
    target.reservation.reserveFences(1);
    target.reservation.addFence(fence, mode);
  }
  const before = Buffer.from(bytes).toString("base64");
  if (mode === "write") new Int32Array(memory, offset)[0] = agentOf(domain).identity;
  frame?.[Symbol.dispose]();
  goOn = () => {
    let seen: string | number | undefined = VERSION;
    if (mode === "write") writePattern(bytes, VERSION, agentOf(domain).identity, nothing);
    else seen = Buffer.from(bytes).toString("base64") === before ? checkPattern(bytes, nothing, () => false) : "others";
    return [seen, fence.signal(), fence.error?.code];
  };
}

/** Blocks this process. */
function wait(fence: Fence, timeout: number): { result: string; status: number; ms: number } {
  say("blocks");
  const result = fence.waitSync({ timeout });
  return { result, status: fence.status, ms: performance.timeOrigin + performance.now() };
}

function end(how: End): void {
  if (how === "process.exit()") process.exit(0);
  if (how === "domain.close()") domain.close();
  else if (how === "the close of its membership") closeMembership();
  else if (how === "an unhandled rejection") void Promise.reject(new Error("as ordered"));
  else
    setImmediate(() => {
      throw new Error("as ordered");
    });
}

/** What a program does that closes what is not its own. */
function closeMembership(): void {
  closeDescriptor(Number(readdirSync("/proc/self/fd").find(holdsLock)));
}

function holdsLock(fd: string): boolean {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").includes("OFDLCK");
  } catch {
    // That of the folder itself.
    return false;
  }
}

function nothing(): void {}

function say(what: unknown): void {
  if (parentPort !== null) parentPort.postMessage(what);
  else process.send!(what);
}

(parentPort ?? process).on("message", (order: HolderOrder) => {
  obey(order).then(
    (answer) => say(answer ?? "done"),
    (error: unknown) => say(`failed: ${String(error)}`),
  );
});
say("ready");
