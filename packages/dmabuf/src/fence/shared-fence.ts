import type { Agent, WaitCondition } from "../domain/agent.js";
import {
  armKey,
  endKey,
  hintDeadline,
  isKeySignaled,
  isOwnKey,
  keyDeadline,
  keyOrigin,
  keyPosition,
  keyProgress,
  keyStatus,
  keyTime,
  type Origin,
} from "../domain/fence-slot.js";
import { claimOneShot, completeOneShot, freeOneShot } from "../domain/one-shot-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError, ERRNO, textOf } from "../errors.js";
import { Fence, type FenceOps } from "./fence.js";

/**
 * Fences that other agents see.
 *
 * shared-fence.1. A key (slot, generation, sequence number) names one fence for ever; its slot may be used again once
 *      it signaled.
 * shared-fence.2. A fence object in an agent is a view of the key: its callbacks are the agent's own.
 * shared-fence.3. A fence whose timeline made no progress for its time limit is ended with `ETIMEDOUT` by whoever waits
 *      for it.
 * shared-fence.4. Its work is overdue then, until the agent that signals it says that it has finished: by signaling it
 *     all the same, or one that comes after it; by closing its timeline; by disposing a fence that is no timeline's; or
 *     by its death.
 */

/** Milliseconds without progress after which hang recovery ends a timeline or a published fence, by default. */
export const DEFAULT_TIME_LIMIT = 10_000;

/** What all fences of one slot and generation have in common in this agent. */
export class SharedFenceOps implements FenceOps {
  readonly agent: Agent;
  readonly slot: number;
  readonly generation: number;
  readonly seqno32: boolean;
  /** What waits here for fences of this slot; most of those who import one only look, or block. */
  #armed: Map<Fence, () => void> | undefined = undefined;
  #origin: Origin | undefined;

  /**
   * @param origin What is known of the fences' maker; read from the slot when it is needed, if absent.
   * @param seqno32 How the fences' context counts.
   */
  constructor(agent: Agent, slot: number, generation: number, origin?: Origin, seqno32 = origin?.seqno32 ?? false) {
    this.agent = agent;
    this.slot = slot;
    this.generation = generation;
    this.seqno32 = seqno32;
    this.#origin = origin;
  }

  get driverName(): string {
    return this.origin.driverName;
  }

  get timelineName(): string {
    return this.origin.timelineName;
  }

  get origin(): Origin {
    return (this.#origin ??=
      keyOrigin(this.agent, { slot: this.slot, generation: this.generation, sequence: 0 }) ?? DETACHED);
  }

