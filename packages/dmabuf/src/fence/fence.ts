import { check, checkObject, FUNCTION, instance, integer, NANOSECONDS, orElse, shown } from "../arguments.js";
import { Agent, AGENT_KIND, type WaitCondition } from "../domain/agent.js";
import { isLaterFence } from "../domain/fence-order.js";
import { checkWait, checkWaitSync, waitUntil, type WaitOptions } from "../domain/wait.js";
import { runEnd } from "../domain/promised.js";
import { DmaBufError, ERRNO, errorCode, type ErrorCode, textOf } from "../errors.js";
import { FENCE_OPS, type FenceOps } from "./fence-ops.js";

export type { FenceOps } from "./fence-ops.js";

/**
 * "This piece of asynchronous work has finished", once, with an error or without.
 *
 * fence.1. A fence signals at most once and never goes back; its error is stored before that and does not change
 *      afterwards.
 * fence.2. Fences of one context signal in the order of their sequence numbers.
 * fence.3. A callback runs exactly once if it was queued, before `signal()` returns, in the order of registration, or
 *     never if the fence was signaled when it was added.
 * fence.4. `enableSignaling` runs at most once, before the first callback or wait; if it says no, the fence is
 *      signaled.
 * fence.5. A wait says that the fence has signaled, not that the work was good: a failed fence is a completed fence.
 * fence.6. Code on the way to signaling a fence waits for no fence and takes no reservation lock.
 * fence.7. A time limit that ends a fence does not end its work. To signal the fence all the same, when the work has
 *     finished, changes nothing about the fence; but it says to all who would use the same memory that they may.
 *
 * @see linux/drivers/dma-buf/dma-fence.c
 */

const NUMBER = integer(0);
const CALLBACK = orElse("EINVAL", FUNCTION);

/** A callback on a fence. */
export interface FenceCallback extends Disposable {
  /** Whether it waits for the fence: false if the fence had signaled before, or it has run or was removed. */
  readonly queued: boolean;
  /** Returns true if the callback was still queued; it will then never run. */
  remove(): boolean;
}

export type WaitResult = "signaled" | "timed-out";

export class Fence implements Disposable {
  readonly agent: Agent;
  /** The fence context: fences of one context are totally ordered. */
  readonly context: number;
  readonly seqno: number;
  #ops: FenceOps;
  /** In the order of registration. */
  #callbacks: Set<Callback> | undefined = undefined;
  #enabled = false;
  #released = false;
  /** Monotonic nanoseconds; -1 while the fence is pending. */
  #timestamp = -1;
  /** Negative errno, or 0. */
  #error = 0;

  /** A fence of this agent alone, until it is published. `context` comes from {@link allocateContexts}. */
  constructor(agent: Agent, ops: FenceOps, context: number, seqno: number) {
    // Timelines make fences often: what has a place in shared memory is the library's own, and known to be good.
    if (!(agent instanceof Agent) || typeof ops?.key !== "function") checkParts(agent, ops, context, seqno);
    this.agent = agent;
    this.#ops = ops;
    this.context = context;
    this.seqno = seqno;
  }

  /** @internal What the fence's maker, or its place in shared memory, does for it. */
  get ops(): FenceOps {
    return this.#ops;
  }

  /** @internal Gives a fence of this agent a place in shared memory. */
  set ops(ops: FenceOps) {
    this.#ops = ops;
  }

  /** Whether the context counts in 32 bits: its numbers wrap. */
  get seqno32(): boolean {
    return this.#ops.seqno32 ?? false;
  }

  get driverName(): string {
    return this.#ops.driverName;
  }

  get timelineName(): string {
    return this.#ops.timelineName;
  }

  /** 0 pending, 1 signaled without an error, a negative errno if the work failed. Looks actively. */
  get status(): number {
    return this.isSignaled() ? this.#error || 1 : 0;
  }

