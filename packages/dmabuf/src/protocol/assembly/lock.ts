import { isLive, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { BUFFER, IDENTITY, LOCK, LOCK_ATTEMPT } from "./layout";
import { bufferAt } from "./places";
import { compareExchange64, load64 } from "./words";

/** A buffer's reservation lock; see reservation/lock.ts for the rules. */

/** The lock word of a holder (lock.1). */
function lockWord(identity: i32, ticket: i32): i64 {
  return LOCK.ofHolder(identity) | LOCK.ofTicket(ticket);
}

/**
 * Takes the lock if it is open or its holder is dead. Otherwise it says what its caller does now.
 *
 * @param ticket Of the caller's acquire context, 0 without one.
 * @param held How many locks it holds under that.
 */
export function tryTakeLock(buffer: i32, identity: i32, ticket: i32, held: i32): i32 {
  const word = bufferAt(buffer) + BUFFER.LOCK;
  const mine = lockWord(identity, ticket);
  let holder = compareExchange64(word, 0, mine);
  while (holder != 0 && !isLive(<i32>LOCK.holder(holder))) {
    // The reservation needs no repair: an update that was not published has changed nothing (entries.3).
    openWord(buffer, holder);
    holder = compareExchange64(word, 0, mine);
  }
  return holder == 0 ? LOCK_ATTEMPT.TAKEN : besideLive(holder, mine, held);
}

function besideLive(holder: i64, mine: i64, held: i32): i32 {
  const ticket = <i32>LOCK.ticket(mine);
  if (ticket == 0) return LOCK_ATTEMPT.WAIT;
  if (holder == mine) return LOCK_ATTEMPT.OWN;
  const other = <i32>LOCK.ticket(holder);
  // lock.2. A smaller ticket, by signed difference, is older; a holder without one has no order.
  return held > 0 && other != 0 && other - ticket < 0 ? LOCK_ATTEMPT.GIVE_WAY : LOCK_ATTEMPT.WAIT;
}

/** Opens the lock, unless it is no longer the holder's (which had been declared dead). */
export function openLock(buffer: i32, holder: i32, ticket: i32): void {
  openWord(buffer, lockWord(holder, ticket));
}

/** lock.3, lock.4. */
function openWord(buffer: i32, word: i64): void {
  const base = bufferAt(buffer);
  compareExchange64(base + BUFFER.LOCK, word, 0);
  ringAll(base + BUFFER.LOCK_WAITERS);
}

/** Asks that the agent's doorbell rings when the lock opens. The caller looks again afterwards (lock.4). */
export function armLock(buffer: i32, identity: i32): void {
  setBit(bufferAt(buffer) + BUFFER.LOCK_WAITERS, IDENTITY.slot(identity));
}

/** The identity of the holder, 0 if the lock is open. */
export function lockHolder(buffer: i32): i32 {
  return <i32>LOCK.holder(load64(bufferAt(buffer) + BUFFER.LOCK));
}
