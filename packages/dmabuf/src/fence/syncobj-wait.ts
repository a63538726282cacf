import { allOrNothing } from "../all-or-nothing.js";
import { FLAG, NANOSECONDS, type Kind, type Kinds } from "../arguments.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { take, takeSync, type Steps, type Wait } from "../domain/steps.js";
import { WAIT, waitUntil, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { AwaitedFences } from "./awaited-fences.js";
import { backingOf, type Fence } from "./fence.js";
import type { SyncobjState } from "./syncobj-state.js";
import type { WaitAnyResult } from "./wait-many.js";

/** Options of {@link Syncobj.wait}. */
export interface SyncobjWaitOptions extends WaitOptions {
  /** Waits for all entries. Default false: for any of them. */
  readonly all?: boolean;
  /** Waits for fences and points that do not exist yet. Default false: they are `EINVAL`. */
  readonly forSubmit?: boolean;
  /** An entry is done as soon as it has a fence. Default false: when that has signaled. */
  readonly available?: boolean;
  /** The end of the wait as an absolute time, in monotonic nanoseconds, besides `timeout`; one that has passed only looks. */
  readonly untilNs?: number;
  /** Hints to the fences that they are needed by then (absolute monotonic nanoseconds), if the wait has to sleep. */
  readonly deadlineNs?: number;
}

/** Options of {@link Syncobj.waitSync}. */
export type SyncobjWaitSyncOptions = Omit<SyncobjWaitOptions, "signal" | "unref">;

/** One that has passed only looks, and one that never comes is no limit. */
const UNTIL: Kind = {
  wanted: "a time in nanoseconds",
  isKind: (value) => typeof value === "number",
  isTaken: (value: number) => !Number.isNaN(value),
};

export const SYNCOBJ_WAIT: Kinds<SyncobjWaitOptions> = {
  ...WAIT,
  all: FLAG,
  forSubmit: FLAG,
  available: FLAG,
  untilNs: UNTIL,
  deadlineNs: NANOSECONDS,
};

const NO_ENTRIES: WaitAnyResult = { state: "signaled", index: -1 };

/** A point of a syncobj that is waited for. */
export interface AwaitedEntry {
  readonly state: SyncobjState;
  readonly point: number;
}

/**
 * Waits for points of syncobjs.
 *
 * syncobj-wait.1. A point that does not exist ends the call at once, unless the wait is for submission or availability.
 * syncobj-wait.2. An entry keeps the fence that it has seen first: what becomes of the syncobj afterwards changes
 *      nothing.
 * syncobj-wait.3. A fence that failed is done, as everywhere.
 *
 * @see linux/drivers/gpu/drm/drm_syncobj.c, `drm_syncobj_array_wait_timeout`
 */
export async function waitForPoints(
  entries: readonly AwaitedEntry[],
  options: SyncobjWaitOptions,
): Promise<WaitAnyResult> {
  const timeout = timeoutOf(entries, options);
  if (entries.length === 0) return NO_ENTRIES;
  return take(entries[0]!.state.agent, waitingForPoints(entries, options), { ...options, timeout });
}

/** As {@link waitForPoints}, blocking this thread: what this thread alone could submit or signal will not come. */
export function waitForPointsSync(entries: readonly AwaitedEntry[], options: SyncobjWaitSyncOptions): WaitAnyResult {
  const timeout = timeoutOf(entries, options);
  if (entries.length === 0) return NO_ENTRIES;
  return takeSync(entries[0]!.state.agent, waitingForPoints(entries, options), timeout);
}

function* waitingForPoints(entries: readonly AwaitedEntry[], options: SyncobjWaitOptions): Steps<WaitAnyResult> {
  using wait = new PointsWait(entries, options);
  wait.prepare();
  return wait.result(wait.isDone() || (yield wait));
}

/** The fence of a point, which is waited for if there is none; `undefined` if the time passed first. */
export function* submittedFence(entry: AwaitedEntry): Steps<Fence | undefined> {
  using wait = new PointsWait([entry], { available: true });
  if (!wait.isDone()) yield wait;
  return wait.firstFence;
}

/** One call's view of its entries. */
class PointsWait implements Wait, Disposable {
  readonly #entries: readonly LatchedEntry[];
  readonly #options: SyncobjWaitOptions;
  /** The lowest that was done when the call began. */
  readonly #firstDone: number;

  constructor(entries: readonly AwaitedEntry[], options: SyncobjWaitOptions) {
    this.#options = options;
    this.#entries = entries.map(({ state, point }) => ({ state, point, fence: state.find(point) }));
    const missing = this.#entries.find(({ fence }) => fence === undefined);
    if (missing !== undefined && !options.forSubmit && !options.available) {
      throw new DmaBufError("EINVAL", `Cannot wait for point ${missing.point}: no agent has submitted it`);
    }
    this.#firstDone = this.#entries.findIndex((entry) => this.#isEntryDone(entry));
    for (const { state } of this.#entries) state.hold();
  }

  isDone(): boolean {
    const done = (entry: LatchedEntry): boolean => this.#isEntryDone(entry);
    return this.#options.all ? this.#entries.every(done) : this.#entries.some(done);
  }

  /** Before the wait sleeps, or looks for the last time: the fences will signal by themselves, and know the deadline. */
  prepare(): void {
    if (this.isDone()) return;
    const { deadlineNs } = this.#options;
    for (const fence of this.#pending()) {
      if (deadlineNs !== undefined) fence.setDeadline(deadlineNs);
      fence.enableSignaling();
    }
  }

  #pending(): Fence[] {
    return this.#entries.flatMap(({ fence }) => (fence === undefined || fence.isSignaled() ? [] : [fence]));
  }

  get firstFence(): Fence | undefined {
    return this.#entries[0]!.fence;
  }

  get doing(): readonly Fence[] {
    return this.#pending();
  }

  wait(terms: WaitTerms): Promise<boolean> {
    return waitUntil(
      this.#agent,
      terms,
      () => this.isDone(),
      (done, failed) => this.#listen(done, failed),
      this.doing,
    );
  }

  waitSync(timeout: number): boolean {
    if (timeout === Infinity && !this.isDone() && this.#isOwn()) {
      const message = "Cannot block: only this thread can submit or signal what it waits for";
      throw this.#agent.blocksItself("own-fence", message);
    }
    return this.#agent.waitSync(this.#awaited(), timeout);
  }

  get #agent(): Agent {
    return this.#entries[0]!.state.agent;
  }

  /** How this thread blocks for it. */
  #awaited(): WaitCondition {
    const fences = new AwaitedFences(
      () => this.isDone(),
      () => this.#pending(),
    );
    return {
      activity: () => fences.activity(),
      arm: () => {
        for (const { state, fence } of this.#entries) if (fence === undefined) state.shared?.arm();
        // What has come before that rang no agent: its fence is armed in this call.
        this.#latch();
        fences.arm();
      },
      ready: () => {
        this.#latch();
        return this.isDone();
      },
      recheckAfter: () => fences.recheckAfter(),
    };
  }

  #latch(): void {
    for (const entry of this.#entries) entry.fence ??= entry.state.find(entry.point);
  }

  /** Whether nothing but this thread can bring the wait to its end. */
  #isOwn(): boolean {
    const open = this.#entries.filter((entry) => !this.#isEntryDone(entry));
    const isOwn = ({ state, fence }: LatchedEntry): boolean =>
      fence === undefined ? state.shared === undefined : backingOf(fence).isOwn(fence);
    return this.#options.all ? open.some(isOwn) : open.every(isOwn);
  }

  /** An entry that no one can submit any more, if the wait cannot end without it. */
  #hopeless(): LatchedEntry | undefined {
    const open = this.#entries.filter((entry) => !this.#isEntryDone(entry));
    const gone = open.filter(({ fence, state }) => fence === undefined && state.isAbandoned);
    return this.#options.all || gone.length === open.length ? gone[0] : undefined;
  }

  /** Calls back when the wait is done; returns what ends that. */
  #listen(done: () => void, failed: (error: unknown) => void): () => void {
    const ends: (() => void)[] = [];
    const end = (): void => {
      for (const one of ends.splice(0)) one();
    };
    const look = (): void => {
      if (this.isDone()) done();
    };
    const giveUp = (): void => {
      const hopeless = this.#hopeless();
      if (hopeless !== undefined) failed(abandoned(hopeless.point));
    };
    const latched = (fence: Fence): void => {
      const callback = this.#options.available ? undefined : fence.addCallback(look);
      ends.push(() => callback?.remove());
      look();
    };
    return allOrNothing((orUndo) => {
      orUndo(end);
      for (const entry of this.#entries) {
        if (entry.fence !== undefined) latched(entry.fence);
        else {
          const submitted = (fence: Fence): void => latched((entry.fence = fence));
          ends.push(entry.state.whenSubmitted(entry.point, submitted, giveUp));
        }
      }
      return end;
    });
  }

  result(found: boolean): WaitAnyResult {
    if (!found) return { state: "timed-out" };
    const index = this.#options.all ? this.#firstDone : this.#entries.findIndex((entry) => this.#isEntryDone(entry));
    return { state: "signaled", index };
  }

  [Symbol.dispose](): void {
    for (const { state } of this.#entries) state.release();
  }

  #isEntryDone({ fence }: LatchedEntry): boolean {
    return fence !== undefined && (this.#options.available === true || fence.isSignaled());
  }
}

interface LatchedEntry extends AwaitedEntry {
  fence: Fence | undefined;
}

/** Milliseconds until the first of the two ends of a wait. @throws {TypeError} If the syncobjs are of several agents. */
function timeoutOf(entries: readonly AwaitedEntry[], { timeout = Infinity, untilNs }: SyncobjWaitOptions): number {
  const agent = entries[0]?.state.agent;
  if (entries.some(({ state }) => state.agent !== agent)) {
    throw new TypeError("Cannot wait for syncobjs of several agents at once");
  }
  if (untilNs === undefined || agent === undefined) return timeout;
  return Math.min(timeout, Math.max(0, (untilNs - agent.host.nowNs()) / 1e6));
}

function abandoned(point: number): DmaBufError {
  return new DmaBufError("ENOENT", `Cannot go on waiting for point ${point}: the syncobj's last holder was closed`);
}
