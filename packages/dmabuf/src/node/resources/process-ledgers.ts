import { readFileSync } from "node:fs";
import { codeOf } from "../../errors.js";
import { ARENA_HEAD, createArena, findArenas, type Arena } from "./ledger-arena.js";
import {
  joinMembers,
  leaveMembers,
  memberWords,
  releaseIfEnded,
  takeLedger,
  type KnownThread,
  type LedgerPlace,
  type Threads,
} from "./ledger-members.js";
import {
  LEDGER_BYTES,
  releaseLedger,
  ResourceLedger,
  type LedgerMemory,
  type LedgerRelease,
} from "./resource-ledger.js";
import { processId, signalThread, threadId } from "../system-calls/index.js";

/**
 * The ledgers of a process's threads, and the release of what is in them.
 *
 * process-ledgers.1. A ledger belongs to one thread, or to several that use the same descriptors. Each is written down
 *     with its ledger, by the kernel's number and its start: a number may come again.
 * process-ledgers.2. When the last thread that a ledger belongs to has left it, or has ended in whatever way, what
 *     is in it is released, and the ledger is free for others. Any thread of the process may do it: those that have
 *     joined a domain look again and again, and each looks when it comes and when it leaves. See ledger-members.ts.
 * process-ledgers.3. A ledger's place is never given back to the system: a thread that looks at it late finds it free,
 *      or another thread's.
 */

/** Names a ledger in all threads of a process; it can be posted to them. */
export interface LedgerKey {
  readonly arena: number;
  readonly place: number;
  /** Counts the uses of the place. */
  readonly generation: number;
}

/** As many as a domain has agents: each may be a thread of this process. */
const MOST_MEMBERS = 1024;
const LEDGER_OFFSET = memberWords(MOST_MEMBERS) * Int32Array.BYTES_PER_ELEMENT;
const PLACE_BYTES = Math.ceil((LEDGER_OFFSET + LEDGER_BYTES) / 4096) * 4096;
const PLACES = 64;

/** A ledger's place as this thread sees it. */
interface Place extends LedgerPlace {
  readonly arena: Arena;
  readonly index: number;
}

/** A ledger of this thread's, that was not used before. */
export function createLedger(): { readonly ledger: ResourceLedger; readonly key: LedgerKey } {
  releaseEnded(true);
  const { place, generation } = takePlace();
  const key = { arena: place.arena.address, place: place.index, generation };
  return { key, ledger: new ResourceLedger(memoryOf(place)) };
}

/** This thread uses what is in the ledger, too. @returns False if no thread has it any more. */
export function joinLedger(key: LedgerKey): boolean {
  const place = findPlace(key);
  return place !== undefined && joinMembers(place, threads(), key.generation, () => release(place));
}

/** The reverse of {@link joinLedger}, and of {@link createLedger}: the last one releases what is in the ledger. */
export function leaveLedger(key: LedgerKey): void {
  const place = findPlace(key);
  if (place !== undefined) leaveMembers(place, threads(), key.generation, () => release(place));
}

/**
 * Releases what threads of this process have left that have ended.
 *
 * @param thorough Also looks whether the number of a thread that lives is that of another one by now.
 */
export function releaseEnded(thorough = false): LedgerRelease {
  let descriptors = 0;
  let mappings = 0;
  for (const place of places()) {
    releaseIfEnded(place, threads(thorough), () => {
      const released = release(place);
      descriptors += released.descriptors;
      mappings += released.mappings;
    });
  }
  return { descriptors, mappings };
}

function takePlace(): { readonly place: Place; readonly generation: number } {
  for (;;) {
    for (const place of places()) {
      const generation = takeLedger(place, threads());
      if (generation !== undefined) return { place, generation };
    }
    createArena(ARENA_HEAD + PLACES * PLACE_BYTES);
  }
}

function* places(): Generator<Place> {
  for (const arena of findArenas()) for (let index = 0; index < PLACES; index++) yield placeIn(arena, index);
}

function placeIn(arena: Arena, index: number): Place {
  const at = (ARENA_HEAD + index * PLACE_BYTES) / Int32Array.BYTES_PER_ELEMENT;
  return { arena, index, at, memory: arena.memory, most: MOST_MEMBERS };
}

function release(place: Place): LedgerRelease {
  return releaseLedger(memoryOf(place));
}

function memoryOf({ arena, at }: Place): LedgerMemory {
  return { buffer: arena.buffer, offset: at * Int32Array.BYTES_PER_ELEMENT + LEDGER_OFFSET };
}

function findPlace({ arena: address, place }: LedgerKey): Place | undefined {
  for (const arena of findArenas()) {
    if (arena.address === address && place >= 0 && place < PLACES) return placeIn(arena, place);
  }
  return undefined;
}

function threads(thorough = false): Threads {
  return { self: self(), isRunning, hasEnded: thorough ? hasSurelyEnded : hasEnded };
}

function hasEnded({ thread, start }: KnownThread): boolean {
  return thread === self().thread ? start !== self().start : !isRunning(thread);
}

/** Also if its number is that of another thread by now. */
function hasSurelyEnded(which: KnownThread): boolean {
  if (hasEnded(which)) return true;
  const now = startOf(which.thread);
  return now !== undefined && now !== which.start;
}

function isRunning(thread: number): boolean {
  try {
    signalThread(processId(), thread, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

let own: KnownThread | undefined;

/** This thread, as it is written down. */
function self(): KnownThread {
  if (own !== undefined) return own;
  const thread = threadId();
  return (own = { thread, start: startOf(thread) ?? 0 });
}

/** When a thread of this process has begun, in ticks of the kernel's clock; undefined if it has ended. */
function startOf(thread: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1");
    // The name of the thread, in brackets, may have spaces.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START]) | 0;
  } catch {
    return undefined;
  }
}

/** Which field of a thread's state that is, counted from the one after its name. */
const START = 19;
