import type { Agent } from "../domain/agent.js";
import { countAttachment, discountAttachment } from "./agent-counter.js";
import { bufferName } from "../domain/buffer-name.js";
import { MODE_DETAIL } from "../domain/trace-points.js";
import { POINT, trace, traces } from "../domain/tracing.js";
import { BUFFER_SLOTS, bufferInode, type BufferKey } from "./buffer-slot.js";
import type { BufferPages } from "./buffer-pages.js";
import { dropPin, tryAddPin } from "./storage-slot.js";
import { needFeature } from "../domain/shared-features.js";
import { DmaBufError, textOf } from "../errors.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import { raiseContent } from "./content-version.js";
import type { ExporterAttachment, ExporterOps } from "./exporter.js";
import type { ExporterLink } from "./exporter-link.js";
import { makeBufferHandle, type BufferHandle, type HandleMode } from "./handle.js";
import { Holds } from "./hold.js";
import type { CurrentStorage } from "./current-storage.js";
import { once } from "./once.js";
import type { Storage, StorageSegment } from "./storage.js";
import type { StorageCarrier } from "./storage-carrier.js";
import { VirtualMap } from "./virtual-map.js";

/** An importer of this agent, as its buffer knows it. */
interface Importer {
  readonly name: string | undefined;
  readonly isDynamic: boolean;
  readonly attachment: ExporterAttachment;
  readonly moveNotify: () => void;
  /** The number that joins its attaching and its detaching in what is traced. */
  tracedAs?: number | undefined;
}

/** What a record needs of its table. */
export interface RecordOwner {
  readonly carrier: StorageCarrier;
  readonly handleLimit: number;
  /** The record is over, and with it its reference; returns whether the buffer has been freed. */
  closed(): boolean;
  /** A dynamic importer is about to be attached. */
  follow(): void;
}

/** A holder of a buffer in this agent. */
interface RecordHolder {
  close(): void;
}

/** What an agent knows of one buffer that it holds. */
export class BufferRecord {
  readonly agent: Agent;
  readonly key: BufferKey;
  readonly size: number;
  readonly known: CurrentStorage;
  readonly exporter: ExporterLink;
  readonly reservation: ReservationUser;
  readonly holds: Holds;
  readonly #owner: RecordOwner;
  readonly virtualMap: VirtualMap;
  /** Of a paged buffer. */
  readonly pages: BufferPages | undefined;
  /** The importers of this agent. */
  readonly ties = new Set<Importer>();
  readonly #holders = new Set<RecordHolder>();
  /** What needs the buffer besides: locks, and what exporters are asked for. */
  #kept = 0;
  #isOver = false;
  #inode: number | undefined;
  #traced: string | undefined;

  constructor(
    agent: Agent,
    key: BufferKey,
    size: number,
    known: CurrentStorage,
    exporter: ExporterLink,
    reservation: ReservationUser,
    virtual: Pick<ExporterOps, "vmap" | "vunmap">,
    owner: RecordOwner,
    pages?: BufferPages,
  ) {
    this.agent = agent;
    this.key = key;
    this.size = size;
    this.known = known;
    this.exporter = exporter;
    this.reservation = reservation;
    this.virtualMap = new VirtualMap(virtual, agent.host);
    this.pages = pages;
    this.holds = new Holds(agent, key.slot);
    this.#owner = owner;
  }

  /** The buffer's memory. @throws {DmaBufError} `EAGAIN` if it was moved and is not here yet. */
  get storage(): Storage {
    return this.known.current;
  }

