import type { Agent, WaitCondition } from "../domain/agent.js";
import {
  armKey,
  endKey,
  isKeyOverdue,
  isKeySignaled,
  isOwnKey,
  keyProgress,
  keyTimeLimit,
} from "../domain/fence-slot.js";
import { until, type Steps } from "../domain/steps.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError, ERRNO } from "../errors.js";
import { hasUnfinished, tryReadEntries, type Entry } from "./entries.js";
import { OverdueWork } from "./overdue-work.js";
import { usageLevel, type Usage } from "./usage.js";

/** The work of others on a buffer, for an agent that waits for it and adds none: it makes no fence for that. */
export class PendingWork {
  readonly #agent: Agent;
  readonly #slot: number;

  constructor(agent: Agent, bufferSlot: number) {
    this.#agent = agent;
    this.#slot = bufferSlot;
  }

  /** Whether no work up to a usage is pending or overdue. */
  testFinished(usage: Usage): boolean {
    return !hasUnfinished(this.#agent, this.#entries(), usageLevel(usage));
  }

  /** The work up to a usage that is overdue now. */
  overdueWork(usage: Usage): OverdueWork | undefined {
    const overdue = this.#upTo(usage).filter(({ key }) => isKeyOverdue(this.#agent, key));
    return overdue.length === 0 ? undefined : new OverdueWork(this.#agent, overdue);
  }

  /** Waits for the fences up to a usage that are pending now; gives false if the time has passed first. */
  *signaled(usage: Usage): Steps<boolean> {
    const fences = new PendingFences(
      this.#agent,
      this.#upTo(usage).map(({ key }) => key),
    );
    return fences.ready() || (yield until(this.#agent, fences));
  }

  /** Waits until {@link testFinished}, also for what is added during the wait; gives false if the time has passed first. */
  *finished(usage: Usage): Steps<boolean> {
    while (!this.testFinished(usage)) {
      if (!(yield* this.signaled(usage))) return false;
      const overdue = this.overdueWork(usage);
      if (overdue !== undefined && !(yield until(this.#agent, overdue))) return false;
    }
    return true;
  }

  #upTo(usage: Usage): Entry[] {
    const level = usageLevel(usage);
    return this.#entries().filter((entry) => entry.level <= level);
  }

  #entries(): Entry[] {
    for (;;) {
      const entries = tryReadEntries(this.#agent, this.#slot);
      if (entries !== undefined) return entries;
    }
  }
}

/** Milliseconds without progress after which hang recovery ends a fence whose slot does not say it. */
const DEFAULT_TIME_LIMIT = 10_000;

/** A wait until some fences have signaled, which this agent knows by their keys alone. */
class PendingFences implements WaitCondition {
  readonly #agent: Agent;
  #pending: readonly FenceKey[];
  /** What was seen of each, and since when. */
  readonly #seen = new Map<FenceKey, { readonly progress: number; readonly since: number }>();

  constructor(agent: Agent, keys: readonly FenceKey[]) {
    this.#agent = agent;
    this.#pending = keys;
  }

  arm(): void {
    for (const key of this.#pending) armKey(this.#agent, key);
  }

  ready(): boolean {
    this.#pending = this.#pending.filter((key) => !isKeySignaled(this.#agent, key));
    return this.#pending.length === 0;
  }

  /** Ends what has made no progress within its time limit (agent.4). */
  recheckAfter(): number {
    const now = this.#agent.host.nowNs();
    let least = Infinity;
    for (const key of this.#pending) {
      const progress = keyProgress(this.#agent, key);
      let seen = this.#seen.get(key);
      if (seen?.progress !== progress) this.#seen.set(key, (seen = { progress, since: now }));
      const limit = (keyTimeLimit(this.#agent, key) ?? DEFAULT_TIME_LIMIT) * 1e6;
      const left = seen.since + limit - now;
      if (left <= 0) endKey(this.#agent, key, ERRNO.ETIMEDOUT, now);
      least = Math.min(least, Math.max(0, left / 1e6));
    }
    return least;
  }

  /** @throws {DmaBufError} `EDEADLK` if this thread itself must signal one of them. */
  checkBlocking(): void {
    if (!this.#pending.some((key) => isOwnKey(this.#agent, key))) return;
    throw new DmaBufError("EDEADLK", "Cannot block: only this thread can signal the fence");
  }
}
