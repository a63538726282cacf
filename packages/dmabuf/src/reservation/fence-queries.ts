import { isKeySignaled } from "../domain/fence-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { endedBy, type Steps, type Wait } from "../domain/steps.js";
import type { Ending } from "../domain/wait.js";
import { createFenceArray } from "../fence/fence-array.js";
import type { Fence } from "../fence/fence.js";
import { fenceAt } from "../fence/shared-fence.js";
import { WorkQueries } from "./work-queries.js";
import { sameEntries, type Entry } from "./entries.js";
import { USAGES, usageLevel, type Usage } from "./usage.js";

/** A fence of a reservation, as an iteration meets it. */
export interface ReservationFence {
  /** The fence, pending when it was looked at. */
  readonly fence: Fence;
  /** What its work does with the buffer. */
  readonly usage: Usage;
  /** Whether the iteration has begun again, or begins: forget what came before. */
  readonly restarted: boolean;
}

/** What can be asked of a buffer's fences, and waited for, with and without the lock. */
export abstract class FenceQueries extends WorkQueries {
  /** See {@link Reservation.fences}. */
  *fences(usage: Usage): Generator<ReservationFence> {
    let restarted = true;
    let entries = this.snapshot();
    for (let i = 0; i < entries.length; i++) {
      const { key, level } = entries[i]!;
      if (level > usageLevel(usage) || isKeySignaled(this.agent, key)) continue;
      const fence = fenceAt(this.agent, key);
      if (fence === undefined) continue;
      yield { fence, usage: USAGES[level]!, restarted };
      const now = this.snapshot();
      restarted = !sameEntries(entries, now);
      if (restarted) i = -1;
      entries = now;
    }
  }

  /** The pending fences up to a usage. @param onDemand See {@link upTo}. */
  getFences(usage: Usage, onDemand?: boolean): Fence[] {
    return this.#pendingOf(this.upTo(usage, onDemand));
  }

  /** The fences up to a usage whose work is overdue. */
  getOverdueFences(usage: Usage): Fence[] {
    const keys = this.overdueWork(usage)?.keys ?? [];
    return keys.map((key) => fenceAt(this.agent, key)).filter((fence) => fence !== undefined);
  }

  /** The pending fences up to a usage as one. */
  getSingleton(usage: Usage): Fence | undefined {
    const fences = this.getFences(usage);
    return fences.length > 1 ? createFenceArray(this.agent, fences) : fences[0];
  }

  protected override *eachSignaled(entries: readonly Entry[], heldUp: HeldUp | undefined): Steps<boolean> {
    for (const fence of this.#pendingOf(entries)) if (!(yield signalOf(fence, heldUp, this.ending))) return false;
    return true;
  }

  /** One line for each pending fence, for people; bookkeeping fences are left out, as in the kernel. */
  describe(): string {
    return [...this.fences("read")].map(({ fence, usage }) => `\t${usage} fence: ${fence.describe()}\n`).join("");
  }

  #pendingOf(entries: readonly Entry[]): Fence[] {
    return entries
      .filter(({ key }) => !isKeySignaled(this.agent, key))
      .map(({ key }) => fenceAt(this.agent, key))
      .filter((fence) => fence !== undefined);
  }
}

/** The wait until a fence has signaled. */
function signalOf(fence: Fence, heldUp: HeldUp | undefined, ending: Ending | undefined): Wait {
  return {
    heldUp,
    wait: async (terms) => (await fence.wait(endedBy(terms, ending))) === "signaled",
    waitSync: (timeout) => fence.waitSync({ timeout }) === "signaled",
  };
}
