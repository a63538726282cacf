import { awaitedHold } from "./awaited-hold.js";
import { waitsFor } from "../domain/agent-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { takeSync, until, type Steps } from "../domain/steps.js";
import { DmaBufError } from "../errors.js";
import { usageFor, type AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";

/** The holder that begins an access. */
interface Opened {
  /** @throws {DmaBufError} `EBADF` once the holder has closed the buffer. */
  readonly record: BufferRecord;
}

/**
 * One attempt to begin a CPU access: the hold first, then the storage if it was moved, the exporter's consent, and the
 * work that is pending or overdue. What fails gives back what it has taken.
 */
export class AccessAttempt {
  readonly #holder: Opened;
  readonly #record: BufferRecord;
  readonly #mode: AccessMode;

  constructor(holder: Opened, mode: AccessMode) {
    this.#holder = holder;
    this.#record = holder.record;
    this.#mode = mode;
    this.#record.reservation.warnIfHeld("begin an access to");
  }

  /** @param timeout For messages. */
  *take(timeout?: number): Steps<void> {
    const { agent, holds, known, reservation } = this.#record;
    const mode = this.#mode;
    const usage = usageFor(mode);
    const hold = awaitedHold(holds, mode, `${mode} the buffer`);
    let held = false;
    let begun = false;
    try {
      const heldUp: HeldUp = () => [`${mode} buffer "${this.#record.name}"`, waitsFor(agent, hold.inTheWay())];
      held = hold.ready() || (yield until(agent, hold, heldUp));
      if (!held) throw accessTimedOut(mode, timeout, waitsFor(agent, hold.inTheWay()));
      this.#record.pages?.check(mode);
      if (known.look() === undefined) yield* known.arrival(timeout);
      // While it waited, and in the exporter's code, the holder may have been closed.
      const asked = this.#holder.record.exporter.begin(mode, timeout);
      if (asked !== undefined) yield* asked;
      begun = true;
      void this.#holder.record;
      if (!reservation.testFinished(usage) && !(yield* reservation.finished(usage, workOn(this.#record, mode)))) {
        throw accessTimedOut(mode, timeout, reservation.waitsFor(usage));
      }
      void this.#holder.record;
    } catch (error) {
      if (begun) this.#record.abandonCpuAccess(mode);
      if (held) holds.release(mode);
      else hold.giveUp();
      throw error;
    }
  }

  /** @returns Whether nothing was in the way. */
  tryTake(): boolean {
    const { agent, exporter, holds, known, reservation } = this.#record;
    const mode = this.#mode;
    if (exporter.asksToBegin) {
      throw new DmaBufError(
        "EOPNOTSUPP",
        `Cannot ${mode} the buffer at once: its exporter in another thread must be asked`,
      );
    }
    if (!holds.tryTake(mode)) return false;
    let begun = false;
    let taken = false;
    try {
      this.#record.pages?.check(mode);
      if (known.look() === undefined) {
        known.arm();
      } else if (reservation.testFinished(usageFor(mode))) {
        const asked = exporter.begin(mode);
        if (asked !== undefined) takeSync(agent, asked);
        begun = true;
        void this.#holder.record;
        taken = true;
      }
    } finally {
      if (begun && !taken) this.#record.abandonCpuAccess(mode);
      if (!taken) holds.release(mode);
    }
    return taken;
  }
}

/** The kernel's bare begin, which takes no hold. */
export function* beginAccess(holder: Opened, mode: AccessMode, timeout?: number): Steps<void> {
  const { exporter, known, pages, reservation } = holder.record;
  reservation.warnIfHeld("begin an access to");
  pages?.check(mode);
  const asked = exporter.begin(mode, timeout);
  if (asked !== undefined) yield* asked;
  void holder.record;
  yield* known.arrival(timeout);
  void holder.record;
  if (yield* reservation.signaled(usageFor(mode), workOn(holder.record, mode))) return;
  throw accessTimedOut(mode, timeout, reservation.waitsFor(usageFor(mode)));
}

/** Whose work an access waits for. */
function workOn({ name, reservation }: BufferRecord, mode: AccessMode): HeldUp {
  return () => [`${mode} buffer "${name}"`, reservation.waitsFor(usageFor(mode))];
}

function accessTimedOut(mode: AccessMode, timeout: number | undefined, why: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot ${mode} the buffer in ${timeout} ms: ${why}`);
}
