import { isLive, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { findRetired } from "./failures";
import { ERRNO, ONE_SHOT, ONE_SHOT_STATE as STATE } from "./layout";
import { oneShotAt } from "./places";
import { timed, timeIn, timeless } from "./tagged-time";
import { compareExchange, compareExchange64, load64, loadWord } from "./words";

/** The hot part of a published fence; see domain/one-shot-slot.ts for the rules. */

function signaledWord(pending: i32, error: i32): i32 {
  return pending | STATE.ofSignaled(1) | STATE.ofError(error);
}

/**
 * Signals the fence. Whichever agent has the right to may do it (the publisher, hang recovery, recovery after a death).
 *
 * @param error Positive errno, 0 for success.
 * @returns Whether this call decided the fence.
 */
export function completeOneShot(slot: i32, generation: i32, error: i32, timestamp: f64): bool {
  const base = oneShotAt(slot);
  const pending = STATE.ofGeneration(generation);
  if (loadWord(base + ONE_SHOT.STATE) != pending) return false;
  // The agent that decides the fence finds a time that stays, and one that is too late does not find the next fence's.
  compareExchange64(base + ONE_SHOT.TIME, timeless(generation), timed(generation, timestamp));
  const decided = compareExchange(base + ONE_SHOT.STATE, pending, signaledWord(pending, error)) == pending;
  ringAll(base + ONE_SHOT.WAITERS);
  return decided;
}

export function isOneShotSignaled(slot: i32, generation: i32): bool {
  const base = oneShotAt(slot);
  if (loadWord(base + ONE_SHOT.STATE) != STATE.ofGeneration(generation)) return true;
  return loadWord(base + ONE_SHOT.GENERATION) != generation;
}

/** Whether the fence is signaled and its work has finished: it is not overdue (one-shot-slot.4). */
export function isOneShotFinished(slot: i32, generation: i32): bool {
  const base = oneShotAt(slot);
  const pending = STATE.ofGeneration(generation);
  const state = loadWord(base + ONE_SHOT.STATE);
  if (state != pending) {
    if (state != signaledWord(pending, ERRNO.ETIMEDOUT)) return true;
    if (loadWord(base + ONE_SHOT.ACKNOWLEDGED) == generation) return true;
    // SYNC POINT acknowledged-before-free.
    if (!isLive(loadWord(base + ONE_SHOT.OWNER))) return true;
  }
  return loadWord(base + ONE_SHOT.GENERATION) != generation;
}

/** 0 pending, 1 signaled, a negative errno if it failed, `-ESTALE` if that is no longer known. */
export function oneShotStatus(slot: i32, generation: i32): i32 {
  const base = oneShotAt(slot);
  const state = loadWord(base + ONE_SHOT.STATE);
  let error = STATE.error(state);
  // SYNC POINT generation-before-reset, as for a timeline.
  if (loadWord(base + ONE_SHOT.GENERATION) != generation) error = findRetired(slot, generation, 1);
  else if (state == STATE.ofGeneration(generation)) return 0;
  return error == 0 ? 1 : -error;
}

/** When the fence signaled, in nanoseconds; -1 if its slot has moved on. */
export function oneShotTime(slot: i32, generation: i32): f64 {
  const base = oneShotAt(slot);
  const time = timeIn(load64(base + ONE_SHOT.TIME), generation);
  return loadWord(base + ONE_SHOT.GENERATION) == generation ? time : -1;
}

/** Asks that an agent's doorbell rings when the fence signals. The caller looks again afterwards. */
export function armOneShot(slot: i32, agent: i32): void {
  setBit(oneShotAt(slot) + ONE_SHOT.WAITERS, agent);
}
