import { waitsFor } from "../domain/agent-slot.js";
import { countdown, type Ending, limitsOf, type WaitTerms } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { usageFor, type AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";
import { checkBlocking } from "./hold.js";

/**
 * One attempt to begin a CPU access: the hold first, then the storage if it was moved, the exporter's consent, and the
 * work that is pending or overdue. What fails gives back what it has taken.
 */
export class AccessAttempt {
  readonly #open: () => BufferRecord;
  readonly #record: BufferRecord;
  readonly #mode: AccessMode;
  readonly #ending: Ending;

  /** @param ending That of the holder. @param open Throws once the holder has closed the buffer. */
  constructor(open: () => BufferRecord, ending: Ending, mode: AccessMode) {
    this.#open = open;
    this.#record = open();
    this.#mode = mode;
    this.#ending = ending;
    this.#record.reservation.warnIfHeld("begin an access to");
  }

  async take(options: WaitTerms): Promise<void> {
    const { agent, holds } = this.#record;
    const mode = this.#mode;
    const hold = holds.awaited(mode);
    const limits = limitsOf(agent.host, options, this.#ending);
    let held = false;
    let begun = false;
    try {
      held = await agent.wait(hold, limits());
      if (!held) throw accessTimedOut(mode, options.timeout, waitsFor(agent, hold.inTheWay()));
      if (this.#record.known.look() === undefined) await this.#record.known.wait(limits());
      await this.#open().beginCpuAccess(mode)?.result(limits());
      begun = true;
      const { reservation } = this.#open();
      const isFinished = await reservation.waitFinished(usageFor(mode), limits());
      if (!isFinished) throw accessTimedOut(mode, options.timeout, reservation.waitsFor(usageFor(mode)));
      void this.#open();
    } catch (error) {
      if (begun) this.#record.abandonCpuAccess(mode);
      if (held) holds.release(mode);
      else hold.giveUp();
      throw error;
    }
  }

  takeSync(options: { readonly timeout?: number }): void {
    const { agent, holds, reservation } = this.#record;
    const mode = this.#mode;
    const hold = holds.awaited(mode);
    const left = countdown(agent.host, options.timeout);
    let held = false;
    let begun = false;
    try {
      checkBlocking(holds, mode, options.timeout, `${mode} the buffer`);
      held = agent.waitSync(hold, options.timeout);
      if (!held) throw accessTimedOut(mode, options.timeout, waitsFor(agent, hold.inTheWay()));
      this.#record.known.waitSync({ timeout: left() });
      this.#record.beginCpuAccess(mode)?.resultSync({ timeout: left() });
      begun = true;
      const isFinished = reservation.waitFinishedSync(usageFor(mode), { timeout: left() });
      if (!isFinished) throw accessTimedOut(mode, options.timeout, reservation.waitsFor(usageFor(mode)));
      // The exporter's code may have closed it.
      void this.#open();
    } catch (error) {
      if (begun) this.#record.abandonCpuAccess(mode);
      if (held) holds.release(mode);
      else hold.giveUp();
      throw error;
    }
  }

  /** @returns Whether nobody was in the way. */
  tryTake(): boolean {
    const { holds, known, reservation } = this.#record;
    const mode = this.#mode;
    this.#record.checkBegin(mode);
    if (!holds.tryTake(mode)) return false;
    let begun = false;
    let taken = false;
    try {
      if (known.look() === undefined) known.arm();
      else if (reservation.testFinished(usageFor(mode))) {
        this.#record.beginCpuAccess(mode)?.resultSync();
        begun = true;
        void this.#open();
        taken = true;
      }
    } finally {
      if (begun && !taken) this.#record.abandonCpuAccess(mode);
      if (!taken) holds.release(mode);
    }
    return taken;
  }
}

/** The kernel's bare begin, which takes no hold. @param open Throws once the holder has closed the buffer. */
export async function beginAccess(open: () => BufferRecord, mode: AccessMode, options: WaitTerms): Promise<void> {
  open().reservation.warnIfHeld("begin an access to");
  const limits = limitsOf(open().agent.host, options);
  await open().beginCpuAccess(mode)?.result(limits());
  await open().known.wait(limits());
  const fences = await open().reservation.wait(usageFor(mode), limits());
  if (fences === "timed-out") throw accessTimedOut(mode, options.timeout, open().reservation.waitsFor(usageFor(mode)));
}

/** As {@link beginAccess}, blocking this thread. */
export function beginAccessSync(record: BufferRecord, mode: AccessMode, options: { readonly timeout?: number }): void {
  record.reservation.warnIfHeld("begin an access to");
  const left = countdown(record.agent.host, options.timeout);
  record.beginCpuAccess(mode)?.resultSync(options);
  record.known.waitSync({ timeout: left() });
  const fences = record.reservation.waitSync(usageFor(mode), { timeout: left() });
  if (fences === "timed-out") throw accessTimedOut(mode, options.timeout, record.reservation.waitsFor(usageFor(mode)));
}

function accessTimedOut(mode: AccessMode, timeout: number | undefined, why: string): DmaBufError {
  return new DmaBufError("ETIMEDOUT", `Cannot ${mode} the buffer in ${timeout} ms: ${why}`);
}
