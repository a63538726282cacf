import { readFileSync } from "node:fs";
import { codeOf, DmaBufError } from "../errors.js";
import { ARENA_HEAD, createArena, findArenas, type Arena } from "./ledger-arena.js";
import { LEDGER_BYTES, releaseLedger, ResourceLedger, type LedgerRelease } from "./resource-ledger.js";
import { processId, signalThread, threadId } from "./system-calls.js";

/**
 * The ledgers of a process's threads, and who releases what stands in them.
 *
 * PL1. A ledger belongs to one thread, or to several that use the same descriptors. Each is written down with its ledger,
 *     by the kernel's number and its start: a number may come again.
 * PL2. When the last thread that a ledger belongs to has left it, or has ended in whatever way, what stands in it is
 *     released, and the ledger is free for others. Any thread of the process may do it: those that have joined a domain
 *     look again and again, and each looks when it comes and when it leaves.
 * PL3. Who has a ledger is changed by one thread at a time, whose number is in the ledger's lock. A thread that ends in
 *     the middle loses the lock to the next one that wants it, which settles what was begun.
 * PL4. A ledger's place is never given back to the system: who looks at it late finds it free, or somebody else's.
 */

/** Names a ledger in all threads of a process; it can be posted to them. */
export interface LedgerKey {
  readonly arena: number;
  readonly place: number;
  /** Counts the uses of the place. */
  readonly generation: number;
}

/** At the beginning of a place, in words. */
const PLACE = {
  LOCK: 0, // FREE, OPEN, or the number of the thread that changes who has it
  GENERATION: 1,
  MEMBERS: 2, // how many of the pairs below were ever used
  FIRST_MEMBER: 4, // pairs: the number of a thread, 0 for none, and its start
} as const;

const FREE = 0;
const OPEN = -1;

/** As many as a domain has agents: each may be a thread of this process. */
const MOST_MEMBERS = 1024;
const LEDGER_OFFSET = (PLACE.FIRST_MEMBER + 2 * MOST_MEMBERS) * Int32Array.BYTES_PER_ELEMENT;
const PLACE_BYTES = Math.ceil((LEDGER_OFFSET + LEDGER_BYTES) / 4096) * 4096;
const PLACES = 64;
const LOCK_PAUSE_MS = 1;

/** A ledger's place as this thread sees it. */
interface Place {
  readonly arena: Arena;
  readonly index: number;
  /** The first word. */
  readonly at: number;
}

/** A ledger of this thread's, that nobody has used before. */
export function createLedger(): { readonly ledger: ResourceLedger; readonly key: LedgerKey } {
  releaseEnded(true);
  const place = takePlace();
  const { arena, index, at } = place;
  const key = { arena: arena.address, place: index, generation: arena.memory.load(at + PLACE.GENERATION) };
  return { key, ledger: new ResourceLedger({ buffer: arena.buffer, offset: 4 * at + LEDGER_OFFSET }) };
}

/** This thread uses what stands in the ledger, too. @returns False if no thread has it any more. */
export function joinLedger(key: LedgerKey): boolean {
  const place = findPlace(key);
  if (place === undefined || !lock(place, key.generation)) return false;
  try {
    enter(place);
    return true;
  } finally {
    settle(place);
  }
}

/** The reverse of {@link joinLedger}, and of {@link createLedger}: the last one releases what stands in the ledger. */
export function leaveLedger(key: LedgerKey): void {
  const place = findPlace(key);
  if (place === undefined || !lock(place, key.generation)) return;
  const member = members(place).find(isOwn);
  if (member !== undefined) place.arena.memory.store(member.word, 0);
  settle(place);
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
    const { arena, at } = place;
    const holder = arena.memory.load(at + PLACE.LOCK);
    if (holder === FREE) continue;
    const isSettled = holder === OPEN ? !members(place).some((one) => hasEnded(one, thorough)) : isRunning(holder);
    if (isSettled || arena.memory.compareExchange(at + PLACE.LOCK, holder, self().thread) !== holder) continue;
    const released = settle(place, thorough);
    descriptors += released.descriptors;
    mappings += released.mappings;
  }
  return { descriptors, mappings };
}