  /** A number that no other buffer of the domain ever has. */
  get inode(): number {
    return (this.#inode ??= bufferInode(this.agent, this.key.slot));
  }

  /** Tells of what happens to the buffer; `traces()` has said that it is wanted. */
  trace(point: number, number = 0, detail = 0): void {
    // As it was called when it was traced for the first time, or has been renamed here: to read a name takes its time.
    this.#traced ??= this.name;
    trace(this.agent, point, this.inode, number, detail, this.#traced);
  }

  /** It has been renamed here. */
  renamed(): void {
    this.#traced = undefined;
  }

  /** For people. */
  get name(): string {
    return bufferName(this.agent, this.key.slot);
  }

  addHolder(holder: RecordHolder): void {
    this.#holders.add(holder);
  }

  /** A holder without an object of its own, which the agent's leaving ends too. @returns What closes it. */
  hold(): () => void {
    const holder = { close: (): void => this.removeHolder(holder) };
    this.addHolder(holder);
    return holder.close;
  }

  /** The last holder ends what it has of the buffer in this agent. */
  removeHolder(holder: RecordHolder): void {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) this.holds.releaseAll();
    this.#endIfUnused();
  }

  createHandle(mode: HandleMode): BufferHandle {
    const { agent, key, size } = this;
    // If it is not the published version, the receiver asks for that.
    const { newest } = this.known;
    const { version } = newest;
    const segments = this.#owner.carrier.send(newest, mode);
    return makeBufferHandle(agent, key, { mode, size, version, segments }, this.#owner.handleLimit);
  }

  /** Keeps the record, and so the buffer, until the result is called, although its last holder is closed. */
  keep(): () => void {
    this.retain();
    return once(() => this.release());
  }

  /** As {@link keep}, until the one call of {@link release} that belongs to it. */
  retain(): this {
    this.#kept++;
    return this;
  }

  release(): void {
    this.#kept--;
    this.#endIfUnused();
  }

  /** The exporter has let an importer in. */
  attached(tie: Importer): void {
    this.ties.add(tie);
    if (traces(this.agent, POINT["buffer:attach"])) this.trace(POINT["buffer:attach"], this.#tracedTie(tie));
    if (tie.isDynamic) this.#owner.follow();
    countAttachment(this.agent, this.key.slot, tie.isDynamic);
  }

  detached(tie: Importer): void {
    this.reservation.warnIfHeld("detach from");
    this.ties.delete(tie);
    if (traces(this.agent, POINT["buffer:detach"])) this.trace(POINT["buffer:detach"], this.#tracedTie(tie));
    // An agent that has left has given back all that it had: the words may be another one's.
    if (!this.agent.closed) discountAttachment(this.agent, this.key.slot, tie.isDynamic);
    this.exporter.detach(tie.attachment);
  }

  /** Tells the dynamic importers of this agent that the storage is about to move. */
  moveNotify(): void {
    for (const tie of [...this.ties]) {
      try {
        tie.moveNotify();
      } catch (error) {
        this.agent.host.warn(`An importer failed: ${textOf(error)}`);
      }
    }
  }

  /**
   * Keeps the storage where it is, without the lock, until the result is called.
   *
   * @throws {DmaBufError} `EAGAIN` while it is being moved; `EFAULT` for a paged buffer that is not pinned.
   */
  pin(): () => void {
    const unpin = this.pinStorage();
    try {
      // From now on, none is dropped.
      this.pages?.check("map");
    } catch (error) {
      unpin();
      throw error;
    }
    return unpin;
  }

  /** As {@link pin}, whatever its pages are. */
  pinStorage(): () => void {
    needFeature(this.agent.layout, "exporters", "pin the buffer");
    if (!tryAddPin(this.agent, this.key.slot)) {
      throw new DmaBufError("EAGAIN", "Cannot map the buffer: its storage is being moved");
    }
    return () => {
      if (!this.#isOver) dropPin(this.agent, this.key.slot);
    };
  }

  /** Memory of the exporter's, as the storage of this buffer. */
  adopt(segments: readonly StorageSegment[]): Storage {
    return this.#owner.carrier.adopt(segments);
  }

  /** The end of a bare access. */
  endCpuAccess(mode: AccessMode): void {
    const { agent, exporter, key, reservation } = this;
    reservation.warnIfHeld("end an access to");
    if (traces(agent, POINT["buffer:access-end"])) this.trace(POINT["buffer:access-end"], 0, MODE_DETAIL[mode]);
    exporter.end(mode);
    if (mode === "write") raiseContent(agent, key.slot);
  }

  /** The end of an access that has come to nothing. */
  abandonCpuAccess(mode: AccessMode): void {
    if (BUFFER_SLOTS.isLive(this.agent, this.key)) this.exporter.end(mode);
  }

  /** How many holders there are in this agent. */
  get holders(): number {
    return this.#holders.size;
  }

  /** The agent leaves. */
  closeAll(): void {
    for (const holder of [...this.#holders]) holder.close();
    this.reservation.close();
    this.#end();
  }

  #tracedTie(tie: Importer): number {
    return (tie.tracedAs ??= ++this.agent.lastTraced);
  }

  #endIfUnused(): void {
    if (this.#holders.size === 0 && this.#kept === 0) this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (traces(this.agent, POINT["buffer:release"])) this.trace(POINT["buffer:release"]);
    this.known.release(this.#owner.closed());
  }
}
