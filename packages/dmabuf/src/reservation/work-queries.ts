import type { Agent } from "../domain/agent.js";
import { waitsFor } from "../domain/agent-slot.js";
import { isKeyOverdue, isKeySignaled, keyOwner } from "../domain/fence-slot.js";
import { isKeyOnDemand } from "../domain/timeline-demand.js";
import type { HeldUp } from "../domain/long-waits.js";
import { until, type Steps } from "../domain/steps.js";
import type { Ending } from "../domain/wait.js";
import { tryReadEntries, type Entry } from "./entries.js";
import { OverdueWork } from "./overdue-work.js";
import { usageLevel, type Usage } from "./usage.js";

/** The work on a buffer: what can be asked of it, and waited for, without an object for each fence. */
export abstract class WorkQueries {
  abstract readonly agent: Agent;
  /** What ends the waits. */
  readonly ending: Ending | undefined = undefined;

  protected abstract readonly bufferSlot: number;

  /** Whether no fence up to a usage is pending. */
  testSignaled(usage: Usage): boolean {
    return this.#test(usageLevel(usage), 0);
  }

  /** Whether no work up to a usage is pending or overdue. */
  testFinished(usage: Usage): boolean {
    return this.#test(usageLevel(usage), 1);
  }

  /** The work up to a usage that is overdue now. @param onDemand See {@link upTo}. */
  overdueWork(usage: Usage, onDemand?: boolean): OverdueWork | undefined {
    return this.#overdueOf(this.upTo(usage, onDemand));
  }

  /** Waits for the fences up to a usage that are pending now; gives false if the time has passed first. */
  *signaled(usage: Usage, heldUp?: HeldUp): Steps<boolean> {
    return yield* this.eachSignaled(this.upTo(usage), heldUp);
  }

  /**
   * Waits for the work up to a usage that is pending or overdue now; gives false if the time has passed first.
   *
   * @param onDemand See {@link upTo}.
   */
  *finished(usage: Usage, heldUp?: HeldUp, onDemand?: boolean): Steps<boolean> {
    const entries = this.upTo(usage, onDemand);
    if (!(yield* this.eachSignaled(entries, heldUp))) return false;
    const overdue = this.#overdueOf(entries);
    return overdue === undefined || (yield until(this.agent, overdue, heldUp, this.ending));
  }

  /** Which agents hold up what waits for all work up to a usage, for messages. @param onDemand See {@link upTo}. */
  waitsFor(usage: Usage, onDemand?: boolean): string {
    const overdue = this.overdueWork(usage, onDemand)?.describe();
    if (overdue !== undefined) return overdue;
    const pending = this.upTo(usage, onDemand).filter(({ key }) => !isKeySignaled(this.agent, key));
    return waitsFor(
      this.agent,
      pending.map(({ key }) => keyOwner(this.agent, key)),
    );
  }

  /** Waits for those of these fences that are pending; gives false if the time has passed first. */
  protected abstract eachSignaled(entries: readonly Entry[], heldUp: HeldUp | undefined): Steps<boolean>;

  /** The fences of one instant. @throws {DmaBufError} `EBADF` after the close. */
  protected snapshot(): Entry[] {
    return this.read(() => tryReadEntries(this.agent, this.bufferSlot));
  }

  /** Reads the fences until they have not changed in between. @param tryRead Gives `undefined` if they have. */
  read<T>(tryRead: () => T | undefined): T {
    this.ending?.check();
    for (let attempt = 1; ; attempt++) {
      const found = attempt % ATTEMPTS === 0 ? this.quietly(tryRead) : tryRead();
      if (found !== undefined) return found;
    }
  }

  /** Where writers are faster than a reader: keeps them out for a moment, if that may be. */
  protected quietly<T>(read: () => T): T {
    return read();
  }

  #test(level: number, finished: number): boolean {
    this.ending?.check();
    const { protocol } = this.agent;
    const found = protocol.testEntries(this.bufferSlot, level, finished);
    if (found >= 0) return found !== 0;
    return this.read(() => unlessChanged(protocol.testEntries(this.bufferSlot, level, finished))) !== 0;
  }

  /**
   * The fences up to a usage.
   *
   * @param onDemand Whether with those of long-running work, which signal on demand, whatever their usage. Default: with those
   *   that have the usage.
   */
  protected upTo(usage: Usage, onDemand?: boolean): Entry[] {
    const level = usageLevel(usage);
    const found = this.snapshot();
    if (onDemand === undefined) return found.filter((entry) => entry.level <= level);
    return found.filter((entry) => (isKeyOnDemand(this.agent, entry.key) ? onDemand : entry.level <= level));
  }

  #overdueOf(entries: readonly Entry[]): OverdueWork | undefined {
    const overdue = entries.filter(({ key }) => isKeyOverdue(this.agent, key));
    return overdue.length === 0 ? undefined : new OverdueWork(this.agent, overdue);
  }
}

const ATTEMPTS = 64;

export function unlessChanged(found: number): number | undefined {
  return found < 0 ? undefined : found;
}
