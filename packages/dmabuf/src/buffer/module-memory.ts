import type { Kind } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import { isWasmMemory, MODULE_PAGE, type ModuleMemory } from "../substrate/wasm-memory.js";
import type { StorageSegment } from "./storage.js";

export const MODULE_MEMORY: Kind = { wanted: "a WebAssembly.Memory", isKind: isWasmMemory };

export const SHARED_MODULE_MEMORY: Kind = {
  wanted: "a shared WebAssembly.Memory",
  isKind: (value) => isWasmMemory(value) && value.buffer instanceof SharedArrayBuffer,
};

/** Whole pages of a module's memory that the library uses until they are given back. */
export interface Room {
  readonly address: number;
  release(): void;
}

interface Place {
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** The memory has grown for it: it can be used again. */
  readonly isGrown: boolean;
  isTaken: boolean;
}

const placesIn = new WeakMap<ModuleMemory, Place[]>();

/**
 * Room that no other code in this thread uses: what was grown for the library before, or new pages.
 *
 * @throws {DmaBufError} `ENOMEM` if the memory cannot grow so far.
 */
export function growRoom(memory: ModuleMemory, bytes: number): Room {
  const length = wholePages(bytes);
  const places = placesOf(memory);
  const free = places.find((place) => place.isGrown && !place.isTaken && place.length >= length);
  if (free !== undefined) return take(places, free);
  const pages = length / MODULE_PAGE;
  let address: number;
  try {
    address = memory.grow(pages) * MODULE_PAGE;
  } catch (cause) {
    throw new DmaBufError("ENOMEM", `Cannot find room in the module's memory: it cannot grow by ${pages} pages`, {
      cause,
    });
  }
  const place = { address, length, isGrown: true, isTaken: false };
  places.push(place);
  return take(places, place);
}

/**
 * Room that the program has found.
 *
 * @throws {DmaBufError} `ENOMEM` if it has found none; `EBUSY` if the library uses some of it.
 * @throws {RangeError} If it does not begin at a page, or does not lie in the memory.
 */
export function roomAt(call: string, memory: ModuleMemory, address: unknown, bytes: number): Room {
  if (address === 0) throw new DmaBufError("ENOMEM", `Cannot find room in the module's memory: allocate() gave 0`);
  const what = `${call}: what option "allocate" gives must be`;
  if (typeof address !== "number") throw new TypeError(`${what} a number, not ${typeof address}`);
  if (!Number.isSafeInteger(address) || address < 0 || address % MODULE_PAGE !== 0) {
    throw new RangeError(`${what} a multiple of ${MODULE_PAGE}, not ${address}`);
  }
  const length = wholePages(bytes);
  const { byteLength } = memory.buffer;
  if (address + length > byteLength) {
    throw new RangeError(`${what} followed by ${length} bytes, not ${address}: the memory has ${byteLength} bytes`);
  }
  const places = placesOf(memory);
  const other = places.find(
    (one) => one.isTaken && one.address < address + length && address < one.address + one.length,
  );
  if (other !== undefined) {
    const range = `${other.length} bytes at ${other.address}`;
    throw new DmaBufError(
      "EBUSY",
      `Cannot use ${length} bytes at ${address} of the module's memory: ${range} are used`,
    );
  }
  const place = { address, length, isGrown: false, isTaken: false };
  places.push(place);
  return take(places, place);
}

export function wholePages(bytes: number): number {
  return Math.ceil(bytes / MODULE_PAGE) * MODULE_PAGE;
}

function placesOf(memory: ModuleMemory): Place[] {
  let places = placesIn.get(memory);
  if (places === undefined) placesIn.set(memory, (places = []));
  return places;
}

function take(places: Place[], place: Place): Room {
  place.isTaken = true;
  return {
    address: place.address,
    release() {
      if (!place.isTaken) return;
      place.isTaken = false;
      if (!place.isGrown) places.splice(places.indexOf(place), 1);
    },
  };
}

/** Bytes behind a buffer that lies in a module's memory. Whether two threads' objects are one memory is told by them. */
export const MARK_BYTES = 16;
const MARK_WORDS = MARK_BYTES / Uint32Array.BYTES_PER_ELEMENT;
const MARKED = 0x6d6f_6475;

/** Marks memory behind a buffer, at a multiple of 4. */
export function mark(memory: ArrayBufferLike, at: number): void {
  const words = new Uint32Array(memory, at, MARK_WORDS);
  words[0] = MARKED;
  for (let i = 1; i < MARK_WORDS; i++) words[i] = Math.random() * 0x1_0000_0000;
}

/** Whether a segment lies in a module's memory, at its offset. */
export function liesIn({ memory, offset, length }: StorageSegment, module: ModuleMemory): boolean {
  const { buffer } = module;
  if (memory === buffer) return true;
  const at = offset + length;
  const end = at + MARK_BYTES;
  if (!(memory instanceof SharedArrayBuffer && buffer instanceof SharedArrayBuffer) || at % 4 !== 0) return false;
  if (end > memory.byteLength || end > buffer.byteLength) return false;
  const [here, there] = [memory, buffer].map((one) => new Uint32Array(one, at, MARK_WORDS)) as [
    Uint32Array,
    Uint32Array,
  ];
  return here[0] === MARKED && here.every((word, i) => word === there[i]);
}
