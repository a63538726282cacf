import type { Agent } from "../domain/agent.js";
import type { Steps } from "../domain/steps.js";
import { ContextLocks } from "./acquire-context.js";
import { userOf, WouldDeadlockError, type Reservation } from "./reservation.js";

/**
 * Locks several reservations of this agent together, in any order, without a deadlock: a context that must give way
 * unlocks everything, waits for the contended one first, and begins again with the same ticket. A reservation named
 * twice is locked once.
 *
 * @param timeout For messages.
 * @returns The locks of a new context; dispose them to unlock all.
 * @throws {DmaBufError} `ETIMEDOUT` if a timeout was given and passed; `EBADF` if one of them was closed, also during the wait.
 *   Nothing is locked then.
 */
export function* lockEach(agent: Agent, reservations: Iterable<Reservation>, timeout?: number): Steps<ContextLocks> {
  const context = new ContextLocks(agent);
  let order = [...new Map([...reservations].map((each) => [userOf(each).shared, each])).values()];
  try {
    for (let next = 0; next < order.length; next++) {
      try {
        yield* userOf(order[next]!).locking(context, timeout);
      } catch (error) {
        if (!(error instanceof WouldDeadlockError)) throw error;
        context.openAll();
        const contended = error.reservation;
        order = [contended, ...order.filter((reservation) => reservation !== contended)];
        next = -1;
      }
    }
    // A close has opened the lock of the one while another was waited for.
    for (const reservation of order) userOf(reservation).checkOpen();
    context.done();
    return context;
  } catch (error) {
    context.end();
    throw error;
  }
}
