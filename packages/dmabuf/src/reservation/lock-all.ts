import { check, checkList } from "../arguments.js";
import { AGENT_KIND, checkOwn, type Agent } from "../domain/agent.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { AcquireContext, WouldDeadlockError } from "./acquire-context.js";
import { RESERVATION, type Reservation } from "./reservation.js";

/**
 * Locks several reservations together, in any order, without a deadlock: who must give way unlocks everything, waits
 * for the contended one first, and begins again with the same ticket. A reservation named twice is locked once.
 *
 * @returns The context that holds them; dispose it to unlock all.
 * @throws {DmaBufError} `ETIMEDOUT` if a timeout was given and passed; `EBADF` if one of them was closed, also meanwhile.
 *   Nothing is locked then.
 */
export async function lockAll(
  agent: Agent,
  reservations: Iterable<Reservation>,
  options: WaitOptions = {},
): Promise<AcquireContext> {
  check("lockAll()", "agent", agent, AGENT_KIND);
  const all = checkList("lockAll()", "reservations", reservations, RESERVATION);
  for (const [i, reservation] of all.entries()) checkOwn("lockAll()", `reservations[${i}]`, reservation.agent, agent);
  checkWait("lockAll()", options);
  const order = new BackOffOrder(agent, all);
  try {
    for (let next = order.next(); next !== undefined; next = order.next()) {
      try {
        await next.lock(order.context, options);
      } catch (error) {
        order.backOff(error);
      }
    }
    return order.done();
  } catch (error) {
    order.context[Symbol.dispose]();
    throw error;
  }
}

/** As {@link lockAll}, blocking this thread. @param options `timeout` in milliseconds for each lock; default no limit. */
export function lockAllSync(
  agent: Agent,
  reservations: Iterable<Reservation>,
  options: { readonly timeout?: number } = {},
): AcquireContext {
  check("lockAllSync()", "agent", agent, AGENT_KIND);
  const all = checkList("lockAllSync()", "reservations", reservations, RESERVATION);
  for (const [i, reservation] of all.entries())
    checkOwn("lockAllSync()", `reservations[${i}]`, reservation.agent, agent);
  checkWaitSync("lockAllSync()", options);
  const order = new BackOffOrder(agent, all);
  try {
    for (let next = order.next(); next !== undefined; next = order.next()) {
      try {
        next.lockSync(order.context, options);
      } catch (error) {
        order.backOff(error);
      }
    }
    return order.done();
  } catch (error) {
    order.context[Symbol.dispose]();
    throw error;
  }
}

/** Which reservation comes next, and what a back-off does to the order. */
class BackOffOrder {
  readonly context: AcquireContext;
  #order: Reservation[];
  #position = 0;

  constructor(agent: Agent, reservations: Iterable<Reservation>) {
    this.context = new AcquireContext(agent);
    this.#order = [...new Map([...reservations].map((each) => [each.shared, each])).values()];
  }

  next(): Reservation | undefined {
    return this.#order[this.#position++];
  }

  backOff(error: unknown): void {
    if (!(error instanceof WouldDeadlockError)) throw error;
    this.context.backOff();
    const contended = error.reservation;
    this.#order = [contended, ...this.#order.filter((reservation) => reservation !== contended)];
    this.#position = 0;
  }

  done(): AcquireContext {
    // A close has opened the lock of the one while another was waited for.
    for (const reservation of this.#order) reservation.checkOpen();
    this.context.done();
    return this.context;
  }
}
