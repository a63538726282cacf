import { check, checkOptions, NAME, type Kind, type Kinds } from "../arguments.js";
import { checkOwn } from "../domain/agent.js";
import { Held, owned } from "../domain/held.js";
import { take, takeSync, until, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { FENCE, fenceAgent, type Fence } from "./fence.js";
import { FENCE_HANDLE } from "./fence-handle.js";
import { waitResult, type WaitResult } from "./read-fence.js";
import type { UserFenceBacking } from "./user-fence-backing.js";
import type { UserFenceHandle } from "./user-fence-handle.js";
import type { UserFenceTable } from "./user-fence-table.js";

/** Options of {@link Domain.createUserFence}. */
export interface UserFenceOptions {
  /** For people; at most 31 bytes of UTF-8. Default "user". */
  readonly name?: string;
}

const OPTIONS: Kinds<UserFenceOptions> = { name: NAME };

/** What is behind a fence, for the library. @throws {DmaBufError} `EBADF` after the close. */
export let userBackingOf: (fence: UserFence) => UserFenceBacking;
export let makeUserFence: (backing: UserFenceBacking) => UserFence;

export function createUserFence(table: UserFenceTable, options: UserFenceOptions = {}): UserFence {
  checkOptions("Domain.createUserFence()", options, OPTIONS);
  return makeUserFence(table.create(options.name ?? "user"));
}

/**
 * A fence that user code decides: each agent that has it may signal it, and it promises nothing.
 *
 * user-fence.1. It signals once, whichever agent does it, without an error, and never goes back.
 * user-fence.2. Nothing else ends it: no time limit, no hang recovery, no death, not even of the agent that made it.
 * user-fence.3. So it is no {@link Fence}: wherever one is wanted that ends in bounded time, it is refused with `EINVAL`, and
 *     so is its handle. A {@link Fence} may signal a user fence, and never the other way round.
 * user-fence.4. A wait that is under way goes on when its holder is closed. A thread does not block without a limit for a
 *     fence that no other agent can reach.
 *
 * It has a place in shared memory until the last holder anywhere is closed or dead, and no handle to it is on its way. A holder
 * that is forgotten is closed when it is collected.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using ready = domain.createUserFence({ name: "model loaded" });
 * setTimeout(() => ready.signal(), 10);
 * console.log(await ready.wait({ timeout: 1000 })); // "signaled"
 * ```
 *
 * @see linux/Documentation/driver-api/dma-buf.rst, "Indefinite DMA Fences"
 */
export class UserFence implements Disposable {
  static {
    userBackingOf = (fence) => fence.#open();
    makeUserFence = (backing) => new UserFence(backing);
  }

  readonly #backing: UserFenceBacking;
  readonly #held: Held;

  // The library alone makes user fences. What they are made of is not in the published types.
  protected constructor(...parts: unknown[]);
  protected constructor(backing: UserFenceBacking) {
    backing.hold();
    this.#backing = backing;
    // What is forgotten keeps no agent from anything: no warning is due.
    this.#held = new Held(
      backing.agent.held,
      () => undefined,
      () => backing.release(),
    );
    owned(this.#held, this);
  }

  /** For people. @throws {DmaBufError} `EBADF` after the close. */
  get name(): string {
    return this.#open().name;
  }

  /** Whether this holder was closed. */
  get isClosed(): boolean {
    return this.#held.isOver;
  }

  /**
   * Signals the fence, in all agents.
   *
   * @returns False if it was signaled before.
   * @throws {DmaBufError} `EBADF` after the close, or if this thread has left the domain.
   */
  signal(): boolean {
    return this.#open().signal();
  }

  /**
   * Signals the fence when a DMA fence has, with an error or without. It is this agent that does it: if it leaves or dies
   * before, it does not happen. The close of this holder changes nothing.
   *
   * @throws {DmaBufError} `EINVAL` for a user fence; `EBADF` after the close.
   * @throws {TypeError} If the fence is of another agent.
   */
  signalAfter(fence: Fence): void {
    check("UserFence.signalAfter()", "fence", fence, FENCE);
    const backing = this.#open();
    checkOwn("UserFence.signalAfter()", "fence", fenceAgent(fence), backing.agent);
    backing.hold();
    const signal = (): void => {
      try {
        if (!backing.agent.ending.isOver) backing.signal();
      } finally {
        backing.release();
      }
    };
    if (!fence.addCallback(signal).queued) signal();
  }

  /** Whether the fence has signaled. @throws {DmaBufError} `EBADF` after the close. */
  isSignaled(): boolean {
    return this.#open().isSignaled();
  }

  /**
   * Waits until the fence signals, for as long as that takes. The close of this holder does not end the wait.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EINVAL` for a negative timeout; `EBADF` after the close; `ECANCELED` if this thread leaves the
   *   domain; the signal's reason if it aborts (a signaled fence wins).
   */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("UserFence.wait()", options);
    const backing = this.#open();
    return take(backing.agent, waiting(backing), options);
  }

  /**
   * As {@link wait}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if no other agent has
   *   the fence, and no handle to it is on its way.
   */
  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("UserFence.waitSync()", options);
    const backing = this.#open();
    return takeSync(backing.agent, waiting(backing), options.timeout);
  }

  /** Another holder of the same fence in this agent. @throws {DmaBufError} `EBADF` after the close. */
  duplicate(): UserFence {
    return makeUserFence(this.#open());
  }

  /**
   * A handle to send to another agent, which may then do with the fence whatever this one may.
   *
   * @throws {DmaBufError} `EAGAIN` if too many of its handles are in flight; `EBADF` after the close, or if this thread has
   *   left the domain.
   */
  handle(): UserFenceHandle {
    return this.#open().handle();
  }

  /** Drops this holder; it signals nothing. Twice does nothing. */
  close(): void {
    this.#held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): UserFenceBacking {
    if (!this.#held.isOver) return this.#backing;
    throw new DmaBufError("EBADF", "Cannot use the user fence: this holder has closed it");
  }
}

/** user-fence.3: the same kind, where a user fence, or its handle, is `EINVAL`. */
export function noUserFence(kind: Kind): Kind {
  const { nameOf } = kind;
  const isUserFence = (value: unknown): boolean =>
    value instanceof UserFence || (value as { readonly kind?: unknown } | null | undefined)?.kind === "user-fence";
  return {
    ...kind,
    nameOf: (value) =>
      isUserFence(value) ? "a user fence, which may never end and so cannot be there" : nameOf?.(value),
    codeOf: (value) => (isUserFence(value) ? "EINVAL" : undefined),
  };
}

// What `dmabuf/streams` has too: there are no user fences there, and it is small.
for (const kind of [FENCE, FENCE_HANDLE]) Object.assign(kind, noUserFence(kind));

function* waiting(backing: UserFenceBacking): Steps<WaitResult> {
  if (backing.isSignaled()) return "signaled";
  backing.hold();
  try {
    return waitResult(yield until(backing.agent, backing.awaited()));
  } finally {
    backing.release();
  }
}