  /** Why the work failed, once the fence has signaled. */
  get error(): DmaBufError | undefined {
    if (!this.isSignaled() || this.#error === 0) return undefined;
    const code = errorCode(this.#error);
    return new DmaBufError(
      code,
      `Fence ${this.context}:${this.seqno} of ${this.driverName} ${this.timelineName} failed`,
    );
  }

  /** When the fence signaled, in monotonic nanoseconds; `undefined` while it is pending. */
  get timestamp(): number | undefined {
    return this.isSignaled() ? this.#timestamp : undefined;
  }

  /**
   * Signals the fence and runs its callbacks. After a time limit has ended the fence, this says that the work has finished:
   * until then nobody else gets the memory.
   *
   * @param timestampNs When the work finished, in monotonic nanoseconds. Default: now.
   * @returns False if the fence was signaled before.
   * @throws {RangeError} If that is no time.
   */
  signal(timestampNs?: number): boolean {
    if (timestampNs === undefined) timestampNs = this.agent.host.nowNs();
    else check("Fence.signal()", "timestampNs", timestampNs, NANOSECONDS);
    const decides = this.#timestamp < 0 && this.#ops.decide?.(this, this.#error, timestampNs) !== false;
    if (decides) this.#settle(timestampNs);
    // Somebody else has decided it: a time limit may have passed.
    else if (this.isSignaled()) this.#ops.acknowledge?.(this);
    return decides;
  }

  /**
   * Whether the fence has signaled. Looks actively: what is found finished is signaled here and now, and its callbacks
   * run in this call. Does not enable signaling.
   */
  isSignaled(): boolean {
    if (this.#timestamp >= 0) return true;
    if (this.#ops.signaled?.(this) !== true) return false;
    // The look may have signaled the fence: a container's members call back.
    if (this.#timestamp < 0) this.#settle(this.#ops.completedAt?.(this) ?? this.agent.host.nowNs());
    return true;
  }

  /**
   * Stores why the work failed; call it before `signal()`. A call with a wrong errno, or too late, is reported and
   * changes nothing.
   *
   * @param error An errno name, or a negative errno from -4095 to -1.
   */
  setError(error: ErrorCode | number): void {
    const errno = typeof error === "string" && Object.hasOwn(ERRNO, error) ? -ERRNO[error] : error;
    if (typeof errno !== "number" || !Number.isInteger(errno) || errno < -4095 || errno > -1) {
      this.agent.host.warn(
        `Fence.setError(): error must be an errno from -4095 to -1, or the name of one, not ${shown(error)}`,
      );
    } else if (this.#timestamp >= 0) {
      this.agent.host.warn(`Fence ${this.context}:${this.seqno} has signaled: its error can no longer be set`);
    } else {
      this.#error = errno;
    }
  }

  /**
   * Calls back when the fence signals. It keeps no process alive.
   *
   * @returns The callback, not queued if the fence has signaled already (it then never runs).
   * @throws {DmaBufError} `EINVAL` if `run` is no function.
   */
  addCallback(run: (fence: Fence) => void): FenceCallback {
    if (typeof run !== "function") check("Fence.addCallback()", "run", run, CALLBACK);
    const callback = new Callback(this, run);
    this.enableSignaling();
    if (!this.isSignaled()) {
      callback.queued = true;
      (this.#callbacks ??= new Set()).add(callback);
    }
    return callback;
  }

  /** Makes sure that the fence will signal by itself, without anybody looking. */
  enableSignaling(): void {
    if (this.#enabled || this.#timestamp >= 0) return;
    this.#enabled = true;
    if (this.#ops.enableSignaling?.(this) === false) this.signal();
  }

  /**
   * Waits until the fence signals. Resolves for a failed fence too: look at `status` or `error`, or use `result()`.
   *
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts (a signaled fence wins).
   */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("Fence.wait()", options);
    this.enableSignaling();
    const subscribe = (done: () => void): (() => void) => {
      const callback = this.addCallback(done);
      if (!callback.queued) done();
      return () => callback.remove();
    };
    return (await waitUntil(this.agent, options, () => this.isSignaled(), subscribe)) ? "signaled" : "timed-out";
  }

  /**
   * Blocks this thread until the fence signals.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` if only this thread can signal the fence.
   */
  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("Fence.waitSync()", options);
    const { timeout = Infinity } = options;
    const awaited = this.awaited();
    if (timeout === Infinity && !this.isSignaled() && this.isOwn) {
      throw new DmaBufError("EDEADLK", "Cannot block: only this thread can signal the fence");
    }
    return this.agent.waitSync(awaited, timeout) ? "signaled" : "timed-out";
  }

  /** @internal Whether only this thread can signal the fence: it must not block for it without a limit. */
  get isOwn(): boolean {
    return this.#ops.isOwn?.(this) ?? this.#ops.signaled === undefined;
  }

  /** @internal How this thread blocks for the fence, which will signal by itself from now on. */
  awaited(): WaitCondition {
    if (this.#ops.awaited !== undefined) return this.#ops.awaited(this);
    this.enableSignaling();
    return { arm: () => {}, ready: () => this.isSignaled(), recheckAfter: () => 1 };
  }

  /**
   * Waits for the work to succeed.
   *
   * @throws {DmaBufError} The fence's own error; `ETIMEDOUT` if the time passed first.
   */
  async result(options: WaitOptions = {}): Promise<void> {
    checkWait("Fence.result()", options);
    if ((await this.wait(options)) === "timed-out") {
      throw new DmaBufError(
        "ETIMEDOUT",
        `Fence ${this.context}:${this.seqno} has not signaled in ${options.timeout} ms`,
      );
    }
    if (this.error !== undefined) throw this.error;
  }

  /** Hints that somebody needs the fence by then (absolute monotonic nanoseconds). Nothing fails if it is late. */
  setDeadline(deadlineNs: number): void {
    check("Fence.setDeadline()", "deadlineNs", deadlineNs, NANOSECONDS);
    if (this.#ops.setDeadline !== undefined && !this.isSignaled()) this.#ops.setDeadline(this, deadlineNs);
  }

  /** Whether this fence comes after `other`. Only fences of one context can be compared. */
  isLater(other: Fence): boolean {
    if (!(other instanceof Fence)) check("Fence.isLater()", "other", other, FENCE);
    if (this.context !== other.context) {
      this.agent.host.warn(`Fences of the contexts ${this.context} and ${other.context} have no order`);
    }
    return isLaterFence(this, other);
  }

  isLaterOrSame(other: Fence): boolean {
    check("Fence.isLaterOrSame()", "other", other, FENCE);
    return isSameFence(this, other) || this.isLater(other);
  }

  /** One line for people: `context:seqno timeline driver signalled|unsignalled`, as current kernels print it. */
  describe(): string {
    const state = this.isSignaled() ? "signalled" : "unsignalled";
    return `${this.context}:${this.seqno} ${this.timelineName} ${this.driverName} ${state}`;
  }

  /**
   * Drops the maker's reference. A pending fence that somebody waits for must not be dropped: that is reported, and the
   * fence signals with `EDEADLK` so that they go on. A fence of another agent's can be dropped at any time.
   */
  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    void runEnd(this.agent.host, MAKER, () => {
      if (this.#callbacks === undefined || this.#callbacks.size === 0 || this.isSignaled()) return;
      if (this.#ops.abandon !== undefined) this.#ops.abandon(this);
      else this.#abandon();
    });
    void runEnd(this.agent.host, MAKER, () => this.#ops.release?.(this));
  }

  /** @internal Takes a callback out of the queue. */
  removeCallback(callback: Callback): void {
    this.#callbacks?.delete(callback);
  }

  /** @internal Drops an error that was stored too late: the fence had been decided in shared memory before. */
  forgetError(): void {
    this.#error = 0;
  }

  #abandon(): void {
    warnAbandoned(this);
    this.setError("EDEADLK");
    this.signal();
  }

  #settle(timestampNs: number): void {
    this.#timestamp = timestampNs;
    const callbacks = this.#callbacks;
    if (callbacks === undefined) return;
    this.#callbacks = undefined;
    for (const callback of callbacks) {
      if (!callback.queued) continue;
      callback.queued = false;
      try {
        callback.run(this);
      } catch (error) {
        this.agent.host.warn(`A callback of fence ${this.context}:${this.seqno} threw: ${textOf(error)}`);
      }
    }
  }
}

/** What an argument `fence` must be. */
export const FENCE = instance(Fence);

function checkParts(agent: Agent, ops: FenceOps, context: number, seqno: number): void {
  check("new Fence()", "agent", agent, AGENT_KIND);
  checkObject("new Fence()", "ops", ops, FENCE_OPS);
  check("new Fence()", "context", context, NUMBER);
  check("new Fence()", "seqno", seqno, NUMBER);
}

class Callback implements FenceCallback {
  queued = false;
  readonly run: (fence: Fence) => void;
  readonly #fence: Fence;

  constructor(fence: Fence, run: (fence: Fence) => void) {
    this.#fence = fence;
    this.run = run;
  }

  remove(): boolean {
    if (!this.queued) return false;
    this.queued = false;
    this.#fence.removeCallback(this);
    return true;
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** Whose failures are reported, in messages. */
const MAKER = "The maker of a fence";

export function warnAbandoned({ agent, context, seqno }: Fence): void {
  agent.host.warn(`Fence ${context}:${seqno} was released while somebody waits for it`);
}

/** Whether two objects stand for one fence: the same object, or the same place in the shared memory of one domain. */
export function isSameFence(a: Fence, b: Fence): boolean {
  check("isSameFence()", "a", a, FENCE);
  check("isSameFence()", "b", b, FENCE);
  if (a === b) return true;
  if (a.agent.domain !== b.agent.domain) return false;
  const [one, other] = [a.ops.key?.(a), b.ops.key?.(b)];
  return (
    one !== undefined &&
    other !== undefined &&
    one.slot === other.slot &&
    one.generation === other.generation &&
    one.sequence === other.sequence
  );
}

/** The later of two fences of one context, or `undefined` if that one has signaled. */
export function laterFence(a: Fence, b: Fence): Fence | undefined {
  check("laterFence()", "a", a, FENCE);
  check("laterFence()", "b", b, FENCE);
  const later = a.isLater(b) ? a : b;
  return later.isSignaled() ? undefined : later;
}
