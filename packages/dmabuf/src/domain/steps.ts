import type { Agent, WaitCondition } from "./agent.js";
import type { HeldUp, LongWait } from "./long-waits.js";
import { countdown, limitsOf, type Ending, type Waiter, type WaitTerms } from "./wait.js";

/**
 * Calls that wait, each written once for those who block their thread and for those who return to the event loop.
 *
 * steps.1. A call yields a wait only for what it has just found not ready: so what is ready costs no promise, no timer and
 *     no second look, in both forms.
 * steps.2. One time limit counts for all waits of a call. It begins with the first of them.
 * steps.3. A wait that fails throws in the call, which gives back what it has taken, and may wait again.
 */

/** One wait, in both of its forms. It gives false if the time has passed first. */
export interface Wait {
  wait(terms: WaitTerms): Promise<boolean>;
  /** @param timeout Milliseconds. */
  waitSync(timeout: number): boolean;
  /** Who holds it up, for a warning; nothing for a wait that may take long. */
  readonly heldUp?: HeldUp | undefined;
  /** What is waited for, for other agents: see {@link ActivityLog}. */
  readonly doing?: object | undefined;
}

/** A call that waits: it yields each wait, and goes on with whether that has ended in time. */
export type Steps<T> = Generator<Wait, T, boolean>;

/**
 * The wait until something is ready that was looked at just now, and was not.
 *
 * @param heldUp Who holds it up; nothing for a wait that may take long.
 * @param ending What ends it, unless the call is ended by something else.
 */
export function until(agent: Agent, condition: WaitCondition, heldUp?: HeldUp, ending?: Ending): Wait {
  return {
    heldUp,
    doing: condition,
    wait: (terms) => agent.wait(condition, endedBy(terms, ending)),
    waitSync: (timeout) => agent.waitOnSync(condition, timeout),
  };
}

/** The terms of a wait with an end of its own, unless the call is ended by something else. */
export function endedBy(terms: WaitTerms, ending: Ending | undefined): WaitTerms {
  return ending === undefined || terms.ending !== undefined ? terms : { ...terms, ending };
}

/** As {@link until}, whatever the time limit and the signal of the call: what was begun is waited for to its end. */
export function untilItsEnd(agent: Agent, condition: WaitCondition, heldUp?: HeldUp): Wait {
  return {
    heldUp,
    doing: condition,
    wait: ({ call }) => agent.wait(condition, { call }),
    waitSync: () => agent.waitOnSync(condition),
  };
}

/**
 * Runs a call, returning to the event loop while it waits.
 *
 * @param ending What ends each of its waits. Default: that of the terms.
 * @returns What the call gives, at once if it waits for nothing.
 */
export function take<T>(waiter: Waiter, steps: Steps<T>, terms: WaitTerms, ending?: Ending): T | Promise<T> {
  const step = steps.next();
  return step.done === true ? step.value : goOn(waiter, steps, step.value, limitsOf(waiter.host, terms, ending));
}

/** Runs a call, blocking this thread while it waits. @param timeout Milliseconds; default no limit. */
export function takeSync<T>(waiter: Waiter, steps: Steps<T>, timeout?: number): T {
  let step = steps.next();
  if (step.done === true) return step.value;
  const left = countdown(waiter.host, timeout);
  try {
    do {
      let inTime: boolean;
      const { doing, heldUp }: Wait = step.value;
      try {
        waiter.longWaits?.block(heldUp);
        inTime = step.value.waitSync(left());
      } catch (error) {
        step = steps.throw(error);
        continue;
      }
      step = inTime ? steps.next(true) : timedOut(waiter, steps, doing);
    } while (step.done !== true);
  } finally {
    waiter.longWaits?.unblock();
  }
  return step.value;
}

async function goOn<T>(waiter: Waiter, steps: Steps<T>, first: Wait, limits: () => WaitTerms): Promise<T> {
  const { longWaits } = waiter;
  const call = waiter.activities?.begin();
  let long: LongWait | undefined;
  try {
    for (let wait = first; ;) {
      let inTime = false;
      let failure: { readonly error: unknown } | undefined;
      if (wait.heldUp !== undefined) long ??= longWaits?.begin();
      if (long !== undefined) long.heldUp = wait.heldUp;
      try {
        inTime = await wait.wait(call === undefined ? limits() : { ...limits(), call });
      } catch (error) {
        failure = { error };
      }
      const step =
        failure !== undefined
          ? steps.throw(failure.error)
          : inTime
            ? steps.next(true)
            : timedOut(waiter, steps, wait.doing);
      if (step.done === true) return step.value;
      wait = step.value;
    }
  } finally {
    if (long !== undefined) longWaits!.end(long);
    call?.end();
  }
}

/** The call goes on without what it has waited for, and mostly fails: its error then says who was in the way. */
function timedOut<T>({ activities }: Waiter, steps: Steps<T>, doing: object | undefined): IteratorResult<Wait, T> {
  if (activities === undefined) return steps.next(false);
  try {
    return steps.next(false);
  } catch (error) {
    activities.explain(error, doing);
    throw error;
  }
}
