import type { Agent, WaitCondition } from "../domain/agent.js";
import { AwaitedKey, DEFAULT_TIME_LIMIT } from "../domain/awaited-key.js";
import { isKeySignaled, keyStatus } from "../domain/fence-slot.js";
import { claimOneShot, completeOneShot, freeOneShot } from "../domain/one-shot-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { ERRNO } from "../errors.js";
import {
  backingOf,
  emitted,
  fenceAgent,
  FenceBacking,
  queueCallback,
  setBacking,
  type Fence,
  type Outcome,
} from "./fence.js";
import { outcomeOf, watchDeadlines } from "./shared-fence.js";

/**
 * Gives a fence a place that all agents see, if it has none.
 *
 * @param timeLimit Milliseconds after which hang recovery ends it with `ETIMEDOUT`.
 * @throws {DmaBufError} `ENOSPC` if too many published fences are pending.
 */
export function publish(fence: Fence, timeLimit = DEFAULT_TIME_LIMIT): FenceKey {
  const key = backingOf(fence).publish(fence, timeLimit);
  emitted(fence, key);
  return key;
}

/** The same for a fence of this agent alone. @param maker What is behind it. */
export function publishLocal(fence: Fence, maker: FenceBacking, timeLimit: number): FenceKey {
  const agent = fenceAgent(fence);
  const { context, seqno, seqno32, driverName, timelineName } = fence;
  const key = claimOneShot(agent, { context, seqno, seqno32, driverName, name: timelineName, timeLimit });
  const backing = new PublishedBacking(maker, agent, key, timeLimit);
  setBacking(fence, backing);
  let queued: boolean;
  try {
    // The maker's code runs here.
    queued = queueCallback(fence, () => backing.settled(fence)).queued;
  } catch (error) {
    setBacking(fence, maker);
    backing.withdraw();
    throw error;
  }
  if (queued) {
    agent.watch(new Guard(agent, key, timeLimit, looksAt(fence, key, maker)), nothing);
    if (maker.hearsDeadlines) {
      queueCallback(
        fence,
        watchDeadlines(agent, key, (deadlineNs) => fence.setDeadline(deadlineNs)),
      );
    }
  } else {
    // It had signaled before, which the slot does not know, or has done so just now.
    if (!isKeySignaled(agent, key)) {
      completeOneShot(agent, key, fence.status < 0 ? -fence.status : 0, fence.timestamp!);
    }
    backing.free();
  }
  return key;
}

/** Ends the fence at its time limit, whether any other code waits for it or not. */
class Guard extends AwaitedKey {
  protected override expired(): void {}
}

/** Whether a fence has signaled, as its agent sees it. The validator wants to know when the last object is gone that could. */
function looksAt(fence: Fence, key: FenceKey, maker: FenceBacking): () => boolean {
  const agent = fenceAgent(fence);
  if (agent.validation === undefined || !maker.isOwn(fence)) return () => fence.isSignaled();
  agent.validation.signals(fence, key).handedOut(key.sequence);
  return looksWhileThere(agent, new WeakRef(fence), key);
}

/** Apart, as any function of a scope keeps what one of them uses. */
function nothing(): void {}

/** Likewise. */
function looksWhileThere(agent: Agent, fence: WeakRef<Fence>, key: FenceKey): () => boolean {
  return () => fence.deref()?.isSignaled() ?? isKeySignaled(agent, key);
}

/** A fence of this agent that has got a one-shot slot: its maker still says what it knows, and the slot decides. */
class PublishedBacking extends FenceBacking {
  readonly driverName: string;
  readonly timelineName: string;
  override readonly seqno32: boolean;
  override readonly isContainer: boolean;
  override readonly hearsDeadlines: boolean;
  override readonly goesOn: boolean;
  readonly #maker: FenceBacking;
  readonly #agent: Agent;
  readonly #key: FenceKey;
  readonly #timeLimit: number;
  #isDecidedHere = false;
  #isFree = false;

  constructor(maker: FenceBacking, agent: Agent, key: FenceKey, timeLimit: number) {
    super();
    this.driverName = maker.driverName;
    this.timelineName = maker.timelineName;
    this.seqno32 = maker.seqno32;
    this.isContainer = maker.isContainer;
    this.hearsDeadlines = maker.hearsDeadlines;
    this.goesOn = maker.goesOn;
    this.#maker = maker;
    this.#agent = agent;
    this.#key = key;
    this.#timeLimit = timeLimit;
  }

  override key(): FenceKey {
    return this.#key;
  }

  publish(): FenceKey {
    return this.#key;
  }

  enableSignaling(fence: Fence): boolean {
    return this.#maker.enableSignaling(fence);
  }

  poll(fence: Fence): Outcome | undefined {
    const status = keyStatus(this.#agent, this.#key);
    if (status !== 0) return outcomeOf(this.#agent, this.#key, status);
    const found = this.#maker.poll(fence);
    if (found === undefined) return undefined;
    // The maker found it finished: decide it for all agents, as signal() would.
    if (found.error !== undefined && found.error < 0) fence.setError(found.error);
    fence.signal(found.timestamp);
    return undefined;
  }

  override decide(_fence: Fence, error: number, timestampNs: number): boolean {
    this.#isDecidedHere = completeOneShot(this.#agent, this.#key, -error, timestampNs);
    if (this.#isDecidedHere) this.#agent.validation?.signaled(this.#key);
    return this.#isDecidedHere;
  }

  /** To hear that a time limit has ended the fence does not mean that its work has finished (one-shot-slot.4). */
  settled(fence: Fence): void {
    if (this.#isDecidedHere || fence.status !== -ERRNO.ETIMEDOUT) this.free();
  }

  override acknowledge(): void {
    this.free();
  }

  override setDeadline(fence: Fence, deadlineNs: number): void {
    this.#maker.setDeadline(fence, deadlineNs);
  }

  override abandon(fence: Fence): void {
    this.#maker.abandon(fence);
  }

  /** What the maker has dropped it says no more of; unless its work goes on by itself, no agent is kept waiting for it. */
  override release(fence: Fence): void {
    if (!this.goesOn && fence.isSignaled()) this.free();
    this.#maker.release(fence);
  }

  /** The fence has got no place after all: no agent has seen it there. */
  withdraw(): void {
    completeOneShot(this.#agent, this.#key, ERRNO.ECANCELED, this.#agent.host.nowNs());
    this.free();
  }

  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    freeOneShot(this.#agent, this.#key.slot, this.#agent.identity);
  }

  override awaited(fence: Fence): WaitCondition {
    fence.enableSignaling();
    return new AwaitedKey(this.#agent, this.#key, this.#timeLimit, () => fence.isSignaled());
  }

  isOwn(fence: Fence): boolean {
    return this.#maker.isOwn(fence);
  }
}
