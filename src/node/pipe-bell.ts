import type { Substrate } from "../substrate/substrate.js";

/**
 * How an agent that has returned to its event loop is woken by another process: a pipe, which its event loop watches.
 * Beside the doorbell's word stands another one, the count of the agent's sleepers.
 *
 * PB1. Only the agent itself writes its count: how many of its waits have returned to the event loop and sleep.
 * PB2. Whoever goes to sleep counts itself before it compares the doorbell with what was read earlier.
 * PB3. Whoever rings has changed the doorbell before it looks at the count; if that is not 0, it writes a byte into the
 *      pipe. If the pipe is full, it need not: the agent has something to read already.
 * PB4. When the agent has something to read, it reads first, then sets its count to 0, and then lets all its sleepers
 *      go. A byte that comes later lets go, too early, whoever sleeps then; that is allowed (S4).
 *
 * So no wake-up is lost: by PB2 and PB3 either the sleeper sees the changed doorbell, or the ringer sees the count. The
 * ringer never clears the count, so that one that is killed between its look and its byte hides no sleeper from the
 * next; the price is a byte from each ringer until the agent has had a turn.
 */

/** PB2. Returns whether the agent sleeps now; if not, the doorbell has changed. */
export function announceSleeper(memory: Substrate, bell: number, count: number, expected: number): boolean {
  const sleepers = memory.load(count);
  memory.store(count, sleepers + 1);
  // SYNC POINT count-before-bell: pairs with ringSleepers().
  if (memory.load(bell) === (expected | 0)) return true;
  memory.store(count, sleepers);
  return false;
}

/** PB3. `write` writes a byte into the pipe. Returns how many sleepers there were. */
export function ringSleepers(memory: Substrate, count: number, write: () => void): number {
  // SYNC POINT count-before-bell: the caller has changed the doorbell.
  const sleepers = memory.load(count);
  if (sleepers !== 0) write();
  return sleepers;
}

/** PB4, after the pipe has been read: the sleepers may go when this returns. */
export function clearSleepers(memory: Substrate, count: number): void {
  memory.store(count, 0);
}