function takePlace(): Place {
  for (;;) {
    for (const place of places()) {
      const { memory } = place.arena;
      if (memory.load(place.at + PLACE.LOCK) !== FREE) continue;
      if (memory.compareExchange(place.at + PLACE.LOCK, FREE, self().thread) !== FREE) continue;
      memory.add(place.at + PLACE.GENERATION, 1);
      enter(place);
      memory.store(place.at + PLACE.LOCK, OPEN);
      return place;
    }
    createArena(ARENA_HEAD + PLACES * PLACE_BYTES);
  }
}

function* places(): Generator<Place> {
  for (const arena of findArenas()) for (let index = 0; index < PLACES; index++) yield placeIn(arena, index);
}

function placeIn(arena: Arena, index: number): Place {
  return { arena, index, at: (ARENA_HEAD + index * PLACE_BYTES) / Int32Array.BYTES_PER_ELEMENT };
}

function findPlace({ arena: address, place }: LedgerKey): Place | undefined {
  for (const arena of findArenas()) {
    if (arena.address === address && place >= 0 && place < PLACES) return placeIn(arena, place);
  }
  return undefined;
}

/** PL3. @returns False if the ledger is not what it was. */
function lock({ arena: { memory }, at }: Place, generation: number): boolean {
  for (;;) {
    const holder = memory.load(at + PLACE.LOCK);
    if (holder === FREE) return false;
    if (holder !== OPEN && isRunning(holder)) memory.park(at + PLACE.LOCK, holder, LOCK_PAUSE_MS);
    else if (memory.compareExchange(at + PLACE.LOCK, holder, self().thread) === holder) break;
  }
  if (memory.load(at + PLACE.GENERATION) === generation) return true;
  memory.store(at + PLACE.LOCK, OPEN);
  return false;
}

/** PL2, under the lock, which it opens. */
function settle(place: Place, thorough = false): LedgerRelease {
  const { arena, at } = place;
  const { memory } = arena;
  let isUsed = false;
  for (const member of members(place)) {
    if (hasEnded(member, thorough)) memory.store(member.word, 0);
    else isUsed = true;
  }
  if (isUsed) {
    memory.store(at + PLACE.LOCK, OPEN);
    return { descriptors: 0, mappings: 0 };
  }
  const released = releaseLedger({ buffer: arena.buffer, offset: 4 * at + LEDGER_OFFSET });
  memory.store(at + PLACE.MEMBERS, 0);
  memory.store(at + PLACE.LOCK, FREE);
  return released;
}

/** A thread that a ledger belongs to. */
interface LedgerMember {
  /** Where its number is. */
  readonly word: number;
  readonly thread: number;
  readonly start: number;
}

function members({ arena: { memory }, at }: Place): LedgerMember[] {
  const found: LedgerMember[] = [];
  for (let i = memory.load(at + PLACE.MEMBERS) - 1; i >= 0; i--) {
    const word = at + PLACE.FIRST_MEMBER + 2 * i;
    const thread = memory.load(word);
    if (thread !== 0) found.push({ word, thread, start: memory.load(word + 1) });
  }
  return found;
}

/** Writes this thread down, under the lock. */
function enter({ arena: { memory }, at }: Place): void {
  for (let i = 0; i < MOST_MEMBERS; i++) {
    const word = at + PLACE.FIRST_MEMBER + 2 * i;
    if (i < memory.load(at + PLACE.MEMBERS) && memory.load(word) !== 0) continue;
    memory.store(word + 1, self().start);
    memory.store(word, self().thread);
    if (i >= memory.load(at + PLACE.MEMBERS)) memory.store(at + PLACE.MEMBERS, i + 1);
    return;
  }
  throw new DmaBufError("ENOSPC", `Cannot use the descriptors of another thread: ${MOST_MEMBERS} do already`);
}

function isOwn({ thread, start }: LedgerMember): boolean {
  return thread === self().thread && start === self().start;
}

function hasEnded(member: LedgerMember, thorough: boolean): boolean {
  const { thread, start } = member;
  if (thread === self().thread) return start !== self().start;
  if (!isRunning(thread)) return true;
  if (!thorough) return false;
  const now = startOf(thread);
  return now !== undefined && now !== start;
}

function isRunning(thread: number): boolean {
  try {
    signalThread(processId(), thread, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

let own: { readonly thread: number; readonly start: number } | undefined;

/** This thread, as it is written down. */
function self(): { readonly thread: number; readonly start: number } {
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
