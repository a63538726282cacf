import { check, FUNCTION, instance, NANOSECONDS, orElse, shown } from "../arguments.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import { isLaterFence } from "../domain/fence-order.js";
import { isOwnKey, keyTimeLimit } from "../domain/fence-slot.js";
import { runEnd } from "../domain/promised.js";
import type { Wait } from "../domain/steps.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Passage } from "../domain/validation.js";
import { checkWait, checkWaitSync, waitUntil, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { ERRNO, textOf, type DmaBufError, type ErrorCode } from "../errors.js";
import { POINT, traces } from "../domain/tracing.js";
import { traceFence, tracedWait, tracedWaitSync, traceWait } from "./fence-trace.js";
import { signaledHandle, type FenceHandle } from "./fence-handle.js";
import { errorOf, succeed, waitResult, type ReadFence, type WaitResult } from "./read-fence.js";

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
 * fence.7. A time limit that ends a fence does not end its work. To signal the fence later, when the work has
 *     finished, changes nothing about the fence; but it tells all agents that would use the same memory that they may.
 *
 * @see linux/drivers/dma-buf/dma-fence.c
 */

/**
 * What the maker of a fence says about it, for {@link Domain.createFence}: the kernel's `dma_fence_ops`. Only the names are
 * mandatory.
 */
export interface FenceOps {
  /** For people; at most 31 bytes of UTF-8. */
  readonly driverName: string;
  /** For people; at most 31 bytes of UTF-8. */
  readonly timelineName: string;
  /** Sequence numbers are compared as signed differences of 32 bits, as those of older hardware. Default false. */
  readonly seqno32?: boolean;
  /** Starts whatever will signal the fence; false if the work has already passed. It may call `setError()` first. */
  enableSignaling?(fence: Fence): boolean;
  /**
   * Looks whether the work has finished; once true, always true. It may call `setError()` first, and `signal(timestampNs)`
   * if it knows when the work finished.
   */
  signaled?(fence: Fence): boolean;
  /** Tells the maker that an agent needs the fence by then (absolute monotonic nanoseconds). */
  setDeadline?(fence: Fence, deadlineNs: number): void;
  /** The fence was disposed. */
  release?(fence: Fence): void;
}

/** What is behind a fence: its maker in this agent, or its place in shared memory. */
export abstract class FenceBacking {
  abstract readonly driverName: string;
  abstract readonly timelineName: string;
  readonly seqno32: boolean = false;
  /** Whether the fence contains other fences, and so goes into no reservation and no array. */
  readonly isContainer: boolean = false;
  /** Whether its maker or owner wants to hear of deadlines. */
  readonly hearsDeadlines: boolean = true;
  /** Whether it traces itself that its fences have signaled: one signal may be that of several. */
  readonly tracesSignals: boolean = false;
  /** Whether the work goes on, and signals the fence, after the fence was disposed. */
  readonly goesOn: boolean = false;

  /** Starts whatever will signal the fence; false if the work has already passed. */
  abstract enableSignaling(fence: Fence): boolean;
  /** Looks actively; `undefined` while the fence is pending. */
  abstract poll(fence: Fence): Outcome | undefined;
  /** Whether only this thread can signal the fence: it must not block for it without a limit. */
  abstract isOwn(fence: Fence): boolean;
  /**
   * The place of the fence in shared memory, which it gets if it has none.
   *
   * @param timeLimit Milliseconds after which hang recovery ends it with `ETIMEDOUT`.
   * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
   */
  abstract publish(fence: Fence, timeLimit: number): FenceKey;

  /** The place of the fence in shared memory, if it has one. */
  key(_fence: Fence): FenceKey | undefined {
    return undefined;
  }

  /** Decides the fence; false if another agent has decided it. @param error A negative errno, or 0. */
  decide(_fence: Fence, _error: number, _timestampNs: number): boolean {
    return true;
  }

  /** The fence was decided by another agent; now its maker says that the work has finished. */
  acknowledge(_fence: Fence): void {}

  setDeadline(_fence: Fence, _deadlineNs: number): void {}

  /** The fence was disposed while it is pending and something in this agent waits for it. */
  abandon(fence: Fence): void {
    if (this.goesOn) return;
    warnAbandoned(fence);
    fence.setError("EDEADLK");
    fence.signal();
  }

  /** The fence was disposed. */
  release(_fence: Fence): void {}

  /** How this thread blocks for the fence, which will signal by itself from now on. */
  awaited(fence: Fence): WaitCondition {
    fence.enableSignaling();
    return { arm: () => {}, ready: () => fence.isSignaled(), recheckAfter: () => 1 };
  }
}

/** How a fence has ended. */
export interface Outcome {
  /** A negative errno, or 0; `undefined` for what `setError()` has stored. */
  readonly error: number | undefined;
  /** Monotonic nanoseconds. */
  readonly timestamp: number;
}

/** A callback on a fence, as {@link Fence.addCallback} gives it. Its disposal removes it. */
export interface FenceCallback extends Disposable {
  /** Whether it waits for the fence: false if the fence had signaled before, or it has run or was removed. */
  readonly queued: boolean;
  /** Returns true if the callback was still queued; it will then never run. */
  remove(): boolean;
}

/** Of fences that have failed: few have one. */
const causes = new WeakMap<Fence, unknown>();

const CALLBACK = orElse("EINVAL", FUNCTION);

/** What a fence object has been through. */
const FLAG = { ENABLED: 1, RELEASED: 2, EMITTED: 4 } as const;

/** The agent whose object a fence is. */
export let fenceAgent: (fence: Fence) => Agent;
export let backingOf: (fence: Fence) => FenceBacking;
/** For the validator, if there is one: a call begins to wait for a fence. */
export function wayTo(fence: Fence): Passage | undefined {
  return fenceAgent(fence).validation?.waits({ kind: "fence", fence });
}
/** Says what the work of a fence has failed with: this agent's errors of it have it as their cause. */
export function setCause(fence: Fence, cause: unknown): void {
  causes.set(fence, cause);
}
/** Gives a fence of this agent a place in shared memory, or takes it back. */
export let setBacking: (fence: Fence, backing: FenceBacking) => void;
/** As {@link Fence.addCallback}, for what the library itself does then: where it waits alone, the fence is not kept. */
export let queueCallback: (fence: Fence, run: (fence: Fence) => void) => FenceCallback;
/** A fence has a place in shared memory, and others may wait for it: it must signal. */
export let emitted: (fence: Fence, key: FenceKey) => void;
/** A fence that exists: this agent's view of it. @see newFence */
export let makeFence: (agent: Agent, backing: FenceBacking, context: number, seqno: number) => Fence;

/**
 * A piece of asynchronous work that finishes once, with an error or without. Fences are made by timelines, by
 * {@link Domain.createFence}, {@link Domain.fenceFrom} and others; a fence goes to another agent by its {@link handle}.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline({ name: "gpu" });
 * const fence = timeline.createFence();
 * setTimeout(() => fence.signal(), 10);
 * console.log(await fence.wait({ timeout: 1000 })); // "signaled"
 * ```
 */
export class Fence implements ReadFence, Disposable {
  static {
    fenceAgent = (fence) => fence.#agent;
    backingOf = (fence) => fence.#backing;
    setBacking = (fence, backing) => void (fence.#backing = backing);
    queueCallback = (fence, run) => fence.#queue(run);
    makeFence = (agent, backing, context, seqno) => new Fence(agent, backing, context, seqno);
    emitted = (fence, key) => {
      const agent = fence.#agent;
      agent.validation?.published(key);
      if (!traces(agent, POINT["fence:emit"])) return;
      // It is emitted once, by the agent that signals it.
      if ((fence.#flags & FLAG.EMITTED) !== 0 || !isOwnKey(agent, key)) return;
      fence.#flags |= FLAG.EMITTED;
      traceFence(agent, POINT["fence:emit"], fence);
    };
  }

  /** The fence context: fences of one context are totally ordered. */
  readonly context: number;
  /** The number of the fence in its context. */
  readonly seqno: number;
  readonly #agent: Agent;
  #backing: FenceBacking;
  /** In the order of registration. */
  #callbacks: Set<Callback> | undefined = undefined;
  /** Of FLAG. */
  #flags = 0;
  /** Monotonic nanoseconds; -1 while the fence is pending. */
  #timestamp = -1;
  /** Negative errno, or 0. */
  #error = 0;

  // The library alone makes fences. What they are made of is not in the published types.
  protected constructor(...parts: unknown[]);
  protected constructor(agent: Agent, backing: FenceBacking, context: number, seqno: number) {
    this.#agent = agent;
    this.#backing = backing;
    this.context = context;
    this.seqno = seqno;
  }

  /** Whether the context counts in 32 bits: its numbers wrap. */
  get seqno32(): boolean {
    return this.#backing.seqno32;
  }

  /** What makes the fence, for people. */
  get driverName(): string {
    return this.#backing.driverName;
  }

  /** What the fence's context is called, for people. */
  get timelineName(): string {
    return this.#backing.timelineName;
  }

  /** 0 pending, 1 signaled without an error, a negative errno if the work failed. Looks actively. */
  get status(): number {
    return this.isSignaled() ? this.#error || 1 : 0;
  }

  /** Why the work failed, once the fence has signaled. Its `cause` is the reason of a promise's rejection, in the thread of that. */
  get error(): DmaBufError | undefined {
    return errorOf(this, causes.get(this));
  }

  /** When the fence signaled, in monotonic nanoseconds; `undefined` while it is pending. */
  get timestamp(): number | undefined {
    return this.isSignaled() ? this.#timestamp : undefined;
  }

  /**
   * Signals the fence and runs its callbacks. After a time limit has ended the fence, this says that the work has finished:
   * until then no other work gets the memory.
   *
   * @param timestampNs When the work finished, in monotonic nanoseconds. Default: now.
   * @returns False if the fence was signaled before.
   * @throws {RangeError} If that is no time.
   * @throws {DmaBufError} `EPERM` if another agent signals the fence.
   */
  signal(timestampNs?: number): boolean {
    if (timestampNs === undefined) timestampNs = this.#agent.host.nowNs();
    else check("Fence.signal()", "timestampNs", timestampNs, NANOSECONDS);
    const decides = this.#timestamp < 0 && this.#backing.decide(this, this.#error, timestampNs);
    if (decides) {
      if (traces(this.#agent, POINT["fence:signaled"]) && !this.#backing.tracesSignals) {
        this.#traceSignaled(this.#error, timestampNs);
      }
      this.#settle(timestampNs);
    }
    // Another agent has decided it: a time limit may have passed.
    else if (this.isSignaled()) this.#backing.acknowledge(this);
    return decides;
  }

  /**
   * Whether the fence has signaled. Looks actively: what is found finished is signaled here and now, and its callbacks
   * run in this call. Does not enable signaling.
   */
  isSignaled(): boolean {
    if (this.#timestamp >= 0) return true;
    const outcome = this.#backing.poll(this);
    // The look may have signaled the fence: a container's members call back.
    if (outcome !== undefined && this.#timestamp < 0) {
      if (outcome.error !== undefined) this.#error = outcome.error;
      // What is in shared memory was signaled by the agent that has decided it.
      if (traces(this.#agent, POINT["fence:signaled"]) && this.#backing.key(this) === undefined) {
        this.#traceSignaled(this.#error, outcome.timestamp);
      }
      this.#settle(outcome.timestamp);
    }
    return this.#timestamp >= 0;
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
      this.#agent.complain(
        "fence-misuse",
        `Fence.setError(): error must be an errno from -4095 to -1, or the name of one, not ${shown(error)}`,
      );
    } else if (this.#timestamp >= 0) {
      const message = `Fence ${this.context}:${this.seqno} has signaled: its error can no longer be set`;
      this.#agent.complain("fence-misuse", message);
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
    const callback = this.#queue(run);
    if (callback.queued) this.#agent.validation?.keep(this);
    return callback;
  }

  #queue(run: (fence: Fence) => void): FenceCallback {
    this.enableSignaling();
    const isPending = !this.isSignaled();
    const queue = isPending ? (this.#callbacks ??= new Set<Callback>()) : undefined;
    return new Callback(run, queue);
  }

  /** Makes sure that the fence will signal by itself, although no agent looks. */
  enableSignaling(): void {
    if ((this.#flags & FLAG.ENABLED) !== 0 || this.#timestamp >= 0) return;
    this.#flags |= FLAG.ENABLED;
    if (traces(this.#agent, POINT["fence:enable"])) traceFence(this.#agent, POINT["fence:enable"], this);
    if (!this.#backing.enableSignaling(this)) this.signal();
  }

  /**
   * Waits until the fence signals. Resolves for a failed fence too: look at `status` or `error`, or use `result()`.
   *
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EINVAL` for a negative timeout; the signal's reason if it aborts (a signaled fence wins).
   */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("Fence.wait()", options);
    const way = wayTo(this);
    if (this.isSignaled() && way === undefined) return "signaled";
    const result = waitResult(await new FenceWait(this).wait(options));
    if (result === "signaled") way?.over();
    return result;
  }

  /**
   * As {@link wait}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` if only this thread can signal the fence.
   */
  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("Fence.waitSync()", options);
    const way = wayTo(this);
    const isSignaled = this.isSignaled() || new FenceWait(this).waitSync(options.timeout ?? Infinity);
    if (isSignaled) way?.over();
    return waitResult(isSignaled);
  }

  /**
   * Waits for the work to succeed.
   *
   * @throws {DmaBufError} The fence's own error; `ETIMEDOUT` if the time passed first; otherwise as {@link wait}.
   */
  async result(options: WaitOptions = {}): Promise<void> {
    checkWait("Fence.result()", options);
    succeed(this, await this.wait(options), options.timeout, this.#agent);
  }

  /** As {@link result}, blocking this thread. @throws {DmaBufError} As {@link result} and {@link waitSync}. */
  resultSync(options: { readonly timeout?: number } = {}): void {
    checkWaitSync("Fence.resultSync()", options);
    succeed(this, this.waitSync(options), options.timeout, this.#agent);
  }

  /** Hints that the fence is needed by then (absolute monotonic nanoseconds). Nothing fails if it is late. */
  setDeadline(deadlineNs: number): void {
    check("Fence.setDeadline()", "deadlineNs", deadlineNs, NANOSECONDS);
    if (this.#backing.hearsDeadlines && !this.isSignaled()) this.#backing.setDeadline(this, deadlineNs);
  }

  /** Whether this fence comes after `other`. Only fences of one context can be compared; others are reported. */
  isLater(other: Fence): boolean {
    if (!(other instanceof Fence)) check("Fence.isLater()", "other", other, FENCE);
    if (this.context !== other.context) {
      const message = `Fences of the contexts ${this.context} and ${other.context} have no order`;
      this.#agent.complain("fence-misuse", message);
    }
    return isLaterFence(this, other);
  }

  /** Whether this fence comes after `other`, or is the same as by {@link isSameFence}. */
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
   * A handle to send to another agent, which opens it with {@link Domain.import}. A plain fence of this agent alone is
   * published first; a container is sent as what it contains, so that it depends on no agent that made it.
   *
   * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
   */
  handle(): FenceHandle {
    const { context, seqno, seqno32, driverName, timelineName, timestamp } = this;
    const { domain } = this.#agent;
    if (context === 0 && timestamp !== undefined) return signaledHandle(domain, timestamp);
    const key = this.#backing.publish(this, DEFAULT_TIME_LIMIT);
    emitted(this, key);
    const timeLimit = keyTimeLimit(this.#agent, key) ?? DEFAULT_TIME_LIMIT;
    const origin = { context, seqno, seqno32, driverName, timelineName, timeLimit };
    return { kind: "fence", domain, form: "plain", ...key, ...origin };
  }

  /**
   * Drops the maker's reference. A pending fence that something waits for must not be dropped: that is reported, and the
   * fence signals with `EDEADLK` so that the waits end. A fence of another agent can be dropped at any time. Twice does
   * nothing.
   */
  close(): void {
    if ((this.#flags & FLAG.RELEASED) !== 0) return;
    this.#flags |= FLAG.RELEASED;
    if (traces(this.#agent, POINT["fence:destroy"])) traceFence(this.#agent, POINT["fence:destroy"], this);
    void runEnd(this.#agent.host, MAKER, () => {
      if (this.#callbacks !== undefined && this.#callbacks.size > 0 && !this.isSignaled()) this.#backing.abandon(this);
    });
    void runEnd(this.#agent.host, MAKER, () => this.#backing.release(this));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #traceSignaled(error: number, timestampNs: number): void {
    // A container is no work of its own.
    if (this.#backing.isContainer) return;
    traceFence(this.#agent, POINT["fence:signaled"], this, -error, timestampNs);
  }

  #settle(timestampNs: number): void {
    this.#timestamp = timestampNs;
    const callbacks = this.#callbacks;
    if (callbacks === undefined) return;
    this.#callbacks = undefined;
    this.#agent.validation?.letGo(this);
    for (const callback of callbacks) {
      try {
        callback.run(this);
      } catch (error) {
        this.#agent.host.warn(`A callback of fence ${this.context}:${this.seqno} threw: ${textOf(error)}`);
      }
    }
  }
}

/** A fence that is new. */
export function newFence(agent: Agent, backing: FenceBacking, context: number, seqno: number): Fence {
  const fence = makeFence(agent, backing, context, seqno);
  if (traces(agent, POINT["fence:init"])) traceFence(agent, POINT["fence:init"], fence);
  return fence;
}

/** What an argument `fence` must be. */
export const FENCE = instance(Fence);

class Callback implements FenceCallback {
  readonly #run: (fence: Fence) => void;
  #queue: Set<Callback> | undefined;

  /** @param queue Of the pending fence; `undefined` if it has signaled. */
  constructor(run: (fence: Fence) => void, queue: Set<Callback> | undefined) {
    this.#run = run;
    this.#queue = queue?.add(this);
  }

  /** The fence has signaled. */
  run(fence: Fence): void {
    if (this.#queue === undefined) return;
    this.#queue = undefined;
    this.#run(fence);
  }

  get queued(): boolean {
    return this.#queue !== undefined;
  }

  remove(): boolean {
    const queue = this.#queue;
    this.#queue = undefined;
    return queue?.delete(this) ?? false;
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** The wait for one fence. */
class FenceWait implements Wait {
  readonly doing: Fence;

  constructor(fence: Fence) {
    this.doing = fence;
  }

  wait(terms: WaitTerms): Promise<boolean> {
    const fence = this.doing;
    fence.enableSignaling();
    const subscribe = (done: () => void): (() => void) => {
      const callback = fence.addCallback(done);
      if (!callback.queued) done();
      return () => callback.remove();
    };
    const agent = fenceAgent(fence);
    const end = agent.tracer !== undefined && !fence.isSignaled() ? traceWait(agent, [fence]) : undefined;
    const wait = waitUntil(agent, terms, () => fence.isSignaled(), subscribe, fence);
    return end === undefined ? wait : tracedWait(end, wait);
  }

  waitSync(timeout: number): boolean {
    const fence = this.doing;
    const backing = backingOf(fence);
    const awaited = backing.awaited(fence);
    if (timeout === Infinity && !fence.isSignaled() && backing.isOwn(fence)) {
      throw fenceAgent(fence).blocksItself("own-fence", "Cannot block: only this thread can signal the fence");
    }
    const agent = fenceAgent(fence);
    const end = agent.tracer !== undefined && !fence.isSignaled() ? traceWait(agent, [fence]) : undefined;
    if (end === undefined) return agent.waitSync(awaited, timeout);
    return tracedWaitSync(end, () => agent.waitSync(awaited, timeout));
  }
}

export function warnAbandoned(fence: Fence): void {
  const message = `Fence ${fence.context}:${fence.seqno} was released while something waits for it`;
  fenceAgent(fence).complain("fence-dropped", message);
}

/** Whose failures are reported, in messages. */
const MAKER = "The maker of a fence";

/**
 * Whether two objects are of one fence: the same object, or the same place in the shared memory of one domain.
 *
 * @example
 * ```ts
 * import { Domain, isSameFence } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const fence = timeline.createFence();
 * console.log(isSameFence(domain.import(fence.handle()), fence)); // true
 * ```
 */
export function isSameFence(a: Fence, b: Fence): boolean {
  check("isSameFence()", "a", a, FENCE);
  check("isSameFence()", "b", b, FENCE);
  if (a === b) return true;
  if (fenceAgent(a).domain !== fenceAgent(b).domain) return false;
  const [one, other] = [backingOf(a).key(a), backingOf(b).key(b)];
  return (
    one !== undefined &&
    other !== undefined &&
    one.slot === other.slot &&
    one.generation === other.generation &&
    one.sequence === other.sequence
  );
}

/**
 * The later of two fences of one context, or `undefined` if that one has signaled.
 *
 * @example
 * ```ts
 * import { Domain, laterFence } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const [first, second] = [timeline.createFence(), timeline.createFence()];
 * console.log(laterFence(first, second) === second); // true
 * ```
 */
export function laterFence(a: Fence, b: Fence): Fence | undefined {
  check("laterFence()", "a", a, FENCE);
  check("laterFence()", "b", b, FENCE);
  const later = a.isLater(b) ? a : b;
  return later.isSignaled() ? undefined : later;
}
