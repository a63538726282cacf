import { allOrNothing } from "../all-or-nothing.js";
import { DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import { checkOptions, NAME, refuse, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { isLater, promised } from "../domain/promised.js";
import { codeOf } from "../errors.js";
import { setCause, type Fence } from "./fence.js";
import { createFence } from "./local-fence.js";
import { publish } from "./published-fence.js";
import { TIME_LIMIT } from "./timeline.js";
import { noUserFence } from "./user-fence.js";

/** Options of {@link Domain.fenceFrom}. */
export interface PromiseFenceOptions {
  /** For people; at most 31 bytes of UTF-8. Default "promise". */
  readonly name?: string;
  /** Milliseconds after which the fence ends with `ETIMEDOUT`, whatever the promise does. Default 10,000. */
  readonly timeLimit?: number;
}

export const PROMISE_FENCE: Kinds<PromiseFenceOptions> = { name: NAME, timeLimit: TIME_LIMIT };

const PROMISE = /* @__PURE__ */ noUserFence({
  wanted: "a promise, or another object with a method then()",
  isKind: () => false,
});

/**
 * A fence that signals when a promise settles: without an error if it fulfils, and with {@link codeOf} of the reason if it
 * rejects. All agents can wait for it. In this thread the reason is the error's `cause`.
 *
 * The promise is the work: after the time limit, the buffers that the fence was added to stay reserved until it settles.
 *
 * @throws {TypeError} If there is no promise.
 * @throws {RangeError} Naming the option that is out of range.
 * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
 */
export function promiseFence(agent: Agent, promise: PromiseLike<unknown>, options: PromiseFenceOptions = {}): Fence {
  checkOptions("Domain.fenceFrom()", options, PROMISE_FENCE);
  const { name = "promise", timeLimit = DEFAULT_TIME_LIMIT } = options;
  const work = promised(promise);
  if (!isLater(work)) refuse("Domain.fenceFrom()", "promise", promise, PROMISE);
  const fence = createFence(agent, { driverName: "promise", timelineName: name });
  allOrNothing((orUndo) => {
    // No fence hears of it any more.
    orUndo(() => void work.catch(() => {}));
    publish(fence, timeLimit);
  });
  work.then(
    () => fence.signal(),
    (reason: unknown) => {
      if (!fence.isSignaled()) {
        fence.setError(codeOf(reason));
        setCause(fence, reason);
      }
      fence.signal();
    },
  );
  return fence;
}
