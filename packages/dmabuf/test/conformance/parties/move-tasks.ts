/** What another agent can be asked to do with a buffer that moves. */
import {
  PAGE_SIZE,
  type FenceHandle,
  type Mapping,
  type BufferHandleData,
  type StorageSegment,
} from "../../../src/index.js";
import { pendingFence } from "../syncobjs.js";
import type { Scene } from "./scene.js";

/** How the bytes are read: by accesses that wait or block, or through a dynamic importer's mapping under a fence. */
export type ReadStyle = "wait" | "block" | "map";

const LENGTH = 4 * PAGE_SIZE;
/** What the mover leaves behind in memory that no agent may read any more. */
const GARBAGE = 0xdead;

/** Exports memory of the agent's own. */
export function exportBuffer({ domain, buffers, memories, createMemory }: Scene, buffer: string): BufferHandleData {
  const memory = createMemory(LENGTH);
  memories.set(buffer, memory);
  buffers.set(buffer, domain.export([memory]));
  return { ...buffers.get(buffer)!.handle() };
}

/** Writes another number and moves the buffer, time after time; the number is `times + 1` in the end. */
export async function moveOften(scene: Scene, buffer: string, times: number): Promise<void> {
  for (let time = 1; time <= times; time++) {
    await writeWords(scene, buffer, time);
    await move(scene, buffer);
  }
  await writeWords(scene, buffer, times + 1);
}

/** Begins a move that never ends. */
export async function moveForEver({ buffers, begun }: Scene, buffer: string): Promise<void> {
  await buffers.get(buffer)!.move(() => {
    begun();
    return new Promise(() => {});
  });
}

/** Attaches an importer that follows moves; the fence signals when it is told of the first. */
export function follow({ domain, buffers }: Scene, buffer: string, how: "at once" | "slowly" | "never"): FenceHandle {
  const told = pendingFence(domain);
  buffers.get(buffer)!.attachSync({
    moveNotify() {
      told.signal();
      if (how === "at once") return;
      const end = how === "slowly" ? performance.now() + 300 : Infinity;
      while (performance.now() < end);
    },
  });
  return told.handle();
}

/** Reads until the number is `last`; returns what was wrong with what was read. */
export async function readUntil(scene: Scene, buffer: string, last: number, style: ReadStyle): Promise<string[]> {
  if (style === "map") return readMapped(scene, buffer, last);
  return style === "block" ? readBlocking(scene, buffer, last) : readWaiting(scene, buffer, last);
}

/** Fills the buffer with a number. */
export async function writeWords({ buffers }: Scene, buffer: string, value: number): Promise<void> {
  using access = await buffers.get(buffer)!.access("write");
  for (const bytes of access.segments) words(bytes).fill(value);
}

/** The numbers in the buffer. */
export async function readWords({ buffers }: Scene, buffer: string): Promise<number[]> {
  using access = await buffers.get(buffer)!.access("read", { timeout: 20_000 });
  return [...new Set(access.segments.flatMap((bytes) => [...words(bytes)]))];
}

/** Moves to other memory, in one segment or several, and spoils the old. */
async function move({ buffers, memories, createMemory }: Scene, name: string): Promise<void> {
  const buffer = buffers.get(name)!;
  const [old, whole] = [memories.get(name)!, createMemory(LENGTH)];
  const half = LENGTH / 2;
  const halves = [half, 0].map((offset) => ({ memory: whole.memory, offset, length: half }));
  await buffer.move(buffer.segments.length === 1 ? halves : [whole], { timeout: 30_000 });
  memories.set(name, whole);
  words(bytesOf(old)).fill(GARBAGE);
}

async function readWaiting({ buffers }: Scene, buffer: string, last: number): Promise<string[]> {
  const check = new Check();
  while (check.last < last) {
    using access = await buffers.get(buffer)!.access("read", { timeout: 30_000 });
    check.look(access.segments);
  }
  return check.bad;
}

/** Does not return to the event loop before the end. */
function readBlocking({ buffers, begun }: Scene, buffer: string, last: number): string[] {
  const check = new Check();
  begun();
  while (check.last < last) {
    using access = buffers.get(buffer)!.accessSync("read", { timeout: 30_000 });
    check.look(access.segments);
  }
  return check.bad;
}

/** As a device does: by a mapping that it keeps until it is told of a move, with a fence while it reads. */
async function readMapped({ domain, buffers }: Scene, name: string, last: number): Promise<string[]> {
  const buffer = buffers.get(name)!;
  const check = new Check(true);
  using timeline = domain.createTimeline();
  let mapping: Mapping | undefined;
  using attachment = buffer.attachSync({ moveNotify: () => (mapping = undefined) });
  while (check.last < last) {
    const fence = timeline.createFence();
    let segments: Mapping["segments"];
    {
      using _lock = await buffer.reservation.lock(undefined, { timeout: 30_000 });
      mapping ??= await attachment.mapLocked();
      segments = mapping.segments;
      buffer.reservation.reserveFences(1);
      buffer.reservation.addFence(fence, "read");
    }
    check.look(segments.map(bytesOf));
    fence.signal();
  }
  return check.bad;
}

/**
 * What is read is one number all over, never an older one, and nothing that was left behind. A device takes no hold, so
 * it may see a write of the processor half done.
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

function bytesOf({ memory, offset, length }: StorageSegment): Uint8Array {
  return new Uint8Array(memory, offset, length);
}
