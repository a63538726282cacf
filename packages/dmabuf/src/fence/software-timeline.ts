import { check, checkOptions, FUNCTION, integer, NAME, type Kinds } from "../arguments.js";
import { TIMELINE_KIND } from "../domain/layout.js";
import type { Agent } from "../domain/agent.js";
import { DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import { agentName } from "../domain/agent-slot.js";
import { keyOrigin, keyProgress, keyStatus } from "../domain/fence-slot.js";
import { checkHandle, type HandleKind } from "../domain/handle.js";
import {
  advanceTimeline,
  claimTimeline,
  endTimeline,
  freeTimeline,
  LAST_SEQUENCE,
  type FenceKey,
} from "../domain/timeline-slot.js";
import { DmaBufError, ERRNO, errorCode } from "../errors.js";
import { backingOf, FENCE, makeFence, type Fence } from "./fence.js";
import { SharedBacking, watchDeadlines } from "./shared-fence.js";
import { TIME_LIMIT, type TimelineOptions } from "./timeline.js";
import { POINT, traces } from "../domain/tracing.js";
import { traceFence } from "./fence-trace.js";

/** Options of {@link Domain.createSoftwareTimeline}. `name`: default the agent's own. */
export type SoftwareTimelineOptions = Omit<TimelineOptions, "driverName">;

const OPTIONS: Kinds<SoftwareTimelineOptions> = { name: NAME, timeLimit: TIME_LIMIT, onDeadline: FUNCTION };

const HANDLE: HandleKind = {
  kind: "software-timeline",
  noun: "software timeline",
  slots: ({ timelines }) => timelines,
};

const STEP = integer(0, LAST_SEQUENCE);

/** A software timeline as a thing to send to another agent, which may then advance it too. */
export interface SoftwareTimelineHandle {
  /** What the handle opens. */
  readonly kind: "software-timeline";
  /** The id of the domain that the timeline is of. */
  readonly domain: string;
  /** The timeline's place in shared memory. */
  readonly slot: number;
  /** Which user of the slot: it counts. */
  readonly generation: number;
}

/**
 * A new timeline, of value 0.
 *
 * @throws {DmaBufError} `ENOSPC` if the domain has no timeline left.
 */
export let createSoftwareTimeline: (agent: Agent, options?: SoftwareTimelineOptions) => SoftwareTimeline;

/**
 * The timeline that was sent.
 *
 * @throws {DmaBufError} `ESTALE` if it is gone, or what it has ended with; `EINVAL` if the handle is of another domain or
 *   damaged.
 */
export let openSoftwareTimeline: (agent: Agent, handle: SoftwareTimelineHandle) => SoftwareTimeline;

/**
 * A timeline that programs advance by hand, for tests and for work that nothing else tells the end of. Its fences are at
 * values, and signal when the timeline reaches them.
 *
 * It belongs to the agent that made it by {@link Domain.createSoftwareTimeline}, and ends when that agent closes it or
 * dies. Every agent that it was sent to may make fences on it and advance it. Values have 47 bits and do not wrap. If hang
 * recovery ends it, the work of its fences counts as overdue until its owner closes it: only the owner knows which agents
 * advance it.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createSoftwareTimeline();
 * const fence = timeline.createFence(2);
 * timeline.advance(2);
 * console.log(fence.isSignaled(), timeline.value); // true 2
 * ```
 *
 * @see linux/drivers/dma-buf/sw_sync.c
 */
export class SoftwareTimeline implements Disposable {
  static {
    createSoftwareTimeline = (agent, options = {}) => {
      checkOptions("Domain.createSoftwareTimeline()", options, OPTIONS);
      const { name = agentName(agent, agent.identity), timeLimit = DEFAULT_TIME_LIMIT, onDeadline } = options;
      agent.validation?.allocates("a timeline");
      const key = claimTimeline(agent, { name, driverName: "sw_sync", timeLimit, kind: TIMELINE_KIND.SOFTWARE });
      return new SoftwareTimeline(agent, { ...key, sequence: 0 }, true, onDeadline);
    };
    openSoftwareTimeline = (agent, handle) => {
      checkHandle(agent, handle, HANDLE);
      const { slot, generation } = handle;
      const timeline = new SoftwareTimeline(agent, { slot, generation, sequence: 0 }, false, undefined);
      timeline.#check("import");
      return timeline;
    };
  }

  /** For people. */
  readonly name: string;
  /** The number of the fence context. */
  readonly context: number;
  readonly #agent: Agent;
  readonly #backing: PointBacking;
  readonly #isOwner: boolean;
  readonly #unwatch: (() => void) | undefined;
  /** The pending fences that are still in use in this agent, by value. */
  readonly #points = new Map<number, WeakRef<Fence>>();
  #closed = false;

  private constructor(
    agent: Agent,
    key: FenceKey,
    isOwner: boolean,
    onDeadline: SoftwareTimelineOptions["onDeadline"],
  ) {
    const origin = keyOrigin(agent, key);
    if (origin === undefined) throw new DmaBufError("ESTALE", "Cannot import the timeline: it is gone");
    this.name = origin.timelineName;
    this.context = origin.context;
    this.#agent = agent;
    this.#backing = new PointBacking(agent, key.slot, key.generation, origin);
    this.#isOwner = isOwner;
    if (onDeadline !== undefined) this.#unwatch = watchDeadlines(agent, key, onDeadline);
  }

  /** How far it has come. @throws {DmaBufError} `EBADF` after the close; what the timeline has ended with. */
  get value(): number {
    const completed = keyProgress(this.#agent, this.#backing);
    // Asked afterwards: until then, it was this timeline's slot.
    this.#check("read");
    return completed;
  }

  /**
   * The fence at a value: signaled if the timeline has passed it, otherwise the same at each call in this agent.
   *
   * @param value From 0 to 2^47 - 2.
   * @throws {DmaBufError} `EBADF` after the close; what the timeline has ended with.
   */
  createFence(value: number): Fence {
    check("SoftwareTimeline.createFence()", "value", value, STEP);
    this.#check("create a fence on");
    const known = this.#points.get(value)?.deref();
    if (known?.isSignaled() === false) return known;
    const fence = makeFence(this.#agent, this.#backing, this.context, value);
    if (fence.isSignaled()) {
      this.#points.delete(value);
    } else {
      this.#points.set(value, new WeakRef(fence));
      if (traces(this.#agent, POINT["fence:init"])) traceFence(this.#agent, POINT["fence:init"], fence);
    }
    return fence;
  }

  /**
   * Moves the timeline on, and signals all fences up to its new value, in order.
   *
   * @param amount 0 or more. Default 1.
   * @throws {DmaBufError} `EBADF` after the close; what the timeline has ended with; `EOVERFLOW` at the end of all values.
   */
  advance(amount = 1): void {
    check("SoftwareTimeline.advance()", "amount", amount, STEP);
    this.#check("advance");
    const { slot, generation } = this.#backing;
    const now = this.#agent.host.nowNs();
    const value = advanceTimeline(this.#agent, { slot, generation }, amount, now);
    if (value !== undefined) this.#traceSignaled(value, 0, now);
    this.#backing.settle(value ?? Infinity);
    for (const [point, fence] of this.#points) {
      if (point > (value ?? Infinity)) continue;
      // Looked at now, a fence has the time of now, even after a step too long for the times that are kept.
      fence.deref()?.isSignaled();
      this.#points.delete(point);
    }
    if (value === undefined) this.#check("advance");
  }

  /**
   * The earliest deadline that this agent has asked of a fence, in monotonic nanoseconds; `undefined` for none. What other
   * agents ask is told to `onDeadline`.
   *
   * @throws {DmaBufError} `EINVAL` if the fence is not of this timeline.
   */
  deadline(fence: Fence): number | undefined {
    check("SoftwareTimeline.deadline()", "fence", fence, FENCE);
    if (backingOf(fence) !== this.#backing) {
      throw new DmaBufError("EINVAL", `Cannot ask for the deadline: the fence is not of timeline "${this.name}"`);
    }
    return this.#backing.deadlines.get(fence);
  }

  /**
   * A handle to send to another agent, which opens it with {@link Domain.import}.
   *
   * @throws {DmaBufError} `EBADF` after the close; what the timeline has ended with.
   */
  handle(): SoftwareTimelineHandle {
    this.#check("send");
    const { slot, generation } = this.#backing;
    this.#backing.isSent = true;
    return { kind: "software-timeline", domain: this.#agent.domain, slot, generation };
  }

  /** Closes the timeline. If this agent made it, it ends: fences that are pending fail with `ENOENT`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch?.();
    const latest = Math.max(0, ...this.#points.keys());
    this.#points.clear();
    if (!this.#isOwner) return;
    const { slot, generation } = this.#backing;
    endTimeline(this.#agent, slot, generation, ERRNO.ENOENT);
    if (latest > 0) this.#traceSignaled(latest, ERRNO.ENOENT);
    this.#backing.settle(Infinity);
    freeTimeline(this.#agent, slot, this.#agent.identity);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #traceSignaled(seqno: number, error: number, at?: number): void {
    if (!traces(this.#agent, POINT["fence:signaled"])) return;
    const { context, name: timelineName } = this;
    traceFence(this.#agent, POINT["fence:signaled"], { context, seqno, timelineName }, error, at);
  }

  #check(action: string): void {
    const cannot = `Cannot ${action} timeline "${this.name}"`;
    if (this.#closed) throw new DmaBufError("EBADF", `${cannot}: it is closed`);
    const { slot, generation } = this.#backing;
    // No agent has reached the last number: it is decided by the timeline's end alone.
    const status = keyStatus(this.#agent, { slot, generation, sequence: LAST_SEQUENCE + 1 });
    if (status !== 0) throw new DmaBufError(status < 0 ? errorCode(status) : "ESTALE", `${cannot}: it has ended`);
  }
}

class PointBacking extends SharedBacking {
  isSent = false;
  /** The earliest that was asked of each fence in this agent. */
  readonly deadlines = new WeakMap<Fence, number>();

  override setDeadline(fence: Fence, deadlineNs: number): void {
    this.deadlines.set(fence, Math.min(deadlineNs, this.deadlines.get(fence) ?? Infinity));
    super.setDeadline(fence, deadlineNs);
  }

  /** Once another agent can advance the timeline, this thread may block for it. */
  override isOwn(fence: Fence): boolean {
    return !this.isSent && super.isOwn(fence);
  }

  settle(upTo: number): void {
    this.agent.validation?.signaled({ slot: this.slot, generation: this.generation, sequence: upTo });
    if (this.hasArmed) this.settleArmed(upTo);
  }
}
