/** What workers do in the tests of this folder: each role gets the domain that the worker has joined. */
import { agentOf } from "../../src/domain-base.js";
import { parentPort } from "node:worker_threads";
import {
  type DmaBufError,
  type Domain,
  type DmaBuf,
  type FenceHandle,
  rawFormat,
  type BufferHandleData,
  type StreamHandleData,
} from "../../src/index.js";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { submit } from "./submitter.js";

/** How a worker comes to its end. */
export type End =
  "returns" | "exits" | "throws" | "is terminated" | "is terminated while it blocks" | "is terminated in a loop";

/** What the victim takes hold of before it ends, and the others wait for. */
export interface Estate {
  readonly locked: BufferHandleData;
  readonly written: BufferHandleData;
  readonly read: BufferHandleData;
}

/** What the victim leaves for others to wait for. */
export interface Legacy {
  readonly timeline: FenceHandle;
  readonly oneShot: FenceHandle;
  readonly produced: StreamHandleData;
  readonly sent: BufferHandleData;
}

export const roles = {
  /** Takes hold of everything there is, says so, and ends. */
  async victim(
    domain: Domain,
    { estate, consumed, end }: { estate: Estate; consumed: StreamHandleData; end: End },
  ): Promise<void> {
    const [locked, written, read] = [estate.locked, estate.written, estate.read].map((handle) => domain.import(handle));
    await locked!.reservation.lock();
    await written!.access("write");
    await read!.access("read");
    const frame = await domain.import(consumed).frames().next();
    const timeline = domain.createTimeline().createFence();
    const oneShot = domain.fenceFrom(new Promise(() => {}));
    const stream = domain.createStream({ format: frame!.format });
    (await stream.loan())!.publish();
    await stream.loan();
    say<Legacy>({
      timeline: timeline.handle(),
      oneShot: oneShot.handle(),
      produced: plain(stream.handle()),
      sent: plain(domain.allocate(1).handle()),
    });
    await heard();
    come(domain, end);
  },

  /** Waits for all that the victim had, blocking, one after the other; says which have come. */
  async blockingHeir(domain: Domain, { estate, legacy }: { estate: Estate; legacy: Legacy }): Promise<void> {
    const [locked, written, read] = [estate.locked, estate.written, estate.read].map((handle) => domain.import(handle));
    const frames = domain.import(legacy.produced).frames();
    const fences = [legacy.timeline, legacy.oneShot].map((handle) => domain.import(handle));
    say("waiting");
    locked!.reservation.lockSync();
    written!.accessSync("read");
    read!.accessSync("write");
    for (const fence of fences) fence.waitSync();
    const first = frames.nextSync()!.sequence;
    say({ errors: fences.map((fence) => fence.error?.code), first, then: codeOf(() => frames.nextSync()) });
    domain.close();
  },

  /** Waits for all that the victim had, all at the same time, from the event loop. */
  async waitingHeir(domain: Domain, { estate, legacy }: { estate: Estate; legacy: Legacy }): Promise<void> {
    const [locked, written, read] = [estate.locked, estate.written, estate.read].map((handle) => domain.import(handle));
    const frames = domain.import(legacy.produced).frames();
    const fences = [legacy.timeline, legacy.oneShot].map((handle) => domain.import(handle));
    const first = await frames.next();
    const waits = [
      locked!.reservation.lock().then((lock) => lock[Symbol.dispose]()),
      written!.access("read").then((access) => access[Symbol.dispose]()),
      read!.access("write").then((access) => access[Symbol.dispose]()),
      ...fences.map((fence) => fence.wait()),
    ];
    const next = frames.next().then(
      () => "no error",
      (error: unknown) => (error as DmaBufError).code,
    );
    say("waiting");
    await Promise.all(waits);
    say({ errors: fences.map((fence) => fence.error?.code), first: first!.sequence, then: await next });
    domain.close();
  },

  /** Takes frames and says their numbers; stops in the middle of one, and never goes on, if it is told to. */
  async consumer(domain: Domain, { stream, stopAt }: { stream: StreamHandleData; stopAt?: number }): Promise<void> {
    const sequences: number[] = [];
    try {
      for await (using frame of domain.import(stream).frames()) {
        sequences.push(frame.sequence);
        if (frame.bytes.some((byte) => byte !== (frame.sequence & 0xff))) throw new Error(`Frame ${frame.sequence}`);
        if (sequences.length === 1 || frame.sequence === stopAt) say(frame.sequence);
        if (frame.sequence === stopAt) block();
      }
      say({ sequences, end: "ended" });
    } catch (error) {
      say({ sequences, end: (error as DmaBufError).code });
    }
    domain.close();
  },

  /** Publishes `count` frames, says so, and goes on without end. */
  async producer(domain: Domain, { bytes, count }: { bytes: number; count: number }): Promise<void> {
    const stream = domain.createStream({ format: rawFormat(bytes) });
    say(plain(stream.handle()));
    await stream.waitForConsumers(2);
    let sequence = 0;
    for await (const loan of stream.loans()) {
      loan.bytes.fill(sequence & 0xff);
      sequence = loan.publish() + 1;
      if (sequence === count) say("published");
    }
  },

  /** Reads the whole buffer while all others do, and says the sum of its bytes. */
  async reader(
    domain: Domain,
    { buffer, barrier }: { buffer: BufferHandleData; barrier: SharedArrayBuffer },
  ): Promise<void> {
    using mine = domain.import(buffer);
    {
      using access = await mine.access("read");
      say(access.bytes.reduce((sum, byte, i) => (sum + byte * (i + 1)) | 0, 0));
      const memory = createSharedSubstrate(barrier);
      while (memory.load(0) === 0) memory.park(0, 0, 1_000);
    }
    mine.close();
    domain.close();
    say("left");
  },

  /** Waits for a fence, says when it begins and when it is over. */
  async waiter(domain: Domain, { fence, blocking }: { fence: FenceHandle; blocking: boolean }): Promise<void> {
    const awaited = domain.import(fence);
    say("waiting");
    if (blocking) awaited.waitSync();
    else await awaited.wait();
    say(awaited.status);
    await heard();
    domain.close();
  },

  /** Submits jobs to a queue of its own; says what it has done, and whether its buffers changed under it. */
  async submitter(
    domain: Domain,
    { buffers, jobs, seed }: { buffers: readonly BufferHandleData[]; jobs: number; seed: number },
  ): Promise<void> {
    say("submitting");
    say(await submit(domain, buffers, jobs, seed));
    domain.close();
  },

  /** Does nothing at all. */
  async idler(): Promise<void> {
    say("here");
    await heard();
  },
} satisfies Record<string, (domain: Domain, details: never) => unknown>;

