import { readFileSync } from "node:fs";
import type { Substrate } from "../../substrate/substrate.js";
import { createProcessSubstrate } from "../waiting/process-substrate.js";
import { closeDescriptor, createMemoryFile, mapMemory, setFileLength, viewOf } from "../system-calls/index.js";

/**
 * Memory that all threads of a process find without each other's help, so that one that no other thread knew can be
 * cleaned up after: a worker that has loaded this library by itself shares no object with any other thread.
 *
 * ledger-arena.1. An arena is found by its name among the process's mappings. It is mapped private, so that no other
 *     process writes there; and no file that a peer has sent is ever mapped so, whatever its name is.
 * ledger-arena.2. An arena stays as long as the process: a thread that has found one may look there until its end.
 * ledger-arena.3. A thread that makes an arena tells those that were there before, in each arena that it finds afterwards. Of two
 *     that make one at the same time, at least the later one finds the other.
 */

/** Another version of this library in the same process has arenas of its own. */
const NAME = "dmabuf ledgers 1";
const NEWS = 0;

/** An arena as this thread sees it. */
export interface Arena {
  readonly address: number;
  readonly buffer: ArrayBuffer;
  readonly memory: Substrate;
}

/** Bytes before the first place, for this module. */
export const ARENA_HEAD = 4096;

const arenas = new Map<number, Arena>();
/** What each arena said when this thread last looked for others. */
const heard = new Map<Arena, number>();

/** All arenas of this process. It looks for new ones only if there is news, or there was none. */
export function findArenas(): Iterable<Arena> {
  if (arenas.size === 0 || [...arenas.values()].some((arena) => arena.memory.load(NEWS) !== heard.get(arena))) look();
  return arenas.values();
}

/** One more. @param length Bytes, whole pages. */
export function createArena(length: number): Arena {
  const file = createMemoryFile(NAME);
  let address: bigint;
  try {
    setFileLength(file, length);
    address = mapMemory({ length, protection: "read-write", fd: file, private: true, noReserve: true });
  } finally {
    closeDescriptor(file);
  }
  look();
  for (const other of arenas.values()) if (other.address !== Number(address)) other.memory.add(NEWS, 1);
  return arenas.get(Number(address))!;
}

function look(): void {
  // SYNC POINT news-before-look: what is announced after this is looked for the next time.
  for (const arena of arenas.values()) heard.set(arena, arena.memory.load(NEWS));
  for (const [, from, to] of readFileSync("/proc/self/maps", "latin1").matchAll(MAPPING)) {
    const address = Number(`0x${from}`);
    if (!arenas.has(address)) enter(address, Number(`0x${to}`) - address);
  }
}

const MAPPING = new RegExp(`^([0-9a-f]+)-([0-9a-f]+) rw-p .*/memfd:${NAME} \\(deleted\\)$`, "gm");

function enter(address: number, length: number): void {
  const buffer = viewOf(BigInt(address), length);
  const none = { slots: 0, bell: 0, sleepers: 0, stride: 1, pipeOf: () => -1 };
  const arena = { address, buffer, memory: createProcessSubstrate({ memory: buffer, doorbells: none }) };
  // SYNC POINT news-before-look: not what it says by now, of which this look may have seen nothing.
  heard.set(arena, -1);
  arenas.set(address, arena);
}
