import { check, checkList, checkOptions, FLAG, integer, type Kinds } from "../arguments.js";
import { checkOwn, type Agent, type WaitCondition } from "../domain/agent.js";
import { allocateContexts } from "../domain/timeline-slot.js";
import { AwaitedFences } from "./awaited-fences.js";
import { fenceAgent, backingOf, Fence, FENCE, type FenceCallback, type Outcome } from "./fence.js";
import type { FenceArrayHandle } from "./fence-handle.js";
import { LocalBacking } from "./local-fence.js";

/**
 * All of some fences, or any of them, as one fence.
 *
 * fence-array.1. It signals with its last member, or with `signalOnAny` with the first.
 * fence-array.2. Its error is that of the first member that was seen to fail; later ones are not looked at.
 * fence-array.3. It is a container: its members are plain fences, and it goes into no reservation.
 *
 * @see linux/drivers/dma-buf/dma-fence-array.c
 */

/** Options of {@link Domain.createFenceArray}. */
export interface FenceArrayOptions {
  /** Signals with the first member instead of the last. Default false. */
  readonly signalOnAny?: boolean;
  /** The array's fence context, from {@link Domain.allocateContexts}. Default: a new one. */
  readonly context?: number;
  /** The array's number in its context. Default 1. */
  readonly seqno?: number;
}

const NUMBER = integer(0);
const OPTIONS: Kinds<FenceArrayOptions> = { signalOnAny: FLAG, context: NUMBER, seqno: NUMBER };

/**
 * See {@link FenceArray}.
 *
 * @throws {TypeError} If a member is of another agent.
 */
export let createFenceArray: (agent: Agent, fences: Iterable<Fence>, options?: FenceArrayOptions) => FenceArray;

/**
 * Several fences as one, which {@link Domain.createFenceArray} makes: it signals with its last member, or its first.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * const fences = [timeline.createFence(), timeline.createFence()];
 * const all = domain.createFenceArray(fences);
 * timeline.signal(2);
 * console.log(all.isSignaled()); // true
 * ```
 */
export class FenceArray extends Fence {
  static {
    createFenceArray = (agent, fences, options = {}) => new FenceArray(agent, fences, options);
  }

  /** The members, in order. */
  readonly fences: readonly Fence[];
  /** Whether it signals with its first member instead of its last. */
  readonly signalOnAny: boolean;

  private constructor(agent: Agent, fences: Iterable<Fence>, options: FenceArrayOptions) {
    const call = "Domain.createFenceArray()";
    const members = checkList(call, "fences", fences, FENCE);
    for (const [i, fence] of members.entries()) checkOwn(call, `fences[${i}]`, fenceAgent(fence), agent);
    checkOptions(call, options, OPTIONS);
    const { signalOnAny = false, context = allocateContexts(agent, 1), seqno = 1 } = options;
    if (members.length === 0) agent.complain("fence-misuse", "A fence array needs at least one fence");
    if (members.some((fence) => backingOf(fence).isContainer)) {
      agent.complain("fence-misuse", "A fence array takes plain fences: unwrap its containers first");
    }
    super(agent, new ArrayBacking(members, signalOnAny), context, seqno);
    this.fences = members;
    this.signalOnAny = signalOnAny;
  }

  /** Whether all members are of this context. */
  matchContext(context: number): boolean {
    check("FenceArray.matchContext()", "context", context, NUMBER);
    return this.fences.every((fence) => fence.context === context);
  }

  override handle(): FenceArrayHandle {
    const fences = this.fences.map((fence) => fence.handle());
    return { kind: "fence", domain: fenceAgent(this).domain, form: "array", fences, signalOnAny: this.signalOnAny };
  }
}

class ArrayBacking extends LocalBacking {
  readonly driverName = "dma_fence_array";
  readonly timelineName = "unbound";
  override readonly seqno32 = true;
  override readonly isContainer = true;
  readonly #fences: readonly Fence[];
  readonly #signalOnAny: boolean;
  #callbacks: FenceCallback[] = [];
  #enabled = false;
  #pending: number;
  #failed = false;

  constructor(fences: readonly Fence[], signalOnAny: boolean) {
    super();
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

  poll(array: Fence): Outcome | undefined {
    const isOver = this.#enabled ? this.#lookEnabled() : this.#look(array);
    return isOver ? { error: undefined, timestamp: fenceAgent(array).host.nowNs() } : undefined;
  }

  override setDeadline(_array: Fence, deadlineNs: number): void {
    for (const fence of this.#fences) fence.setDeadline(deadlineNs);
  }

  override awaited(array: Fence): WaitCondition {
    return new AwaitedFences(
      () => array.isSignaled(),
      () => this.#fences.filter((fence) => !fence.isSignaled()),
    ).enable();
  }

  isOwn(): boolean {
    const pending = this.#fences.filter((fence) => !fence.isSignaled());
    const isOwn = (fence: Fence): boolean => backingOf(fence).isOwn(fence);
    return this.#signalOnAny ? pending.every(isOwn) : pending.some(isOwn);
  }

  override release(): void {
    this.#forget();
  }

  #look(array: Fence): boolean {
    let pending = this.#pending;
    for (const fence of this.#fences) {
      if (pending > 0 && fence.isSignaled()) {
        this.#latch(array, fence);
        pending--;
      }
    }
    return pending === 0;
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
