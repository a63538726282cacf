import { DmaBufError, textOf } from "../errors.js";
import type { ReportCode } from "../validation-report.js";
import type { Host } from "../host/host.js";
import type { Protocol } from "../protocol/protocol.js";
import type { Substrate } from "../substrate/substrate.js";
import type { Activity, ActivityLog } from "./activity.js";
import type { CopyLog } from "./copying.js";
import { slotOf, type Identity, type Member } from "./agent-slot.js";
import { checkTimeout, Ending, waitUntil, type WaitTerms, type Waiter } from "./wait.js";
import { HeldList } from "./held.js";
import type { Tracer } from "./tracing.js";
import { LongWaits } from "./long-waits.js";
import { domainName } from "./header.js";
import { AGENT, type Layout, type Segment } from "./layout.js";
import { apart, type ValidateOptions, type Validation } from "./validation.js";

/**
 * One thread's membership of a domain, and all waiting that it does.
 *
 * agent.1. A wait looks, spins for a bounded time, and parks on the agent's doorbell.
 * agent.2. Before it parks it reads the doorbell, arms what it waits for, and looks again, in this order: an agent that
 *     makes the thing ready afterwards rings, and the doorbell no longer holds what was read.
 * agent.3. A ring wakes everything that waits in the agent; each looks for itself and arms itself again.
 * agent.4. A look that finds the time limit of what it waits for passed starts hang recovery; so no wait on a fence is
 *     without bound.
 * agent.5. What others need of this agent even while it blocks is an interrupt: it runs each time before the thread
 *     sleeps, and an agent that needs it rings.
 */

/** Something that becomes ready once, or again and again. */
export interface WaitCondition {
  /** Makes sure that this agent is rung when `ready` may have become true. */
  arm(): void;
  ready(): boolean;
  /** As `ready`, after so many quick looks while it is not. */
  spin?(looks: number): boolean;
  /** Milliseconds until an agent must look again even if none rings; it is then looked at. */
  recheckAfter?(): number;
  /**
   * Looks, before a thread blocks for it without a limit, whether that would never end. @throws {DmaBufError}
   * `EDEADLK`.
   */
  checkBlocking?(): void;
  /** What is waited for, for other agents. */
  activity?(): Activity | undefined;
}

/** Each time that spinning has not helped it is halved, down to this fraction of the host's limit. */
const LEAST_SPIN = 1 / 64;
/**
 * So many times after that, it is tried in full again: two agents that have begun to park would otherwise go on so for
 * ever, since each then waits for the other to wake.
 */
const MISSES_TO_RETRY = 64;
const LOOKS_PER_CLOCK = 16;
const QUICK_LOOKS_PER_CLOCK = 128;

/** What an agent warns of. */
export interface AgentOptions {
  /** Milliseconds after which a wait for others warns; `Infinity` for never. */
  readonly warnAfter: number;
  /** Whether what is held remembers where it was taken. */
  readonly debug: boolean;
  /** What it has said about being validated. */
  readonly validate?: boolean | ValidateOptions | undefined;
}

const QUIET: AgentOptions = { warnAfter: Infinity, debug: false };

export class Agent implements Member, Waiter {
  readonly memory: Substrate;
  readonly layout: Layout;
  readonly protocol: Protocol;
  readonly identity: Identity;
  readonly host: Host;
  /** The beginning of its leaving: what waits in it then fails with `ECANCELED`. */
  readonly ending = new Ending();
  /** The end of its leaving: its fences have ended, and its buffers are closed. */
  readonly gone = new Ending();
  /** What only objects of the user's can end. */
  readonly held: HeldList;
  /** The calls in it that wait for others. */
  readonly longWaits: LongWaits;
  readonly options: AgentOptions;
  /** Who looks for broken rules, if any does; set when the agent has joined. */
  validation: Validation | undefined = undefined;
  /** Tells what happens in it, while a sink listens to it. */
  tracer: Tracer | undefined = undefined;
  /** Tells other agents what lasts, where the domain explains it. */
  activities: ActivityLog | undefined = undefined;
  /** Keeps account of what it copies, where the domain has one. */
  copies: CopyLog | undefined = undefined;
  /** The last number that joins a begin and its end in what is traced. */
  lastTraced = 0;
  /** How many buffers it has read holds of. */
  buffersRead = 0;
  readonly #bell: number;
  readonly #watches = new Set<Watch>();
  readonly #interrupts = new Set<() => void>();
  #domain: string | undefined;
  #parked = false;
  #dispatching = false;
  #closed = false;
  #spinNs: number;
  /** How often in a row spinning has not helped. */
  #misses = 0;

