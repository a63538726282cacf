import { owned } from "../domain/held.js";
import type { Steps } from "../domain/steps.js";
import { Ending } from "../domain/wait.js";
import type { Passage } from "../domain/validation.js";
import { DmaBufError } from "../errors.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import { AccessAttempt } from "./access-attempt.js";
import type { BufferRecord } from "./buffer-record.js";
import { AccessHold } from "./access-hold.js";
import { makeCpuAccess, viewsOfAccess, type CpuAccess } from "./cpu-access.js";
import type { ExporterAttachment } from "./exporter.js";
import type { HandleMode } from "./handle.js";
import type { Holds } from "./hold.js";
import type { Storage, StorageSegment } from "./storage.js";
import { Tie, type TieHolder } from "./tie.js";

/** One holder of a buffer, as the library knows it. */
export class BufferHolder implements TieHolder {
  /** What it may do. */
  readonly mode: HandleMode;
  /** Its close: what is waited for by this holder fails with `EBADF`. */
  readonly ending = new Ending();
  readonly reservation: ReservationUser;
  /** Those of accesses that have ended too, for the next ones. */
  readonly #accesses: AccessHold[] = [];
  readonly #ties = new Set<Tie>();
  /** What the code that has asked for {@link segments} uses. */
  #used: Storage | undefined;
  /** Released at the close, and the memory with it. */
  #record: BufferRecord | undefined;

  constructor(record: BufferRecord, mode: HandleMode) {
    this.#record = record;
    this.mode = mode;
    this.reservation = record.reservation.another();
    record.addHolder(this);
  }

  get isClosed(): boolean {
    return this.#record === undefined;
  }

  /** @throws {DmaBufError} `EBADF` after the close. */
  get record(): BufferRecord {
    if (this.#record === undefined) throw hasClosed();
    return this.#record;
  }

  /** The memory, for code that says itself how long it uses it. */
  get storage(): Storage {
    return this.record.storage;
  }

  get holds(): Holds {
    return this.record.holds;
  }

  /** @throws {DmaBufError} `EACCES` if this holder may only read. */
  checkWritable(action: string): void {
    if (this.mode === "read-write") return;
    throw new DmaBufError("EACCES", `Cannot ${action} the buffer: this holder may only read it`);
  }

  /** See {@link DmaBuf.access}. */
  *access(mode: AccessMode, timeout?: number, evicts?: boolean): Steps<CpuAccess> {
    const attempt = this.#attempt(mode, evicts);
    const way = this.#way(mode);
    yield* attempt.take(timeout);
    return this.#begun(mode, way);
  }

  /** The access if nothing is in the way, and no exporter or lock has a say; otherwise {@link access} waits for it. */
  accessAtOnce(mode: AccessMode): CpuAccess | undefined {
    const { exporter, reservation } = this.record;
    if (!exporter.isPlain || reservation.isHeldHere || !this.#attempt(mode).tryTake()) return undefined;
    return this.#begun(mode, this.#way(mode));
  }

  /** See {@link DmaBuf.tryAccess}. */
  tryAccess(mode: AccessMode): CpuAccess | undefined {
    return this.#attempt(mode).tryTake() ? this.#begun(mode) : undefined;
  }

  /**
   * Ties an importer to the buffer.
   *
   * @param tie Detached by the close at the latest.
   * @param timeout For messages.
   */
  *attach(tie: Tie, timeout?: number): Steps<void> {
    const { record } = this;
    const { attachment } = tie;
    const unkeep = record.keep();
    try {
      const asked = record.exporter.attach(attachment, timeout);
      if (asked !== undefined) yield* asked;
      // The exporter's code may have closed this holder.
      if (this.isClosed) {
        record.exporter.detach(attachment);
        throw hasClosed();
      }
      record.attached(tie);
      this.#ties.add(tie);
    } finally {
      unkeep();
    }
  }

  /** The tie of an attachment, before it is attached. */
  tie(attachment: ExporterAttachment, moveNotify: () => void): Tie {
    const { record } = this;
    record.reservation.warnIfHeld("attach to");
    return new Tie(record, this, attachment, moveNotify, (tie) => {
      this.#ties.delete(tie);
      record.detached(tie);
    });
  }

  /** See {@link DmaBuf.segments}. */
  get segments(): readonly StorageSegment[] {
    const { storage } = this.record;
    if (this.#used !== storage) {
      this.#used?.endUse();
      storage.beginUse();
      this.#used = storage;
    }
    return storage.segments;
  }

  /** The code that has asked for {@link segments} no longer uses them. */
  endUse(): void {
    this.#used?.endUse();
    this.#used = undefined;
  }

  close(): void {
    const record = this.#record;
    if (record === undefined) return;
    this.ending.end(hasClosed);
    for (const access of this.#accesses) access.end();
    for (const tie of [...this.#ties]) tie.detach();
    record.agent.held.forgetEnded();
    this.reservation.close();
    this.#record = undefined;
    this.endUse();
    record.removeHolder(this);
  }

  #attempt(mode: AccessMode, evicts?: boolean): AccessAttempt {
    if (mode === "write") this.checkWritable("write to");
    return new AccessAttempt(this, mode, evicts);
  }

  /** For the validator, if there is one: a call begins to wait for an access. */
  #way(mode: AccessMode): Passage | undefined {
    const { agent, holds } = this.record;
    return agent.validation?.waits({ kind: mode, slot: holds.slot });
  }

  /** @param way That of a call which would have waited. */
  #begun(mode: AccessMode, way?: Passage): CpuAccess {
    const hold = this.#freeHold(mode);
    hold.begin();
    if (way !== undefined) way.over(hold);
    else this.record.agent.validation?.holds(hold, { kind: mode, slot: this.record.holds.slot });
    return owned(hold, makeCpuAccess(hold), viewsOfAccess);
  }

  #freeHold(mode: AccessMode): AccessHold {
    for (const hold of this.#accesses) if (hold.isOver && hold.mode === mode) return hold;
    const hold = new AccessHold(this.record, mode);
    this.#accesses.push(hold);
    return hold;
  }
}

function hasClosed(): DmaBufError {
  return new DmaBufError("EBADF", "Cannot use the buffer: this holder has closed it");
}
