import { check, checkList, checkOptions, FLAG, integer, type Kinds } from "../arguments.js";
import { AGENT_KIND, checkOwn, type Agent, type WaitCondition } from "../domain/agent.js";
import { allocateContexts } from "../domain/timeline-slot.js";
import { AwaitedFences } from "./awaited-fences.js";
import { Fence, FENCE, type FenceCallback, type FenceOps } from "./fence.js";

/**
 * All of some fences, or any of them, as one fence.
 *
 * fence-array.1. It signals with its last member, or with `signalOnAny` with the first.
 * fence-array.2. Its error is that of the first member that was seen to fail; later ones are not looked at.
 * fence-array.3. It is a container: its members are plain fences, and it goes into no reservation.
 *
 * @see linux/drivers/dma-buf/dma-fence-array.c
 */
export interface FenceArrayOptions {
  /** Signals with the first member instead of the last. Default false. */
  readonly signalOnAny?: boolean;
  /** Default: a new context. */
  readonly context?: number;
  /** Default 1. */
  readonly seqno?: number;
}

const NUMBER = integer(0);
const OPTIONS: Kinds<FenceArrayOptions> = { signalOnAny: FLAG, context: NUMBER, seqno: NUMBER };

export class FenceArray extends Fence {
  readonly fences: readonly Fence[];
  readonly signalOnAny: boolean;

  /** An array of no fences is reported, and signaled from the start. A member that is a container is reported. */
  constructor(agent: Agent, fences: readonly Fence[], options: FenceArrayOptions = {}) {
    check("new FenceArray()", "agent", agent, AGENT_KIND);
    const members = checkList("new FenceArray()", "fences", fences, FENCE);
    for (const [i, fence] of members.entries()) checkOwn("new FenceArray()", `fences[${i}]`, fence, agent);
    checkOptions("new FenceArray()", options, OPTIONS);
    const { signalOnAny = false, context = allocateContexts(agent, 1), seqno = 1 } = options;
    if (members.length === 0) agent.host.warn("A fence array needs at least one fence");
    if (members.some((fence) => fence.ops.container !== undefined)) {
      agent.host.warn("A fence array takes plain fences: unwrap its containers first");
    }
    super(agent, new ArrayOps(members, signalOnAny), context, seqno);
    this.fences = members;
    this.signalOnAny = signalOnAny;
  }

  /** Whether all members are of this context. */
  matchContext(context: number): boolean {
    check("FenceArray.matchContext()", "context", context, NUMBER);
    return this.fences.every((fence) => fence.context === context);
  }
}

class ArrayOps implements FenceOps {
  readonly driverName = "dma_fence_array";
  readonly timelineName = "unbound";
  readonly seqno32 = true;
  readonly container = "array";
  readonly #fences: readonly Fence[];
  readonly #signalOnAny: boolean;
  #callbacks: FenceCallback[] = [];
  #enabled = false;
  #pending: number;
  #failed = false;

  constructor(fences: readonly Fence[], signalOnAny: boolean) {
    this.#fences = fences;
    this.#signalOnAny = signalOnAny;
    this.#pending = signalOnAny ? Math.min(1, fences.length) : fences.length;
  }

  enableSignaling(array: Fence): boolean {
    this.#enabled = true;
    for (const fence of this.#fences) {
      if (this.#pending === 0) break;
      const callback = fence.addCallback(() => {
        if (this.#completed(array, fence)) array.signal();
      });
      if (callback.queued) this.#callbacks.push(callback);
      else this.#completed(array, fence);
    }
    return this.#pending > 0;
  }

  signaled(array: Fence): boolean {
    if (this.#enabled) return this.#lookEnabled();
    let pending = this.#pending;
    for (const fence of this.#fences) {
      if (pending > 0 && fence.isSignaled()) {
        this.#latch(array, fence);
        pending--;
      }
    }
    return pending === 0;
  }

  setDeadline(_array: Fence, deadlineNs: number): void {
    for (const fence of this.#fences) fence.setDeadline(deadlineNs);
  }

  awaited(array: Fence): WaitCondition {
    return new AwaitedFences(
      () => array.isSignaled(),
      () => this.#fences.filter((fence) => !fence.isSignaled()),
    ).enable();
  }

  isOwn(): boolean {
    const pending = this.#fences.filter((fence) => !fence.isSignaled());
    return this.#signalOnAny ? pending.every((fence) => fence.isOwn) : pending.some((fence) => fence.isOwn);
  }

  release(): void {
    this.#forget();
  }

  /** Members of other agents are found signaled by looking; their callbacks then count the array down. */
  #lookEnabled(): boolean {
    for (const fence of this.#fences) {
      if (this.#pending === 0 || (!fence.isSignaled() && !this.#signalOnAny)) break;
    }
    return this.#pending === 0;
  }

  /** Counts a member down; returns whether it was the one that decides. */
  #completed(array: Fence, fence: Fence): boolean {
    if (this.#pending === 0) return false;
    this.#latch(array, fence);
    if (--this.#pending > 0) return false;
    this.#forget();
    return true;
  }

  #latch(array: Fence, fence: Fence): void {
    if (this.#failed || fence.status >= 0) return;
    this.#failed = true;
    array.setError(fence.status);
  }

  #forget(): void {
    for (const callback of this.#callbacks) callback.remove();
    this.#callbacks = [];
  }
}