  key(fence: Fence): FenceKey {
    return { slot: this.slot, generation: this.generation, sequence: this.#sequenceOf(fence) };
  }

  signaled(fence: Fence): boolean {
    const status = keyStatus(this.agent, this.key(fence));
    if (status === 0) return false;
    if (status < 0) fence.setError(status);
    else fence.forgetError();
    // Those before it have signaled too, and call back before it.
    if (this.hasArmed) this.settleArmed(this.#sequenceOf(fence) - 1);
    return true;
  }

  completedAt(fence: Fence): number | undefined {
    return keyTime(this.agent, this.key(fence));
  }

  enableSignaling(fence: Fence): boolean {
    if (fence.isSignaled()) return true;
    const unwatch = this.agent.watch(this.awaited(fence), () => this.#armed?.delete(fence));
    if (!fence.isSignaled()) (this.#armed ??= new Map<Fence, () => void>()).set(fence, unwatch);
    return true;
  }

  setDeadline(fence: Fence, deadlineNs: number): void {
    hintDeadline(this.agent, this.key(fence), deadlineNs, this.agent.host.nowNs());
  }

  decide(fence: Fence, _error: number, _timestampNs: number): boolean {
    throw new DmaBufError("EPERM", `Cannot signal fence ${fence.context}:${fence.seqno}: only its owner may`);
  }

  /** Only a view is dropped: the fence is its owner's, and who waits for it here goes on waiting. */
  abandon(_fence: Fence): void {}

  awaited(fence: Fence): WaitCondition {
    return new SharedAwaited(this.agent, fence, this.key(fence), this.origin.timeLimit);
  }

  isOwn(fence: Fence): boolean {
    return isOwnKey(this.agent, this.key(fence));
  }

  /** Settles the local fences up to a sequence number of the slot, in order. */
  protected settleArmed(upTo: number): void {
    const armed = this.#armed;
    if (armed === undefined) return;
    const due = [...armed.keys()].filter((fence) => this.#sequenceOf(fence) <= upTo);
    for (const fence of due.sort((a, b) => this.#sequenceOf(a) - this.#sequenceOf(b))) {
      // A callback of one may have settled the next.
      armed.get(fence)?.();
      armed.delete(fence);
      fence.isSignaled();
    }
  }

  protected get hasArmed(): boolean {
    return this.#armed !== undefined && this.#armed.size > 0;
  }

  /** The number within the slot and generation, which does not wrap. */
  #sequenceOf(fence: Fence): number {
    return this.agent.layout.isTimeline(this.slot) ? fence.seqno : 1;
  }
}

/** What can be said of a signaled fence whose slot is in use again; the names are those of current kernels. */
const DETACHED: Origin = {
  context: 0,
  seqno: 0,
  seqno32: false,
  driverName: "detached-driver",
  timelineName: "signaled-timeline",
  timeLimit: DEFAULT_TIME_LIMIT,
};

class SharedAwaited implements WaitCondition {
  readonly #agent: Agent;
  readonly #fence: Fence;
  readonly #key: FenceKey;
  readonly #limitNs: number;
  #progress = -1;
  #since = 0;

  constructor(agent: Agent, fence: Fence, key: FenceKey, timeLimit: number) {
    this.#agent = agent;
    this.#fence = fence;
    this.#key = key;
    this.#limitNs = timeLimit * 1e6;
  }

  arm(): void {
    armKey(this.#agent, this.#key);
  }

  ready(): boolean {
    return this.#fence.isSignaled();
  }

  recheckAfter(): number {
    const now = this.#agent.host.nowNs();
    const progress = keyProgress(this.#agent, this.#key);
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#since = now;
    }
    const left = this.#since + this.#limitNs - now;
    if (left <= 0) endKey(this.#agent, this.#key, ERRNO.ETIMEDOUT, now);
    return Math.max(0, left / 1e6);
  }
}

/**
 * Tells the agent that signals a fence, or all of a timeline, each deadline that has become the earliest to come.
 *
 * @returns What ends that.
 */
export function watchDeadlines(agent: Agent, key: FenceKey, tell: (deadlineNs: number) => void): () => void {
  let told = 0;
  const ready = (): boolean => {
    const earliest = keyDeadline(agent, key);
    if (earliest === told) return false;
    told = earliest;
    try {
      tell(earliest);
    } catch (error) {
      agent.host.warn(`A timeline that was told a deadline threw: ${textOf(error)}`);
    }
    return false;
  };
  return agent.watch({ arm: () => {}, ready }, () => {});
}

/** The fence with a key, for this agent; `undefined` if its slot has moved on, which means that it signaled. */
export function fenceAt(agent: Agent, key: FenceKey): Fence | undefined {
  const position = keyPosition(agent, key);
  if (position === undefined) return undefined;
  const ops = new SharedFenceOps(agent, key.slot, key.generation, undefined, position.seqno32);
  return new Fence(agent, ops, position.context, position.seqno);
}

export function checkDomain(agent: Agent, domain: string, what: string): void {
  if (domain === agent.domain) return;
  throw new DmaBufError(
    "EINVAL",
    `Cannot import the ${what}: it belongs to domain ${String(domain)}, not ${agent.domain}`,
  );
}

/**
 * Gives a fence a place that all agents see, if it has none.
 *
 * @param timeLimit Milliseconds after which hang recovery ends it with `ETIMEDOUT`.
 * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
 */
export function publish(fence: Fence, timeLimit = DEFAULT_TIME_LIMIT): FenceKey {
  const { agent, context, seqno, seqno32, driverName, timelineName } = fence;
  const known = fence.ops.key?.(fence);
  if (known !== undefined) return known;
  const maker = fence.ops;
  const hearsDeadlines = maker.setDeadline !== undefined;
  const key = claimOneShot(agent, { context, seqno, seqno32, driverName, name: timelineName, timeLimit });
  const ops = (fence.ops = new PublishedOps(maker, agent, key, timeLimit));
  let queued: boolean;
  try {
    // The maker's code runs here.
    queued = fence.addCallback(() => ops.settled(fence)).queued;
  } catch (error) {
    fence.ops = maker;
    ops.withdraw();
    throw error;
  }
  if (queued) {
    agent.watch(new SharedAwaited(agent, fence, key, timeLimit), () => {});
    if (hearsDeadlines) fence.addCallback(watchDeadlines(agent, key, (deadlineNs) => fence.setDeadline(deadlineNs)));
  } else {
    // It had signaled before, which the slot does not know, or has done so just now.
    if (!isKeySignaled(agent, key)) {
      completeOneShot(agent, key, fence.status < 0 ? -fence.status : 0, fence.timestamp!);
    }
    ops.free();
  }
  return key;
}

/** A fence of this agent that has got a one-shot slot: its maker's operations, and the slot decides. */
class PublishedOps implements FenceOps {
  /** Only where the maker says what it means to drop a pending fence; by default the fence fails. */
  readonly abandon?: (fence: Fence) => void;
  readonly #maker: FenceOps;
  readonly #agent: Agent;
  readonly #key: FenceKey;
  readonly #timeLimit: number;
  #isDecidedHere = false;
  #isFree = false;

  constructor(maker: FenceOps, agent: Agent, key: FenceKey, timeLimit: number) {
    this.#maker = maker;
    this.#agent = agent;
    this.#key = key;
    this.#timeLimit = timeLimit;
    if (maker.abandon !== undefined) this.abandon = (fence) => maker.abandon!(fence);
  }

  get driverName(): string {
    return this.#maker.driverName;
  }

  get timelineName(): string {
    return this.#maker.timelineName;
  }

  get seqno32(): boolean {
    return this.#maker.seqno32 ?? false;
  }

  key(): FenceKey {
    return this.#key;
  }

  signaled(fence: Fence): boolean {
    const status = keyStatus(this.#agent, this.#key);
    if (status < 0) fence.setError(status);
    if (status !== 0) return true;
    if (this.#maker.signaled?.(fence) !== true) return false;
    // The maker found it finished: decide it for everybody, as signal() would.
    fence.signal(this.#maker.completedAt?.(fence));
    return true;
  }

  completedAt(): number | undefined {
    return keyTime(this.#agent, this.#key);
  }

  enableSignaling(fence: Fence): boolean {
    return this.#maker.enableSignaling?.(fence) ?? true;
  }

  setDeadline(fence: Fence, deadlineNs: number): void {
    this.#maker.setDeadline?.(fence, deadlineNs);
  }

  /** What the maker has dropped it says no more of; unless its work goes on by itself, nobody is kept waiting for it. */
  release(fence: Fence): void {
    if (this.abandon === undefined && fence.isSignaled()) this.free();
    this.#maker.release?.(fence);
  }

  decide(_fence: Fence, error: number, timestampNs: number): boolean {
    return (this.#isDecidedHere = completeOneShot(this.#agent, this.#key, -error, timestampNs));
  }

  /** To hear that a time limit has ended the fence does not mean that its work has finished (one-shot-slot.4). */
  settled(fence: Fence): void {
    if (this.#isDecidedHere || fence.status !== -ERRNO.ETIMEDOUT) this.free();
  }

  acknowledge(): void {
    this.free();
  }

  /** The fence has got no place after all: nobody has seen it there. */
  withdraw(): void {
    completeOneShot(this.#agent, this.#key, ERRNO.ECANCELED, this.#agent.host.nowNs());
    this.free();
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    freeOneShot(this.#agent, this.#key.slot, this.#agent.identity);
  }

  awaited(fence: Fence): WaitCondition {
    fence.enableSignaling();
    return new SharedAwaited(this.#agent, fence, this.#key, this.#timeLimit);
  }

  isOwn(): boolean {
    return this.#maker.signaled === undefined;
  }
}
