import type { Agent } from "../domain/agent.js";
import { FenceChain, findSeqno } from "./fence-chain.js";
import type { Fence } from "./fence.js";
import { stubFence } from "./stub.js";

/** How many links are looked at when a point is added: more than one, so that what has signaled goes faster than it comes. */
const STEPS_PER_POINT = 8;

/** What all holders of a syncobj share: its fence, and who waits for one to come. */
export class SyncobjState {
  readonly agent: Agent;
  #fence: Fence | undefined;
  #holders = 0;
  readonly #awaited = new Set<AwaitedPoint>();
  /** How far a walk along the chain has come that drops what has signaled. */
  #walked: Fence | undefined;

  constructor(agent: Agent) {
    this.agent = agent;
  }

  get fence(): Fence | undefined {
    return this.#fence;
  }

  /** Counts a holder, or a wait. */
  hold(): void {
    this.#holders++;
  }

  /** With the last holder, those who only listen are forgotten. */
  release(): void {
    if (--this.#holders === 0) this.#awaited.clear();
  }

  /** Puts a fence in the place of what was there. */
  replace(fence: Fence | undefined): void {
    if (fence === this.#fence) return;
    this.#fence = fence;
    this.#walked = undefined;
    if (fence !== undefined) this.#tell();
  }

  /** Adds a point on top of what was there. */
  addPoint(point: number, fence: Fence): void {
    this.#fence = new FenceChain(this.#fence, fence, point);
    this.#tell();
    this.#walk();
  }

  /** The fence that signals a point, `undefined` if there is none yet. Point 0 is the fence as it is. */
  find(point: number): Fence | undefined {
    const fence = this.#fence;
    if (fence === undefined || point === 0) return fence;
    if (!(fence instanceof FenceChain) || fence.seqno < point) return undefined;
    return findSeqno(fence, point) ?? stubFence(this.agent);
  }

  /**
   * Calls back once when a point that has no fence gets one.
   *
   * @returns What ends that.
   */
  whenSubmitted(point: number, submitted: (fence: Fence) => void): () => void {
    const awaited = { point, submitted };
    this.#awaited.add(awaited);
    return () => this.#awaited.delete(awaited);
  }

  /** The last point that is signaled with all before it; or, with `lastSubmitted`, the last point. 0 if there is none. */
  query(lastSubmitted: boolean): number {
    const head = this.#fence;
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
}
