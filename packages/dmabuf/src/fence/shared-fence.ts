import type { Agent, WaitCondition } from "../domain/agent.js";
import { AwaitedKey, DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import {
  hintDeadline,
  isOwnKey,
  keyDeadline,
  keyOrigin,
  keyPosition,
  keyTime,
  type Origin,
} from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError, textOf } from "../errors.js";
import { FenceBacking, makeFence, type Fence, type Outcome } from "./fence.js";

/**
 * Fences that other agents see.
 *
 * shared-fence.1. A key (slot, generation, sequence number) never names another fence; its slot may be used again once
 *      the fence has signaled.
 * shared-fence.2. A fence object in an agent is a view of the key: its callbacks are the agent's own.
 * shared-fence.3. A fence whose timeline made no progress for its time limit is ended with `ETIMEDOUT` by the agents
 *      that wait for it.
 * shared-fence.4. Its work is overdue then, until the agent that signals it says that it has finished: by signaling it
 *     later, or one that comes after it; by closing its timeline; by disposing a fence that is no timeline's; or by its
 *     death.
 */

/** What all fences of one slot and generation have in common in this agent. */
export class SharedBacking extends FenceBacking {
  readonly agent: Agent;
  readonly slot: number;
  readonly generation: number;
  override readonly seqno32: boolean;
  /** A fence here is a view of its owner's fence: the waits for that go on. */
  override readonly goesOn = true;
  /** What waits here for fences of this slot; most agents that import one only look, or block. */
  #armed: Map<Fence, () => void> | undefined = undefined;
  #origin: Origin | undefined;

  /**
   * @param origin What is known of the fences' maker; read from the slot when it is needed, if absent.
   * @param seqno32 How the fences' context counts.
   */
  constructor(agent: Agent, slot: number, generation: number, origin?: Origin, seqno32 = origin?.seqno32 ?? false) {
    super();
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

  override key(fence: Fence): FenceKey {
    return { slot: this.slot, generation: this.generation, sequence: this.#sequenceOf(fence) };
  }

  publish(fence: Fence): FenceKey {
    return this.key(fence);
  }

  poll(fence: Fence): Outcome | undefined {
    const sequence = this.#sequenceOf(fence);
    const status = this.agent.protocol.keyStatus(this.slot, this.generation, sequence);
    if (status === 0) return undefined;
    // Those before it have signaled too, and call back before it.
    if (this.hasArmed) this.settleArmed(sequence - 1);
    // What was set here is dropped: the fence was decided in shared memory.
    return outcomeOf(this.agent, this.key(fence), status);
  }

  enableSignaling(fence: Fence): boolean {
    if (fence.isSignaled()) return true;
    const unwatch = this.agent.watch(this.awaited(fence), () => this.#armed?.delete(fence));
    if (!fence.isSignaled()) (this.#armed ??= new Map<Fence, () => void>()).set(fence, unwatch);
    return true;
  }

  override setDeadline(fence: Fence, deadlineNs: number): void {
    hintDeadline(this.agent, this.key(fence), deadlineNs, this.agent.host.nowNs());
  }

  override decide(fence: Fence, _error: number, _timestampNs: number): boolean {
    throw new DmaBufError("EPERM", `Cannot signal fence ${fence.context}:${fence.seqno}: only its owner may`);
  }

  override awaited(fence: Fence): WaitCondition {
    return new AwaitedKey(this.agent, this.key(fence), this.origin.timeLimit, () => fence.isSignaled());
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

/** How a fence has ended whose key has a status. */
export function outcomeOf(agent: Agent, key: FenceKey, status: number): Outcome {
  return { error: status < 0 ? status : 0, timestamp: keyTime(agent, key) ?? agent.host.nowNs() };
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
  const backing = new SharedBacking(agent, key.slot, key.generation, undefined, position.seqno32);
  return makeFence(agent, backing, position.context, position.seqno);
}
