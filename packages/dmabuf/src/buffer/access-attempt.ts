import { awaitedHold } from "./awaited-hold.js";
import { waitsFor } from "../domain/agent-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { takeSync, until, type Steps } from "../domain/steps.js";
import type { WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { usageFor, type AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";

/** How an access waits. */
export interface AccessOptions extends WaitOptions {
  /**
   * Whether long-running jobs that have the buffer are suspended first, and kept away until the access ends. Default false:
   * they run beside it.
   */
  readonly evict?: boolean;
}

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
  readonly #evicts: boolean;

  constructor(holder: Opened, mode: AccessMode, evicts = false) {
    this.#holder = holder;
    this.#record = holder.record;
    this.#mode = mode;
    this.#evicts = evicts;
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
      // No long-running job comes back while there is the hold.
      const evicted = this.#evicts || undefined;
      const isFree = evicted === undefined && reservation.testFinished(usage);
      if (!isFree && !(yield* reservation.finished(usage, workOn(this.#record, mode, evicted), evicted))) {
        throw accessTimedOut(mode, timeout, reservation.waitsFor(usage, evicted));
      }
      void this.#holder.record;
    } catch (error) {
      if (begun) this.#record.abandonCpuAccess(mode);
      if (held) holds.drop(mode);
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
      if (!taken) holds.drop(mode);
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
function workOn({ name, reservation }: BufferRecord, mode: AccessMode, onDemand?: boolean): HeldUp {
  return () => [`${mode} buffer "${name}"`, reservation.waitsFor(usageFor(mode), onDemand)];
}

/**
 * Has the long-running jobs suspended that have a buffer, and waits until they are. They come back when they can: who holds the
 * buffer's lock keeps them away.
 */
export function* evict({ name, reservation }: BufferRecord, timeout?: number): Steps<void> {
  const heldUp: HeldUp = () => [`evict long-running jobs from buffer "${name}"`, reservation.waitsFor("kernel", true)];
  if (yield* reservation.finished("kernel", heldUp, true)) return;
  const [action, why] = heldUp();
  throw new DmaBufError("ETIMEDOUT", `Cannot ${action} in ${timeout} ms: ${why}`);
}

function accessTimedOut(mode: AccessMode, timeout: number | undefined, why: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot ${mode} the buffer in ${timeout} ms: ${why}`);
}
