import type { Agent } from "../domain/agent.js";
import { createFenceChain, FenceChain, findSeqno, reaches } from "./fence-chain.js";
import type { Fence } from "./fence.js";
import type { SharedPoints } from "./shared-points.js";
import { stubFence } from "./stub.js";

/** How many links are looked at when a point is added: more than one, so that what has signaled goes faster than it comes. */
const STEPS_PER_POINT = 8;

/** What all holders of a syncobj in this agent share: its fence, and the waits for one to come. */
export class SyncobjState {
  readonly agent: Agent;
  /** Of no meaning once the syncobj is shared. */
  #fence: Fence | undefined;
  #shared: SharedPoints | undefined;
  #released: (() => void) | undefined;
  /** Holders and waits. */
  #holders = 0;
  /** Holders alone: only they may submit. */
  #users = 0;
  readonly #awaited = new Set<AwaitedPoint>();
  #unwatch: (() => void) | undefined;
  /** How far a walk along the chain has come that drops what has signaled. */
  #walked: Fence | undefined;

  constructor(agent: Agent) {
    this.agent = agent;
  }

  get fence(): Fence | undefined {
    return this.#shared === undefined ? this.#fence : this.#shared.fence;
  }

  /** Its place in shared memory, if it has one: then other agents may submit what is waited for. */
  get shared(): SharedPoints | undefined {
    return this.#shared;
  }

  /**
   * From now on the fence is stored in shared memory.
   *
   * @param released Called when this agent has no holder any more.
   */
  share(shared: SharedPoints, released: () => void): void {
    this.#shared = shared;
    this.#released = released;
    this.#fence = undefined;
    this.#walked = undefined;
    this.#watch();
  }

  /** Goes on with what is stored there now, for this agent alone. */
  leave(): void {
    this.#fence = this.fence;
    this.#releaseShared();
  }

  /** Counts a wait. */
  hold(): void {
    this.#holders++;
  }

  /** Counts a holder. */
  open(): void {
    this.#users++;
    this.hold();
  }

  /** The end that belongs to {@link open}: with the last holder of a syncobj of this agent alone, nothing more is submitted. */
  close(): void {
    this.#users--;
    if (this.isAbandoned) for (const { abandoned } of [...this.#awaited]) abandoned?.();
    this.release();
  }

  /** Whether no point can be submitted any more. */
  get isAbandoned(): boolean {
    return this.#users === 0 && this.#shared === undefined;
  }

  /** With the last holder, those that only listen are forgotten. */
  release(): void {
    if (--this.#holders > 0) return;
    this.#awaited.clear();
    this.#releaseShared();
  }

  /** Puts a fence in the place of what was there. Errors as {@link SharedPoints.replace}. */
  replace(fence: Fence | undefined): void {
    if (fence === this.fence) return;
    if (this.#shared === undefined) this.#fence = fence;
    else this.#shared.replace(fence);
    this.#walked = undefined;
    if (fence !== undefined) this.#tell();
  }

  /** Adds a point on top of what was there. Errors as {@link SharedPoints.replace}. */
  addPoint(point: number, fence: Fence): void {
    if (this.#shared === undefined) this.#fence = createFenceChain(this.#fence, fence, point);
    else this.#shared.addPoint(point, fence);
    this.#tell();
    this.#walk();
  }

  /** The fence that signals a point, `undefined` if there is none yet. Point 0 is the fence as it is. */
  find(point: number): Fence | undefined {
    const { fence } = this;
    if (fence === undefined || point === 0) return fence;
    if (!reaches(fence, point)) return undefined;
    return findSeqno(fence, point) ?? stubFence(this.agent);
  }

  /**
   * Calls back once when a point that has no fence gets one; maybe in this call, if another agent has just submitted it.
   *
   * @param abandoned Called when it will get none.
   * @returns What ends that.
   */
  whenSubmitted(point: number, submitted: (fence: Fence) => void, abandoned?: () => void): () => void {
    const awaited = { point, submitted, abandoned };
    this.#awaited.add(awaited);
    this.#watch();
    return () => this.#awaited.delete(awaited);
  }

  /** The last point that is signaled with all before it; or, with `lastSubmitted`, the last point. 0 if there is none. */
  query(lastSubmitted: boolean): number {
    const head = this.fence;
    if (!(head instanceof FenceChain)) return 0;
    if (lastSubmitted) return head.seqno;
    let oldest = head;
    for (const element of head.elements()) {
      // Points that were added backwards began another context: what is older counts no more.
      if (!(element instanceof FenceChain) || element.context !== head.context) break;
      oldest = element;
    }
    return oldest.isSignaled() ? oldest.seqno : oldest.previousSeqno;
  }

  /** Other agents ring when they submit; while nothing waits here, they are not asked to. */
  #watch(): void {
    const shared = this.#shared;
    if (shared === undefined || this.#unwatch !== undefined || this.#awaited.size === 0) return;
    let isOver = false;
    const ready = (): boolean => {
      this.#tell();
      return this.#awaited.size === 0;
    };
    const unwatch = this.agent.watch({ arm: () => shared.arm(), ready }, () => {
      isOver = true;
      this.#unwatch = undefined;
    });
    if (!isOver) this.#unwatch = unwatch;
  }

  #releaseShared(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#shared = undefined;
    const released = this.#released;
    this.#released = undefined;
    released?.();
  }

  #tell(): void {
    for (const awaited of [...this.#awaited]) {
      const fence = this.find(awaited.point);
      // One that was told before may have ended this one.
      if (fence !== undefined && this.#awaited.delete(awaited)) awaited.submitted(fence);
    }
  }

  /** A few steps each time, for a walk along a whole chain of pending points would make adding one slower and slower. */
  #walk(): void {
    for (let step = 0; step < STEPS_PER_POINT; step++) {
      const element: Fence | undefined = this.#walked ?? this.#fence;
      this.#walked = element instanceof FenceChain ? element.previous() : undefined;
      if (this.#walked === undefined) return;
    }
  }
}

interface AwaitedPoint {
  readonly point: number;
  readonly submitted: (fence: Fence) => void;
  readonly abandoned: (() => void) | undefined;
}
