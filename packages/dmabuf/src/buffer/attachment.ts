import { DmaBufError } from "../errors.js";
import { checkObject, FLAG, FUNCTION, NAME, type Kinds } from "../arguments.js";
import { checkWait, Ending, limitsOf, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { Held, owned, type Viewed } from "../domain/held.js";
import type { Reservation } from "../reservation/reservation.js";
import { checkAccess, checkAccessMode, type AccessMode } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import type { Call } from "./call.js";
import type { ExporterAttachment } from "./exporter.js";
import type { ExporterLink, Table } from "./exporter-link.js";
import type { StorageSegment } from "./storage.js";

/** Who attaches to a buffer. One with `moveNotify` is dynamic: it follows when the exporter moves the storage. */
export interface Importer {
  /** For people: which device or program this is. */
  readonly name?: string;
  /** Whether it can use storage on another device directly. Default false. */
  readonly allowPeerToPeer?: boolean;
  /** Called with the reservation locked; map again later, not in this call. */
  moveNotify?(attachment: Attachment): void;
}

const IMPORTER: Kinds<Importer> = { name: NAME, allowPeerToPeer: FLAG, moveNotify: FUNCTION };

/** Looks at an importer before anything is tied to it. */
export function checkImporter(call: string, importer: Importer): void {
  checkObject(call, "importer", importer, IMPORTER);
}

/**
 * An importer's tie to a buffer. It keeps the buffer alive until it is detached.
 *
 * Where the exporter is in another agent and has operations of its own, mapping and pinning ask it: the calls that are
 * not asynchronous then block this thread until it answers.
 *
 * @see linux/drivers/dma-buf/dma-buf.c, `dma_buf_dynamic_attach`
 */
export class Attachment implements ExporterAttachment, Disposable {
  readonly buffer: DmaBuf;
  readonly importer: Importer;
  /** Whether storage on another device may be mapped; the exporter may clear it while it attaches. */
  peerToPeer: boolean;
  readonly #exporter: ExporterLink;
  readonly #detached: (attachment: Attachment) => void;
  readonly #mappings = new Set<Held>();
  /** The end of the tie. */
  readonly #ending = new Ending();
  #attached = true;
  /** What the exporter is doing for it. */
  #works = 0;
  readonly #keep: () => () => void;

  /** @internal Made by `DmaBuf.attachSync()`. @param keep Keeps the buffer until the result is called. */
  constructor(
    buffer: DmaBuf,
    importer: Importer,
    exporter: ExporterLink,
    keep: () => () => void,
    detached: (attachment: Attachment) => void,
  ) {
    this.#keep = keep;
    this.buffer = buffer;
    this.importer = importer;
    this.peerToPeer = importer.allowPeerToPeer ?? false;
    this.#exporter = exporter;
    this.#detached = detached;
  }

  /** Whether the importer follows moves of the storage. */
  get isDynamic(): boolean {
    return this.importer.moveNotify !== undefined;
  }

  /** The buffer's. */
  get reservation(): Reservation {
    return this.buffer.reservation;
  }

  /**
   * Maps the storage, taking the reservation lock for it. A static importer gets its mapping only when all kernel
   * fences have signaled; a dynamic one waits for them itself before it touches the memory.
   *
   * @throws {DmaBufError} `EACCES` for writing through a read handle; whatever the exporter throws; `ESRCH` if its
   *   thread ends meanwhile; `ETIMEDOUT`, also if the work of such a fence is overdue.
   */
  async map(mode: AccessMode = "read", options: WaitOptions = {}): Promise<Mapping> {
    checkAccess("Attachment.map()", mode, options);
    const { reservation } = this.buffer;
    reservation.warnIfHeld("map by itself");
    const limits = limitsOf(reservation.agent.host, options, this.#ending);
    const lock = await reservation.lock(undefined, limits());
    const endWork = this.#work();
    try {
      return await this.#mapSettled(reservation, mode, limits);
    } finally {
      lock[Symbol.dispose]();
      endWork();
    }
  }

  async #mapSettled(reservation: Reservation, mode: AccessMode, limits: () => WaitTerms): Promise<Mapping> {
    const mapping = await this.mapLocked(mode, limits());
    if (this.isDynamic) return mapping;
    try {
      if ((await reservation.wait("kernel", limits())) === "timed-out") {
        throw new DmaBufError("ETIMEDOUT", `Cannot map the buffer yet: ${reservation.waitsFor("kernel")}`);
      }
      // With the lock in hand, there must be an end to the waiting.
      const overdue = reservation.overdueWork("kernel")?.describe();
      if (overdue !== undefined) throw new DmaBufError("ETIMEDOUT", `Cannot map the buffer: ${overdue}`);
      return mapping;
    } catch (error) {
      mapping.unmapLocked();
      throw error;
    }
  }

  /** As {@link map} for a caller that holds the reservation lock; waits for no fence. */
  mapLockedSync(mode: AccessMode = "read"): Mapping {
    checkAccessMode("Attachment.mapLockedSync()", mode);
    return this.#mapped(this.#askToMap(mode).resultSync());
  }

  /** As {@link mapLockedSync}, returning to the event loop while an exporter in another agent is asked. */
  async mapLocked(mode: AccessMode = "read", options: WaitOptions = {}): Promise<Mapping> {
    checkAccess("Attachment.mapLocked()", mode, options);
    const call = this.#askToMap(mode);
    const endWork = this.#workLocked();
    try {
      return this.#mapped(await call.result(this.#terms(options)));
    } finally {
      endWork();
    }
  }

  /**
   * Keeps the storage where it is, for uses such as a display that cannot follow a move. Balance it with {@link unpin}.
   * The caller holds the reservation lock.
   */
  pinSync(): void {
    this.#askToPin()?.resultSync();
    this.#pinned();
  }

  /** As {@link pinSync}, returning to the event loop while an exporter in another agent is asked. */
  async pin(options: WaitOptions = {}): Promise<void> {
    checkWait("Attachment.pin()", options);
    const call = this.#askToPin();
    if (call === undefined) return;
    const endWork = this.#workLocked();
    try {
      await call.result(this.#terms(options));
      this.#pinned();
    } finally {
      endWork();
    }
  }

  /** The end that belongs to {@link pinSync}; the caller holds the reservation lock. */
  unpin(): void {
    this.#checkPin("unpin");
    this.#exporter.unpin(this);
  }

  /** Detaches; what is still mapped is unmapped first. */
  [Symbol.dispose](): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#ending.end(() => this.buffer.ending.error ?? hasDetached("use"));
    for (const mapping of [...this.#mappings]) mapping.end();
    if (this.#works === 0) this.#detached(this);
  }

  /** An exporter works for this importer: the tie and the buffer stay until the result is called, whoever lets them go. */
  #work(): () => void {
    const unkeep = this.#keep();
    this.#works++;
    return () => {
      if (--this.#works === 0 && !this.#attached) this.#detached(this);
      unkeep();
    };
  }

  /** As {@link #work}, and the lock stays too. */
  #workLocked(): () => void {
    const endWork = this.#work();
    const unuse = this.buffer.reservation.use();
    return () => {
      unuse();
      endWork();
    };
  }

  #askToMap(mode: AccessMode): Call<Table> {
    this.#check("map");
    this.buffer.reservation.assertHeld("map");
    if (mode === "write") this.buffer.checkWritable("map");
    return this.#exporter.map(this, mode);
  }

  /** The importer may have been detached while the exporter was asked, or by the exporter's own code. */
  #mapped(table: Table): Mapping {
    if (!this.#attached) {
      this.#exporter.unmap(this, table);
      throw this.buffer.ending.error ?? hasDetached("map");
    }
    const endUse = this.buffer.storage.use();
    const what = (): string => `A mapping of buffer "${this.buffer.name}"`;
    const held: Held = new Held(this.buffer.reservation.agent.held, what, () => {
      endUse();
      this.#mappings.delete(held);
      this.#exporter.unmap(this, table);
    });
    this.#mappings.add(held);
    return owned(held, new Mapping([...table.segments], held, this.buffer));
  }

  #pinned(): void {
    if (this.#attached) return;
    this.#exporter.unpin(this);
    throw this.buffer.ending.error ?? hasDetached("pin");
  }

  #terms(options: WaitOptions): WaitTerms {
    return { ...options, ending: this.#ending };
  }

  #askToPin(): Call<void> | undefined {
    this.#checkPin("pin");
    return this.#exporter.pin(this);
  }

  #check(action: string): void {
    if (!this.#attached) throw hasDetached(action);
  }

  #checkPin(action: string): void {
    this.#check(action);
    this.buffer.reservation.assertHeld(action);
    if (!this.isDynamic) this.buffer.reservation.agent.host.warn(`Only a dynamic importer may ${action} a buffer`);
  }
}

/** An importer's view of a buffer's storage. It is the importer's own until it is unmapped. */
export class Mapping implements Disposable, Viewed {
  readonly segments: readonly StorageSegment[];
  readonly #buffer: DmaBuf;
  readonly #held: Held;

  /** @internal Made by an attachment. @param segments A list of its own: who has it uses the mapping. */
  constructor(segments: readonly StorageSegment[], held: Held, buffer: DmaBuf) {
    this.segments = segments;
    this.#held = held;
    this.#buffer = buffer;
  }

  /** @internal */
  views(): Iterable<object> {
    return [this.segments];
  }

  /** Unmaps, for a caller that holds the reservation lock. */
  unmapLocked(): void {
    this.#buffer.reservation.assertHeld("unmap");
    this.#held.end();
  }

  /** Unmaps. The exporter hears of it with the reservation locked, as soon as the lock can be had. Twice does nothing. */
  [Symbol.dispose](): void {
    this.#held.end();
  }
}

function hasDetached(action: string): DmaBufError {
  return new DmaBufError("EINVAL", `Cannot ${action} the buffer: the importer has detached`);
}
