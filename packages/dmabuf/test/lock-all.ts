import type { Agent } from "../src/domain/agent.js";
import { take, takeSync } from "../src/domain/steps.js";
import type { WaitTerms } from "../src/domain/wait.js";
import { makeAcquireContext, type AcquireContext } from "../src/reservation/acquire-context.js";
import { lockEach } from "../src/reservation/lock-all.js";
import type { Reservation } from "../src/reservation/reservation.js";

/** As `Domain.lockAll()`, for reservations of an agent without a domain. */
export async function lockAll(
  agent: Agent,
  all: Iterable<Reservation>,
  terms: WaitTerms = {},
): Promise<AcquireContext> {
  return makeAcquireContext(agent, await take(agent, lockEach(agent, all, terms.timeout), terms));
}

/** As {@link lockAll}, blocking this thread. */
export function lockAllSync(
  agent: Agent,
  all: Iterable<Reservation>,
  { timeout }: { readonly timeout?: number } = {},
): AcquireContext {
  return makeAcquireContext(agent, takeSync(agent, lockEach(agent, all, timeout), timeout));
}
