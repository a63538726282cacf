import { DmaBufError } from "../../errors.js";
import type { Substrate } from "../../substrate/substrate.js";

/**
 * The members of a ledger: the threads of a process that use what is in it, in words that all of them see.
 *
 * ledger-members.1. A ledger is free, or open, or locked by the thread that changes who has it, whose number is in the
 *     lock then. Only who has the lock writes the rest, or believes what it reads there.
 * ledger-members.2. A thread that ends with the lock loses it to the next one that wants it, which settles what was
 *     begun before it does anything else: it may have been the release.
 * ledger-members.3. What is in a ledger is released when no thread is left that has it and has not ended; not
 *     before, and not by two at a time. Then it is free. Each use of it has another generation.
 */

/** In words. */
const PLACE = {
  LOCK: 0, // FREE, OPEN, or the number of a thread
  GENERATION: 1,
  USED: 2, // how many of the pairs below were ever used
  FIRST_MEMBER: 4, // pairs: the number of a thread, 0 for none, and its start
} as const;

const FREE = 0;
const OPEN = -1;
const LOCK_PAUSE_MS = 1;

export interface LedgerPlace {
  readonly memory: Substrate;
  /** The first of its words. */
  readonly at: number;
  /** For how many threads there is room. */
  readonly most: number;
}

/** How many words the members of a ledger take. */
export function memberWords(most: number): number {
  return PLACE.FIRST_MEMBER + 2 * most;
}

/** A thread, as it is written down. Its number may come again: then its start is another one. */
export interface KnownThread {
  readonly thread: number;
  readonly start: number;
}

/** What is known of the threads of a process. */
export interface Threads {
  readonly self: KnownThread;
  hasEnded(which: KnownThread): boolean;
  isRunning(thread: number): boolean;
}

/** Takes a free ledger for the calling thread. @returns Its generation, undefined if it is not free. */
export function takeLedger(place: LedgerPlace, threads: Threads): number | undefined {
  const { memory, at } = place;
  if (memory.load(at + PLACE.LOCK) !== FREE) return undefined;
  if (memory.compareExchange(at + PLACE.LOCK, FREE, threads.self.thread) !== FREE) return undefined;
  const generation = memory.add(at + PLACE.GENERATION, 1) + 1;
  enter(place, threads);
  memory.store(at + PLACE.LOCK, OPEN);
  return generation;
}

/**
 * The calling thread has it, too.
 *
 * @param release Releases what is in it.
 * @returns False if this use of the ledger is over.
 */
export function joinMembers(place: LedgerPlace, threads: Threads, generation: number, release: () => void): boolean {
  if (!lock(place, threads, generation, release)) return false;
  try {
    enter(place, threads);
    return true;
  } finally {
    place.memory.store(place.at + PLACE.LOCK, OPEN);
  }
}

/** The calling thread has it no more, once. @param release Releases what is in it. */
export function leaveMembers(place: LedgerPlace, threads: Threads, generation: number, release: () => void): void {
  if (!lock(place, threads, generation, release)) return;
  const { thread, start } = threads.self;
  const own = members(place).find((one) => one.thread === thread && one.start === start);
  if (own !== undefined) place.memory.store(own.word, 0);
  settle(place, threads, release);
}

/** Has it released if all its threads have ended, and the thread that was to release it has ended too. */
export function releaseIfEnded(place: LedgerPlace, threads: Threads, release: () => void): void {
  const { memory, at } = place;
  const holder = memory.load(at + PLACE.LOCK);
  if (holder === FREE) return;
  const isSettled = holder === OPEN ? !members(place).some((one) => threads.hasEnded(one)) : isHeld(holder, threads);
  if (isSettled || memory.compareExchange(at + PLACE.LOCK, holder, threads.self.thread) !== holder) return;
  settle(place, threads, release);
}

/** ledger-members.1, ledger-members.2. */
function lock(place: LedgerPlace, threads: Threads, generation: number, release: () => void): boolean {
  const { memory, at } = place;
  for (;;) {
    const holder = memory.load(at + PLACE.LOCK);
    if (holder === FREE) return false;
    if (holder !== OPEN && isHeld(holder, threads)) {
      memory.park(at + PLACE.LOCK, holder, LOCK_PAUSE_MS);
    } else if (memory.compareExchange(at + PLACE.LOCK, holder, threads.self.thread) === holder) {
      if (holder === OPEN) break;
      settle(place, threads, release);
    }
  }
  if (memory.load(at + PLACE.GENERATION) === generation) return true;
  memory.store(at + PLACE.LOCK, OPEN);
  return false;
}

/** A lock of the calling thread's own number is that of one that had the number before. */
function isHeld(holder: number, threads: Threads): boolean {
  return holder !== threads.self.thread && threads.isRunning(holder);
}

/** ledger-members.3, under the lock, which it opens. */
function settle(place: LedgerPlace, threads: Threads, release: () => void): void {
  const { memory, at } = place;
  let isUsed = false;
  for (const member of members(place)) {
    if (threads.hasEnded(member)) memory.store(member.word, 0);
    else isUsed = true;
  }
  if (!isUsed) {
    release();
    memory.store(at + PLACE.USED, 0);
  }
  memory.store(at + PLACE.LOCK, isUsed ? OPEN : FREE);
}

interface Member extends KnownThread {
  /** Where its number is. */
  readonly word: number;
}

function members({ memory, at }: LedgerPlace): Member[] {
  const found: Member[] = [];
  for (let i = memory.load(at + PLACE.USED) - 1; i >= 0; i--) {
    const word = at + PLACE.FIRST_MEMBER + 2 * i;
    const thread = memory.load(word);
    if (thread !== 0) found.push({ word, thread, start: memory.load(word + 1) });
  }
  return found;
}

/** Writes the calling thread down, under the lock. */
function enter({ memory, at, most }: LedgerPlace, { self }: Threads): void {
  const used = memory.load(at + PLACE.USED);
  for (let i = 0; i < most; i++) {
    const word = at + PLACE.FIRST_MEMBER + 2 * i;
    if (i < used && memory.load(word) !== 0) continue;
    memory.store(word + 1, self.start);
    memory.store(word, self.thread);
    // SYNC POINT member-before-used: who has ended between the two has not entered.
    if (i >= used) memory.store(at + PLACE.USED, used + 1);
    return;
  }
  throw new DmaBufError("ENOSPC", `Cannot use the descriptors of another thread: ${most} do already`);
}