export type Roles = typeof roles;
export type RoleName = keyof Roles;

function say<T>(message: T): void {
  parentPort!.postMessage(message);
}

/** Resolves at the next message; until then the thread stays. */
function heard(): Promise<unknown> {
  return new Promise((resolve) => parentPort!.once("message", resolve));
}

/** What a message carries of a handle or of a stream's. */
function plain<T>(handle: T): T {
  return structuredClone(handle);
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "no error";
  } catch (error) {
    return (error as DmaBufError).code;
  }
}

function come(domain: Domain, end: End): void {
  if (end === "exits") process.exit(0);
  if (end === "throws") throw new Error("thrown on purpose");
  if (end === "is terminated while it blocks") block(domain.allocate(1));
  if (end === "is terminated in a loop") for (let i = 0; ; i++) agentOf(domain).memory.load(i & 1);
  if (end === "is terminated") void heard();
}

/** Blocks the thread without end, in a library wait if there is a buffer to wait for. */
function block(buffer?: DmaBuf): void {
  // It waits for itself: with a time limit that is no error before the limit.
  buffer?.accessSync("write");
  buffer?.accessSync("read", { timeout: 3_600_000 });
  const memory = createSharedSubstrate(new SharedArrayBuffer(8));
  memory.park(0, 0, Infinity);
}
