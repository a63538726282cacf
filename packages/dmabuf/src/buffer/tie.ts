import type { Agent } from "../domain/agent.js";
import { Held } from "../domain/held.js";
import type { HeldUp } from "../domain/long-waits.js";
import type { Steps } from "../domain/steps.js";
import { Ending } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import type { BufferRecord } from "./buffer-record.js";
import type { ExporterAttachment } from "./exporter.js";
import type { Table } from "./exporter-link.js";
import { makeMapping, type Mapping } from "./mapping.js";
import { MODE_DETAIL } from "../domain/trace-points.js";
import { POINT, traces } from "../domain/tracing.js";

/** The holder of a buffer that an importer is tied by. */
export interface TieHolder {
  readonly reservation: ReservationUser;
  /** Its close. */
  readonly ending: Ending;
  /** @throws {DmaBufError} `EACCES` if it may only read. */
  checkWritable(action: string): void;
}

/** An importer's tie to a buffer, as the library knows it. It keeps the buffer while an exporter works for it. */
export class Tie {
  /** The end of the tie. */
  readonly ending = new Ending();
  readonly #record: BufferRecord;
  readonly #holder: TieHolder;
  readonly #attachment: ExporterAttachment;
  readonly #detached: () => void;
  /** Tells the importer that the storage is about to move. */
  readonly moveNotify: () => void;
  /** The tie itself, which only the importer's object can end. */
  readonly held: Held;
  readonly #mappings = new Set<Held>();
  #pins = 0;
  #attached = true;
  tracedAs: number | undefined;
  /** What the exporter is doing for it. */
  #works = 0;

  /**
   * @param attachment As the exporter gets it.
   * @param detached Called once, when it has ended and nothing is being done for it.
   */
  constructor(
    record: BufferRecord,
    holder: TieHolder,
    attachment: ExporterAttachment,
    moveNotify: () => void,
    detached: (tie: Tie) => void,
  ) {
    this.#record = record;
    this.#holder = holder;
    this.#attachment = attachment;
    this.moveNotify = moveNotify;
    this.#detached = () => detached(this);
    this.held = new Held(
      record.agent.held,
      () => this.#describe(),
      () => this.#detach(),
    );
  }

  get agent(): Agent {
    return this.#record.agent;
  }

  get name(): string | undefined {
    return this.#attachment.importer.name;
  }

  get isDynamic(): boolean {
    return this.#attachment.isDynamic;
  }

  get attachment(): ExporterAttachment {
    return this.#attachment;
  }

  /** See {@link Attachment.map}. */
  *map(mode: AccessMode, timeout?: number): Steps<Mapping> {
    const { reservation } = this.#holder;
    reservation.warnIfHeld("map by itself");
    const lock = yield* reservation.locking(undefined, timeout);
    const endWork = this.#work();
    try {
      const mapping = yield* this.mapLocked(mode, timeout);
      if (this.isDynamic) return mapping;
      try {
        const heldUp: HeldUp = () => [`map buffer "${this.#record.name}"`, reservation.waitsFor("kernel")];
        if (!(yield* reservation.signaled("kernel", heldUp))) {
          throw new DmaBufError("ETIMEDOUT", `Cannot map the buffer yet: ${reservation.waitsFor("kernel")}`);
        }
        // With the lock in hand, there must be an end to the waiting.
        const overdue = reservation.overdueWork("kernel")?.describe();
        if (overdue !== undefined) throw new DmaBufError("ETIMEDOUT", `Cannot map the buffer: ${overdue}`);
      } catch (error) {
        mapping.unmapLocked();
        throw error;
      }
      return mapping;
    } finally {
      lock[Symbol.dispose]();
      endWork();
    }
  }

  /** See {@link Attachment.mapLocked}. */
  *mapLocked(mode: AccessMode, timeout?: number): Steps<Mapping> {
    this.#check("map");
    this.#holder.reservation.assertHeld("map");
    if (mode === "write") this.#holder.checkWritable("map");
    this.#record.pages?.check("map");
    const endWork = this.#workLocked();
    try {
      const table = yield* this.#record.exporter.map(this.#attachment, mode, timeout);
      if (this.#attached) return this.#mapped(table, mode);
      // The importer was detached while the exporter was asked, or by the exporter's own code.
      this.#record.exporter.unmap(this.#attachment, table);
      throw this.#ended("map");
    } finally {
      endWork();
    }
  }

  /** See {@link Attachment.pin}. */
  *pin(timeout?: number): Steps<void> {
    this.#checkPin("pin");
    const endWork = this.#workLocked();
    try {
      const asked = this.#record.exporter.pin(this.#attachment, timeout);
      if (asked !== undefined) yield* asked;
      this.#pins++;
      if (this.#attached) return;
      this.#record.exporter.unpin(this.#attachment);
      throw this.#ended("pin");
    } finally {
      endWork();
    }
  }

  unpin(): void {
    this.#checkPin("unpin");
    this.#pins = Math.max(0, this.#pins - 1);
    this.#record.exporter.unpin(this.#attachment);
  }

  /** Ends the tie; what is still mapped is unmapped first. Twice does nothing. */
  detach(): void {
    this.held.end();
  }

  #describe(): string {
    const pins = this.#pins === 0 ? "" : ` with ${this.#pins} ${this.#pins === 1 ? "pin" : "pins"}`;
    return `An attachment of buffer "${this.#record.name}"${pins}`;
  }

  #detach(): void {
    this.#attached = false;
    this.ending.end(() => this.#ended("use"));
    for (const mapping of [...this.#mappings]) mapping.end();
    if (this.#works === 0) this.#detached();
  }

  /** The tie and the buffer stay until the result is called, whatever lets them go. */
  #work(): () => void {
    const unkeep = this.#record.keep();
    this.#works++;
    return () => {
      if (--this.#works === 0 && !this.#attached) this.#detached();
      unkeep();
    };
  }

  /** As {@link #work}, and the lock stays too. */
  #workLocked(): () => void {
    const endWork = this.#work();
    const unuse = this.#holder.reservation.use();
    return () => {
      unuse();
      endWork();
    };
  }

  #mapped(table: Table, mode: AccessMode): Mapping {
    const record = this.#record;
    const { agent } = record;
    const id = ++agent.lastTraced;
    if (traces(agent, POINT["buffer:map"])) record.trace(POINT["buffer:map"], id, MODE_DETAIL[mode]);
    const { storage } = record;
    storage.beginUse();
    const held: Held = new Held(
      agent.held,
      () => `A mapping of buffer "${record.name}"`,
      () => {
        storage.endUse();
        this.#mappings.delete(held);
        if (traces(agent, POINT["buffer:unmap"])) record.trace(POINT["buffer:unmap"], id, MODE_DETAIL[mode]);
        record.exporter.unmap(this.#attachment, table);
      },
    );
    this.#mappings.add(held);
    return makeMapping([...table.segments], held, this.#holder.reservation);
  }

  #check(action: string): void {
    if (!this.#attached) throw hasDetached(action);
  }

  #checkPin(action: string): void {
    this.#check(action);
    this.#holder.reservation.assertHeld(action);
    if (this.isDynamic) return;
    this.#record.agent.complain("exporter-lock", `Only a dynamic importer may ${action} a buffer`);
  }

  #ended(action: string): Error {
    return this.#holder.ending.error ?? hasDetached(action);
  }
}

function hasDetached(action: string): DmaBufError {
  return new DmaBufError("EINVAL", `Cannot ${action} the buffer: the importer has detached`);
}
