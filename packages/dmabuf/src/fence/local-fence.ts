import { check, checkObject, FLAG, FUNCTION, integer, NAME, required, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { allocateContexts, type FenceKey } from "../domain/timeline-slot.js";
import { fenceAgent, FenceBacking, newFence, type Fence, type FenceOps, type Outcome } from "./fence.js";
import { publishLocal } from "./published-fence.js";

const NUMBER = integer(0);

const OPS: Kinds<FenceOps> = {
  driverName: required(NAME),
  timelineName: required(NAME),
  seqno32: FLAG,
  enableSignaling: FUNCTION,
  signaled: FUNCTION,
  setDeadline: FUNCTION,
  release: FUNCTION,
};

/**
 * A fence of this agent alone, until it is published.
 *
 * @param context From {@link allocateContexts}. Default: a new one.
 */
export function createFence(agent: Agent, ops: FenceOps, context?: number, seqno = 1): Fence {
  checkObject("Domain.createFence()", "ops", ops, OPS);
  if (context !== undefined) check("Domain.createFence()", "context", context, NUMBER);
  check("Domain.createFence()", "seqno", seqno, NUMBER);
  return newFence(agent, new OpsBacking(ops), context ?? allocateContexts(agent, 1), seqno);
}

/** What is behind a fence of this agent alone. */
export abstract class LocalBacking extends FenceBacking {
  publish(fence: Fence, timeLimit: number): FenceKey {
    return publishLocal(fence, this, timeLimit);
  }
}

/** A fence whose maker has said what it does. */
export class OpsBacking extends LocalBacking {
  readonly driverName: string;
  readonly timelineName: string;
  override readonly seqno32: boolean;
  override readonly hearsDeadlines: boolean;
  readonly #ops: FenceOps;

  constructor(ops: FenceOps) {
    super();
    this.driverName = ops.driverName;
    this.timelineName = ops.timelineName;
    this.seqno32 = ops.seqno32 ?? false;
    this.hearsDeadlines = ops.setDeadline !== undefined;
    this.#ops = ops;
  }

  enableSignaling(fence: Fence): boolean {
    return this.#ops.enableSignaling?.(fence) !== false;
  }

  poll(fence: Fence): Outcome | undefined {
    if (this.#ops.signaled?.(fence) !== true) return undefined;
    return { error: undefined, timestamp: fenceAgent(fence).host.nowNs() };
  }

  isOwn(): boolean {
    return this.#ops.signaled === undefined;
  }

  override setDeadline(fence: Fence, deadlineNs: number): void {
    this.#ops.setDeadline?.(fence, deadlineNs);
  }

  override release(fence: Fence): void {
    this.#ops.release?.(fence);
  }
}
