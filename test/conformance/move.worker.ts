/** One side of a buffer that moves while others use it, told by messages what to do. */
import { parentPort, workerData } from "node:worker_threads";
import {
  DmaBufError,
  Domain,
  type DmaBuf,
  type Invitation,
  type Mapping,
  type ReceivedHandle,
} from "../../src/index.js";
import { memoryOf } from "./buffers.js";

/** What is posted to the worker; it answers with an {@link Answer}. */
export type Order =
  | { readonly kind: "export" | "move and never finish" | "block for the lock" }
  | { readonly kind: "import"; readonly handle: ReceivedHandle }
  | { readonly kind: "move"; readonly times: number; readonly timeout?: number }
  | { readonly kind: "follow"; readonly how: "at once" | "slowly" | "never" }
  | { readonly kind: "read"; readonly until: number; readonly style: ReadStyle };

/** How the bytes are read: by accesses that wait or block, or through a dynamic importer's mapping under a fence. */
export type ReadStyle = "wait" | "block" | "map";

export interface Answer {
  readonly handle?: ReceivedHandle;
  readonly code?: string;
  /** What was wrong with what was read. */
  readonly bad?: readonly string[];
  readonly told?: number;
}

const PAGES = 4;
/** What the mover leaves behind in memory that nobody may read any more. */
const GARBAGE = 0xdead;

const domain = Domain.join(workerData as Invitation);
/** Set when a dynamic importer hears of a move. */
let told = 0;
let buffer: DmaBuf;

parentPort!.on("message", (order: Order) => {
  carryOut(order).then(
    (answer) => parentPort!.postMessage(answer),
    (error: unknown) => parentPort!.postMessage({ code: error instanceof DmaBufError ? error.code : String(error) }),
  );
});

async function carryOut(order: Order): Promise<Answer> {
  switch (order.kind) {
    case "export":
      buffer = domain.export(memoryOf(PAGES));
      return { handle: { ...buffer.handle() } };
    case "import":
      buffer = domain.import(order.handle);
      return {};
    case "move":
      for (let time = 1; time <= order.times; time++) await write(time).then(() => move(order.timeout));
      await write(order.times + 1);
      return {};
    case "move and never finish":
      await buffer.move(() => {
        parentPort!.postMessage({});
        return new Promise(() => {});
      });
      return {};
    case "follow":
      buffer.attach({ moveNotify: () => follow(order.how) });
      return {};
    case "block for the lock": {
      using lock = buffer.reservation.lockSync(undefined, { timeout: 20_000 });
      void lock;
      return { told };
    }
    case "read":
      if (order.style === "map") return { bad: await readMapped(order.until) };
      return { bad: order.style === "block" ? readBlocking(order.until) : await readWaiting(order.until) };
  }
}

/** Fills the buffer with a number. */
async function write(value: number): Promise<void> {
  using access = await buffer.access("write");
  for (const bytes of access.segments) words(bytes).fill(value);
}

/** Moves to other memory, in one segment or several, and spoils the old. */
async function move(timeout = 30_000): Promise<void> {
  const old = buffer.segments.map(({ memory, offset, length }) => new Uint8Array(memory, offset, length));
  const [whole] = memoryOf(PAGES);
  const half = whole!.length / 2;
  const halves = [half, 0].map((offset) => ({ memory: whole!.memory, offset, length: half }));
  await buffer.move(old.length === 1 ? halves : [whole!], { timeout });
  for (const bytes of old) words(bytes).fill(GARBAGE);
}

function follow(how: "at once" | "slowly" | "never"): void {
  told++;
  parentPort!.postMessage({ told });
  if (how === "at once") return;
  const end = how === "slowly" ? performance.now() + 300 : Infinity;
  while (performance.now() < end);
}

async function readWaiting(until: number): Promise<string[]> {
  const check = new Check();
  while (check.last < until) {
    using access = await buffer.access("read", { timeout: 30_000 });
    check.look(access.segments);
  }
  return check.bad;
}

/** Does not return to the event loop before the end. */
function readBlocking(until: number): string[] {
  const check = new Check();
  while (check.last < until) {
    using access = buffer.accessSync("read", { timeout: 30_000 });
    check.look(access.segments);
  }
  return check.bad;
}

/** As a device does: by a mapping that it keeps until it is told of a move, with a fence while it reads. */
async function readMapped(until: number): Promise<string[]> {
  const check = new Check(true);
  const timeline = domain.timeline();
  let mapping: Mapping | undefined;
  using attachment = buffer.attach({ moveNotify: () => (mapping = undefined) });
  while (check.last < until) {
    const fence = timeline.createFence();
    let segments: Mapping["segments"];
    {
      using lock = await buffer.reservation.lock(undefined, { timeout: 30_000 });
      void lock;
      mapping ??= await attachment.mapLockedAsync();
      segments = mapping.segments;
      buffer.reservation.reserveFences(1);
      buffer.reservation.addFence(fence, "read");
    }
    check.look(segments.map(({ memory, offset, length }) => new Uint8Array(memory, offset, length)));
    fence.signal();
  }
  return check.bad;
}

/**
 * What is read is one number all over, never an older one, and nothing that was left behind. A device takes no hold, so it
 * may see a write of the processor half done.
 */
class Check {
  readonly bad: string[] = [];
  readonly #isDevice: boolean;
  last = 0;

  constructor(isDevice = false) {
    this.#isDevice = isDevice;
  }

  look(segments: readonly Uint8Array[]): void {
    const values = [...new Set(segments.flatMap((bytes) => [...words(bytes)]))];
    const least = Math.min(...values);
    const isTorn = values.length > 1 && !this.#isDevice;
    if (isTorn || least < this.last || values.includes(GARBAGE)) this.bad.push(`${values.join()} after ${this.last}`);
    this.last = this.bad.length > 10 ? Infinity : least;
  }
}

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
