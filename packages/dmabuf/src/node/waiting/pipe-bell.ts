import { SLEEPERS } from "../../domain/layout.js";
import type { Substrate } from "../../substrate/substrate.js";

/**
 * How the kernel comes to wake an agent only if it sleeps: beside the doorbell's word is another one, which says
 * who sleeps there. An agent that blocks sleeps at the doorbell itself, by futex. One that has returned to its event
 * loop is woken through a pipe, which its event loop watches.
 *
 * pipe-bell.1. Only the agent itself writes the word: how many of its waits have returned to the event loop and sleep,
 *      and, in a bit of its own, whether its thread blocks.
 * pipe-bell.2. An agent that goes to sleep says so in the word before the doorbell is compared with what was read
 *      earlier: by itself, or, if it blocks, by the kernel.
 * pipe-bell.3. An agent that rings has changed the doorbell before it looks at the word. If the agent blocks, it wakes
 *      the futex; if waits sleep in the event loop, it writes a byte into the pipe. If the pipe is full, it need not:
 *      the agent has something to read already.
 * pipe-bell.4. When the agent has something to read, it reads first, then sets its word to 0 (it does not block just
 *      then), and then resumes all its sleepers. A byte that comes later resumes, too early, those that sleep then;
 *      that is allowed (substrate.4).
 *
 * So no wake-up is lost: by pipe-bell.2 and pipe-bell.3 either the sleeper sees the changed doorbell, or the ringer
 * sees the word. The ringer never clears the word, so that one that is killed between its look and its byte hides no
 * sleeper from the next; the price is a byte from each ringer until the agent has had a turn. What a sleeper leaves
 * that is killed costs ringers a call of the kernel each, until the slot's next agent sleeps there.
 */

/**
 * pipe-bell.2, for a wait that has returned to the event loop. Returns whether it sleeps now; if not, the doorbell has
 * changed.
 */
export function announceSleeper(memory: Substrate, bell: number, word: number, expected: number): boolean {
  const sleepers = memory.load(word);
  memory.store(word, sleepers + 1);
  // SYNC POINT sleepers-before-bell: pairs with ringSleepers().
  if (memory.load(bell) === (expected | 0)) return true;
  memory.store(word, sleepers);
  return false;
}

/** pipe-bell.2, for a thread that blocks: the kernel compares the doorbell after this. */
export function announceBlocked(memory: Substrate, word: number): void {
  // SYNC POINT sleepers-before-bell: pairs with ringSleepers().
  memory.store(word, memory.load(word) | SLEEPERS.blocks.mask);
}

/** The thread no longer blocks; its waits in the event loop sleep on. */
export function endBlocked(memory: Substrate, word: number): void {
  memory.store(word, memory.load(word) & ~SLEEPERS.blocks.mask);
}

/**
 * Calls the kernel only if an agent sleeps (pipe-bell.3).
 *
 * @param wakeBlocked Wakes the doorbell's futex; returns how many slept there.
 * @param writeByte Writes a byte into the pipe.
 * @returns How many sleepers there were.
 */
export function ringSleepers(
  memory: Substrate,
  word: number,
  wakeBlocked: () => number,
  writeByte: () => void,
): number {
  // SYNC POINT sleepers-before-bell: the caller has changed the doorbell.
  const sleepers = memory.load(word);
  const inLoop = SLEEPERS.inLoop.in(sleepers);
  if (inLoop !== 0) writeByte();
  return inLoop + (SLEEPERS.blocks.in(sleepers) === 0 ? 0 : wakeBlocked());
}

/** pipe-bell.4, after the pipe has been read: the sleepers may go when this returns. */
export function clearSleepers(memory: Substrate, word: number): void {
  memory.store(word, 0);
}
