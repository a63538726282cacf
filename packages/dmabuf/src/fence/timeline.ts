import {
  check,
  checkOptions,
  ERROR_CODE,
  FUNCTION,
  integer,
  milliseconds,
  NAME,
  NANOSECONDS,
  type Kind,
  type Kinds,
} from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import type { FenceEnd } from "../domain/validation.js";
import { POINT, traces } from "../domain/tracing.js";
import { DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import { keyOrigin, keyProgress } from "../domain/fence-slot.js";
import { keyDemand } from "../domain/timeline-demand.js";
import {
  acknowledgeTimeline,
  allocateContexts,
  claimTimeline,
  completeTimeline,
  endTimeline,
  freeTimeline,
  type FenceKey,
} from "../domain/timeline-slot.js";
import { DmaBufError, ERRNO, type ErrorCode } from "../errors.js";
import { newFence, warnAbandoned, type Fence } from "./fence.js";
import { traceFence } from "./fence-trace.js";
import { SharedBacking, watchDeadlines } from "./shared-fence.js";

export { allocateContexts };

/** Options of {@link Domain.createTimeline}. */
export interface TimelineOptions {
  /** For people; at most 31 bytes of UTF-8. Default "timeline". */
  readonly name?: string;
  /** What makes the fences, for people; at most 31 bytes of UTF-8. Default "dmabuf". */
  readonly driverName?: string;
  /** Milliseconds without progress after which hang recovery ends the pending fences with `ETIMEDOUT`. Default 10,000. */
  readonly timeLimit?: number;
  /** Told the earliest deadline to come that any agent has asked of this timeline's fences (monotonic nanoseconds). */
  readonly onDeadline?: (deadlineNs: number) => void;
}

/** Milliseconds after which hang recovery ends something. */
export const TIME_LIMIT: Kind = milliseconds(1, 0x7fff_ffff);

const OPTIONS: Kinds<TimelineOptions> = {
  name: NAME,
  driverName: NAME,
  timeLimit: TIME_LIMIT,
  onDeadline: FUNCTION,
};

/** What a queue's timeline has besides. */
export interface TimelineExtras {
  /** One of TIMELINE_KIND. */
  readonly kind?: number;
  /** Told the number of each fence that an agent asks for: none signals by itself then (timeline-demand.1). */
  readonly onDemand?: (sequence: number) => void;
}

/**
 * @throws {DmaBufError} `ENOSPC` if the domain has no timeline left.
 */
export let createTimeline: (agent: Agent, options?: TimelineOptions, more?: TimelineExtras) => Timeline;

/**
 * A fence context in shared memory: its fences signal in order, for all agents, and creating one costs nothing shared.
 *
 * It belongs to the agent that made it by {@link Domain.createTimeline}. If that agent dies, the pending fences end with
 * `ESRCH`.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline({ name: "gpu", timeLimit: 2000 });
 * const [first, second] = [timeline.createFence(), timeline.createFence()];
 * timeline.signal(second.seqno);
 * console.log(first.isSignaled(), timeline.completed); // true 2
 * ```
 */
export class Timeline implements Disposable {
  static {
    createTimeline = (agent, options = {}, more = {}) => new Timeline(agent, options, more);
  }

  /** For people. */
  readonly name: string;
  /** The number of the fence context. */
  readonly context: number;
  readonly #agent: Agent;
  readonly #backing: OwnerBacking;
  readonly #unwatch: (() => void)[] = [];
  #created = 0;
  #closed = false;

  private constructor(agent: Agent, options: TimelineOptions, { kind, onDemand }: TimelineExtras) {
    checkOptions("Domain.createTimeline()", options, OPTIONS);
    const { name = "timeline", driverName = "dmabuf", timeLimit = DEFAULT_TIME_LIMIT, onDeadline } = options;
    agent.validation?.allocates("a timeline");
    const { slot, generation } = claimTimeline(agent, {
      name,
      driverName,
      timeLimit,
      onDemand: onDemand !== undefined,
      ...(kind !== undefined && { kind }),
    });
    const key = { slot, generation, sequence: 0 };
    const origin = keyOrigin(agent, key)!;
    this.name = name;
    this.context = origin.context;
    this.#agent = agent;
    this.#backing = new OwnerBacking(agent, slot, generation, origin);
    if (onDeadline !== undefined) this.#unwatch.push(watchDeadlines(agent, key, onDeadline));
    if (onDemand !== undefined) this.#unwatch.push(watchDemand(agent, key, onDemand));
  }

  /**
   * The next fence. It signals when `signal()` is called on it or on a later one.
   *
   * @throws {DmaBufError} `ECANCELED` if the timeline was closed; `ETIMEDOUT` if hang recovery has ended it.
   */
  createFence(): Fence {
    if (this.#closed || this.#agent.closed || this.#backing.ended) this.#refuse();
    return newFence(this.#agent, this.#backing, this.context, ++this.#created);
  }

  /** The sequence number of the last fence created. */
  get created(): number {
    return this.#created;
  }

  /** The sequence number of the last fence that signaled. */
  get completed(): number {
    return keyProgress(this.#agent, this.#backing);
  }

  /**
   * Signals all fences up to a sequence number, as a device that reports its progress. If hang recovery has ended the
   * timeline before, this says that their work has finished.
   *
   * @param seqno From 1 to {@link created}.
   * @param error What those that were pending failed with. Default: they succeeded.
   * @param timestampNs When the work finished, in monotonic nanoseconds. Default: now.
   * @returns False if that number was signaled before, or the timeline has ended.
   * @throws {RangeError} If there is no such fence, or no such time.
   */
  signal(seqno: number, error?: ErrorCode, timestampNs?: number): boolean {
    if (!Number.isInteger(seqno) || seqno < 1 || seqno > this.#created) {
      check("Timeline.signal()", "seqno", seqno, integer(1, this.#created));
    }
    if (error !== undefined) check("Timeline.signal()", "error", error, ERROR_CODE);
    if (timestampNs !== undefined) check("Timeline.signal()", "timestampNs", timestampNs, NANOSECONDS);
    return this.#backing.complete(
      seqno,
      error === undefined ? 0 : ERRNO[error],
      timestampNs ?? this.#agent.host.nowNs(),
    );
  }

  /**
   * Ends the timeline and gives its slot back: the work of its pending fences no longer touches any memory.
   *
   * @param error What the pending fences fail with. Default `ECANCELED`.
   */
  close(error: ErrorCode = "ECANCELED"): void {
    check("Timeline.close()", "error", error, ERROR_CODE);
    if (this.#closed) return;
    this.#closed = true;
    for (const unwatch of this.#unwatch) unwatch();
    const { slot, generation } = this.#backing;
    const pending = this.completed < this.#created;
    endTimeline(this.#agent, slot, generation, pending ? ERRNO[error] : 0);
    if (pending && !this.#backing.ended) this.#backing.traceSignaled(this.#created, ERRNO[error]);
    this.#backing.settleEnded();
    freeTimeline(this.#agent, slot, this.#agent.identity);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refuse(): never {
    const isClosed = this.#closed || this.#agent.closed;
    const reason = isClosed ? "it is closed" : "hang recovery has ended it";
    throw new DmaBufError(
      isClosed ? "ECANCELED" : "ETIMEDOUT",
      `Cannot create a fence on timeline "${this.name}": ${reason}`,
    );
  }
}

/** Tells the owner of a timeline what agents ask for; returns what ends that. */
function watchDemand(agent: Agent, key: FenceKey, tell: (sequence: number) => void): () => void {
  let told = 0;
  const ready = (): boolean => {
    const asked = keyDemand(agent, key);
    if (asked > told) tell((told = asked));
    return false;
  };
  return agent.watch({ arm: () => {}, ready }, () => {});
}

class OwnerBacking extends SharedBacking {
  override readonly tracesSignals = true;
  /** Whether an exchange has shown that another agent has ended the timeline. */
  ended = false;
  /** Where the domain is validated: this object is what could signal the fences. */
  readonly #end: FenceEnd | undefined = this.agent.validation?.signals(this, this);
  #completed = 0;

  override publish(fence: Fence): FenceKey {
    this.#end?.handedOut(fence.seqno);
    return super.publish(fence);
  }

  override decide(fence: Fence, error: number, timestampNs: number): boolean {
    return this.complete(fence.seqno, -error, timestampNs, fence.seqno);
  }

  /** The earlier fences complete with it: they must not seem to have succeeded. */
  override abandon(fence: Fence): void {
    warnAbandoned(fence);
    this.complete(fence.seqno, ERRNO.EDEADLK, this.agent.host.nowNs());
  }

  override acknowledge(fence: Fence): void {
    this.#acknowledge(fence.seqno);
  }

  /** @param firstFailed From where on the fences that complete now have failed, if there is an error. */
  complete(seqno: number, error: number, timestampNs: number, firstFailed = this.#completed + 1): boolean {
    // An agent that has left has no slot any more: another timeline may have it.
    if (this.agent.closed || seqno <= this.#completed) return false;
    if (this.ended) {
      this.#acknowledge(seqno);
      return false;
    }
    if (!completeTimeline(this.agent, this, this.#completed, seqno, timestampNs, error, firstFailed)) {
      this.ended = true;
      this.#acknowledge(seqno);
      return false;
    }
    this.#completed = seqno;
    if (traces(this.agent, POINT["fence:signaled"])) this.traceSignaled(seqno, error, timestampNs);
    this.agent.validation?.signaled({ slot: this.slot, generation: this.generation, sequence: seqno });
    if (this.hasArmed) this.settleArmed(seqno);
    return true;
  }

  traceSignaled(seqno: number, error: number, at?: number): void {
    if (!traces(this.agent, POINT["fence:signaled"])) return;
    const { context, timelineName } = this.origin;
    traceFence(this.agent, POINT["fence:signaled"], { context, seqno, timelineName }, error, at);
  }

  settleEnded(): void {
    this.ended = true;
    this.agent.validation?.signaled({ slot: this.slot, generation: this.generation, sequence: Infinity });
    this.settleArmed(Infinity);
  }

  #acknowledge(seqno: number): void {
    if (seqno > this.#completed) acknowledgeTimeline(this.agent, this.slot, this.generation, seqno);
  }
}
