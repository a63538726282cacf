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
import { AGENT_KIND, type Agent } from "../domain/agent.js";
import { keyOrigin } from "../domain/fence-slot.js";
import {
  acknowledgeTimeline,
  allocateContexts,
  claimTimeline,
  completeTimeline,
  endTimeline,
  firstWord,
  freeTimeline,
  timelineProgress,
} from "../domain/timeline-slot.js";
import { DmaBufError, ERRNO, type ErrorCode } from "../errors.js";
import { Fence, warnAbandoned } from "./fence.js";
import { DEFAULT_TIME_LIMIT, SharedFenceOps, watchDeadlines } from "./shared-fence.js";

export { allocateContexts };

export interface TimelineOptions {
  /** At most 31 bytes of UTF-8. */
  readonly name?: string;
  /** At most 31 bytes of UTF-8. Default "dmabuf". */
  readonly driverName?: string;
  /** Milliseconds without progress after which hang recovery ends the pending fences with `ETIMEDOUT`. Default 10,000. */
  readonly timeLimit?: number;
  /** Told the earliest deadline to come that anybody has asked of this timeline's fences (monotonic nanoseconds). */
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

/**
 * A fence context in shared memory: its fences signal in order, for all agents, and creating one costs nothing shared.
 *
 * It belongs to the agent that made it. If that agent dies, the pending fences end with `ESRCH`.
 */
export class Timeline implements Disposable {
  readonly name: string;
  readonly context: number;
  readonly #agent: Agent;
  readonly #ops: OwnerOps;
  readonly #unwatch: (() => void) | undefined;
  #created = 0;
  #closed = false;

  /** @throws {DmaBufError} `ENOSPC` if the domain has no timeline left. */
  constructor(agent: Agent, options: TimelineOptions = {}) {
    check("new Timeline()", "agent", agent, AGENT_KIND);
    checkOptions("new Timeline()", options, OPTIONS);
    const { name = "timeline", driverName = "dmabuf", timeLimit = DEFAULT_TIME_LIMIT, onDeadline } = options;
    const { slot, generation } = claimTimeline(agent, { name, driverName, timeLimit });
    const key = { slot, generation, sequence: 0 };
    const origin = keyOrigin(agent, key)!;
    this.name = name;
    this.context = origin.context;
    this.#agent = agent;
    this.#ops = new OwnerOps(agent, slot, generation, origin);
    if (onDeadline !== undefined) this.#unwatch = watchDeadlines(agent, key, onDeadline);
  }

  /**
   * The next fence. It signals when `signal()` is called on it or on a later one.
   *
   * @throws {DmaBufError} `ECANCELED` if the timeline was closed; `ETIMEDOUT` if hang recovery has ended it.
   */
  createFence(): Fence {
    if (this.#closed || this.#agent.closed || this.#ops.ended) this.#refuse();
    return new Fence(this.#agent, this.#ops, this.context, ++this.#created);
  }

  /** The sequence number of the last fence created. */
  get created(): number {
    return this.#created;
  }

  /** The sequence number of the last fence that signaled. */
  get completed(): number {
    return timelineProgress(this.#agent, this.#ops.slot).completed;
  }

  /**
   * Signals all fences up to a sequence number, as a device that reports its progress. If hang recovery has ended the
   * timeline before, this says that their work has finished.
   *
   * @param error What those that were pending failed with.
   * @returns False if that number was signaled before, or the timeline has ended.
   */
  signal(seqno: number, error?: ErrorCode, timestampNs?: number): boolean {
    if (!Number.isInteger(seqno) || seqno < 1 || seqno > this.#created) {
      check("Timeline.signal()", "seqno", seqno, integer(1, this.#created));
    }
    if (error !== undefined) check("Timeline.signal()", "error", error, ERROR_CODE);
    if (timestampNs !== undefined) check("Timeline.signal()", "timestampNs", timestampNs, NANOSECONDS);
    return this.#ops.complete(seqno, error === undefined ? 0 : ERRNO[error], timestampNs ?? this.#agent.host.nowNs());
  }

  /** Ends the timeline and gives its slot back. Pending fences fail with `error`: their work touches no memory any more. */
  close(error: ErrorCode = "ECANCELED"): void {
    check("Timeline.close()", "error", error, ERROR_CODE);
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch?.();
    const { slot, generation } = this.#ops;
    endTimeline(this.#agent, slot, generation, this.completed < this.#created ? ERRNO[error] : 0);
    this.#ops.settleEnded();
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

class OwnerOps extends SharedFenceOps {
  /** Whether an exchange has shown that somebody else ended the timeline. */
  ended = false;
  readonly #first: bigint;
  #word: bigint;
  #completed = 0;

  constructor(agent: Agent, slot: number, generation: number, origin: ConstructorParameters<typeof SharedFenceOps>[3]) {
    super(agent, slot, generation, origin);
    this.#first = this.#word = firstWord(generation);
  }

  override decide(fence: Fence, error: number, timestampNs: number): boolean {
    return this.complete(fence.seqno, -error, timestampNs, fence.seqno);
  }

  /** The earlier fences complete with it: they must not seem to have succeeded. */
  override abandon(fence: Fence): void {
    warnAbandoned(fence);
    this.complete(fence.seqno, ERRNO.EDEADLK, this.agent.host.nowNs());
  }

  acknowledge(fence: Fence): void {
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
    const next = seqno === this.#completed + 1 ? this.#word + 1n : this.#first + BigInt(seqno);
    if (!completeTimeline(this.agent, this.slot, this.#word, next, seqno, timestampNs, error, firstFailed)) {
      this.ended = true;
      this.#acknowledge(seqno);
      return false;
    }
    this.#word = next;
    this.#completed = seqno;
    if (this.hasArmed) this.settleArmed(seqno);
    return true;
  }

  settleEnded(): void {
    this.ended = true;
    this.settleArmed(Infinity);
  }

  #acknowledge(seqno: number): void {
    if (seqno > this.#completed) acknowledgeTimeline(this.agent, this.slot, this.generation, seqno);
  }
}