  constructor(segment: Segment, identity: Identity, host: Host, options: AgentOptions = QUIET) {
    this.memory = segment.memory;
    this.layout = segment.layout;
    this.protocol = segment.protocol;
    this.identity = identity;
    this.host = host;
    this.options = options;
    this.held = new HeldList(host, options.debug);
    this.longWaits = new LongWaits(host, options.warnAfter);
    const base = segment.layout.agent(slotOf(identity));
    if (host.processId !== undefined) this.memory.store(base + AGENT.PROCESS, host.processId);
    this.#bell = base + AGENT.DOORBELL;
    this.#spinNs = host.spinNs;
  }

  /** A number that names the domain, the same in all of its agents. */
  get domain(): string {
    return (this.#domain ??= domainName(this.memory));
  }

  /**
   * Blocks this thread until `awaited` is ready.
   *
   * @param timeout Milliseconds; `Infinity` for no limit.
   * @returns False if the time passed first.
   * @throws {DmaBufError} `EOPNOTSUPP` where blocking is forbidden; what is awaited may refuse to be without a limit.
   */
  waitSync(awaited: WaitCondition, timeout = Infinity): boolean {
    checkTimeout(timeout);
    if (awaited.ready()) return true;
    // What is ready already costs no more than the look: the compiler takes only short functions into their callers.
    return this.waitOnSync(awaited, timeout);
  }

  /** As `waitSync`, for what was looked at just now, and was not ready. */
  waitOnSync(awaited: WaitCondition, timeout = Infinity): boolean {
    return timeout !== 0 && this.#block(awaited, timeout);
  }

  /** As `waitSync`, but returns to the event loop. */
  wait(awaited: WaitCondition, options: WaitTerms = {}): Promise<boolean> {
    return waitUntil(
      this,
      options,
      () => awaited.ready(),
      (done, failed) => this.watch(awaited, done, failed),
      awaited,
    );
  }

  /**
   * Calls back once from the event loop when `awaited` is ready; does not keep the process alive.
   *
   * @returns A function that ends the watch.
   */
  watch(awaited: WaitCondition, done: () => void, failed?: (error: unknown) => void): () => void {
    const watch: Watch = { awaited, done, failed, cancelTimer: undefined };
    if (this.#closed) failed?.(hasLeft());
    else {
      this.#watches.add(watch);
      // The look that is pending was armed before this watch: look at it once, and let the ring do the rest.
      if (this.#parked) apart(this, () => this.#look(watch));
      else this.#dispatch();
    }
    return () => {
      watch.cancelTimer?.();
      this.#watches.delete(watch);
    };
  }

  /**
   * Has `run` called whenever this thread is about to sleep in a blocking wait (agent.5). It neither blocks nor throws.
   */
  addInterrupt(run: () => void): void {
    this.#interrupts.add(run);
  }

  /** @throws {DmaBufError} `EBADF` if this thread has left the domain. */
  checkJoined(): void {
    if (this.#closed) throw new DmaBufError("EBADF", "Cannot use the domain: this thread has left it");
  }

  /** Reports a broken contract: by its code where the domain is validated, and otherwise as a warning. */
  complain(code: ReportCode, message: string): void {
    if (this.validation === undefined) this.host.warn(message);
    else this.validation.report(code, message);
  }

  /** The error for a thread that would block for itself. @param code What the validator reports it as. */
  blocksItself(code: ReportCode, message: string): DmaBufError {
    this.validation?.report(code, message);
    return new DmaBufError("EDEADLK", message);
  }

  /** The agent is about to leave: first its waits end, and then what they wait at. */
  endWaits(): void {
    this.ending.end(hasLeft);
  }

  /**
   * Ends all watches, and lets the pending look at the doorbell go. What waits in this agent fails with `ECANCELED`.
   */
  close(): void {
    this.#closed = true;
    const error = hasLeft();
    for (const watch of this.#watches) {
      watch.cancelTimer?.();
      if (watch.failed !== undefined) watch.failed(error);
      // Leaving has ended this agent's own fences, and freed what no other agent held.
      else this.#finish(watch);
    }
    this.endWaits();
    this.held.close();
    this.longWaits.close();
    this.gone.end(hasLeft);
    this.#watches.clear();
    this.memory.add(this.#bell, 1);
    this.memory.wake(this.#bell);
  }

  get closed(): boolean {
    return this.#closed;
  }

  #block(awaited: WaitCondition, timeout: number): boolean {
    // First: what no thread could wait for, the asynchronous form of the call would not get, either.
    if (timeout === Infinity) awaited.checkBlocking?.();
    if (!this.host.mayBlock) {
      throw new DmaBufError("EOPNOTSUPP", "Cannot block this thread: use the asynchronous form of the call");
    }
    const limit = timeout === Infinity ? Infinity : this.host.nowNs() + timeout * 1e6;
    if (this.#spin(awaited, limit)) return true;
    try {
      return this.#sleepUntil(awaited, limit);
    } finally {
      this.activities?.unblock();
    }
  }

  #sleepUntil(awaited: WaitCondition, limit: number): boolean {
    for (;;) {
      const bell = this.memory.load(this.#bell);
      awaited.arm();
      for (const interrupt of this.#interrupts) interrupt();
      if (awaited.ready()) return true;
      const left = limit === Infinity ? Infinity : (limit - this.host.nowNs()) / 1e6;
      if (left <= 0) return false;
      const recheck = awaited.recheckAfter?.() ?? Infinity;
      const due = Math.min(recheck, this.longWaits.blockedLeft(), this.activities?.blockedLeft(awaited) ?? Infinity);
      this.memory.park(this.#bell, bell, Math.min(left, due));
      // What is ready now needs no arming, which would have this agent rung for nothing later.
      if (awaited.ready()) return true;
    }
  }

  /** Looks at everything that is watched, and asks to be called again when the doorbell rings. */
  #dispatch(): void {
    // It looks for many: which of them has called is of no matter.
    apart(this, () => this.#lookAtAll());
  }

  #lookAtAll(): void {
    // What a callback adds to the watches, the loop that has called it back looks at too.
    if (this.#dispatching) return;
    this.#dispatching = true;
    let ring: Promise<void> | undefined;
    while (this.#watches.size > 0 && ring === undefined) {
      const bell = this.memory.load(this.#bell);
      for (const watch of this.#watches) this.#look(watch);
      if (this.#watches.size > 0) ring = this.memory.parkAsync(this.#bell, bell);
    }
    this.#dispatching = false;
    if (ring === undefined) return;
    this.#parked = true;
    void ring.then(() => {
      this.#parked = false;
      this.#dispatch();
    });
  }

  #look(watch: Watch): void {
    watch.cancelTimer?.();
    watch.cancelTimer = undefined;
    try {
      watch.awaited.arm();
    } catch (error) {
      this.#fail(watch, error);
      return;
    }
    if (this.#finish(watch)) return;
    const interval = watch.awaited.recheckAfter?.() ?? Infinity;
    if (interval !== Infinity) watch.cancelTimer = this.host.after(interval, () => this.#look(watch));
  }

  /** Ends the watch if what it waits for is ready, or cannot be looked at; returns whether it has ended. */
  #finish(watch: Watch): boolean {
    try {
      if (!watch.awaited.ready()) return false;
      this.#watches.delete(watch);
      watch.done();
    } catch (error) {
      this.#fail(watch, error);
    }
    return true;
  }

  #fail(watch: Watch, error: unknown): void {
    this.#watches.delete(watch);
    if (watch.failed !== undefined) watch.failed(error);
    else this.host.warn(`A watched condition failed: ${textOf(error)}`);
  }

  #spin(awaited: WaitCondition, limit: number): boolean {
    if (this.#spinNs === 0) return false;
    const end = Math.min(this.host.nowNs() + this.#spinNs, limit);
    do {
      if (this.#looksFinding(awaited)) {
        this.#spinNs = this.host.spinNs;
        this.#misses = 0;
        return true;
      }
    } while (this.host.nowNs() < end);
    const retry = ++this.#misses % MISSES_TO_RETRY === 0;
    this.#spinNs = retry ? this.host.spinNs : Math.max(this.#spinNs / 2, this.host.spinNs * LEAST_SPIN);
    return false;
  }

  #looksFinding(awaited: WaitCondition): boolean {
    if (awaited.spin !== undefined) return awaited.spin(QUICK_LOOKS_PER_CLOCK);
    for (let i = 0; i < LOOKS_PER_CLOCK; i++) {
      if (awaited.ready()) return true;
      this.memory.pause();
    }
    return false;
  }
}

/** @throws {TypeError} For what is of another agent: its words are in another segment, or awaited by others. */
export function checkOwn(call: string, argument: string, agent: Agent, own: Agent): void {
  if (agent === own) return;
  throw new TypeError(`${call}: ${argument} must be of the same agent, not of another one: import it there`);
}

interface Watch {
  readonly awaited: WaitCondition;
  readonly done: () => void;
  readonly failed: ((error: unknown) => void) | undefined;
  cancelTimer: (() => void) | undefined;
}

function hasLeft(): DmaBufError {
  return new DmaBufError("ECANCELED", "Cannot go on waiting: this agent has left the domain");
}
