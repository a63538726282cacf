import type { Agent } from "../domain/agent.js";
import { countAttachment, discountAttachment } from "./agent-counter.js";
import { BUFFER_SLOTS, type BufferKey } from "./buffer-slot.js";
import { dropPin, tryAddPin } from "./storage-slot.js";
import { DmaBufError, textOf } from "../errors.js";
import type { Reservation } from "../reservation/reservation.js";
import type { AccessMode } from "../reservation/usage.js";
import type { Attachment } from "./attachment.js";
import { DmaBuf } from "./buffer.js";
import type { Call } from "./call.js";
import type { ExporterOps } from "./exporter.js";
import type { ExporterLink } from "./exporter-link.js";
import { BufferHandle, type HandleMode } from "./handle.js";
import { Holds } from "./hold.js";
import type { CurrentStorage } from "./current-storage.js";
import { once } from "./once.js";
import type { StorageSegment } from "./storage.js";
import type { Storage, StorageCarrier } from "./storage-carrier.js";
import { VirtualMap } from "./virtual-map.js";

/** What a record needs of the table it stands in. */
export interface RecordOwner {
  readonly carrier: StorageCarrier;
  readonly handleLimit: number;
  /** The record is over, and with it its reference; returns whether the buffer has been freed. */
  closed(): boolean;
  /** A dynamic importer is about to be attached. */
  follow(): void;
}

/** What an agent knows of one buffer that it holds. */
export class BufferRecord {
  readonly agent: Agent;
  readonly key: BufferKey;
  readonly size: number;
  readonly known: CurrentStorage;
  readonly exporter: ExporterLink;
  readonly reservation: Reservation;
  readonly holds: Holds;
  readonly #owner: RecordOwner;
  readonly virtualMap: VirtualMap;
  readonly attachments = new Set<Attachment>();
  readonly #holders = new Set<DmaBuf>();
  /** What needs the buffer besides: locks, and what exporters are asked for. */
  #kept = 0;
  #isOver = false;

  constructor(
    agent: Agent,
    key: BufferKey,
    size: number,
    known: CurrentStorage,
    exporter: ExporterLink,
    reservation: Reservation,
    virtual: Pick<ExporterOps, "vmap" | "vunmap">,
    owner: RecordOwner,
  ) {
    this.agent = agent;
    this.key = key;
    this.size = size;
    this.known = known;
    this.exporter = exporter;
    this.reservation = reservation;
    this.virtualMap = new VirtualMap(virtual, agent.host);
    this.holds = new Holds(agent, key.slot);
    this.#owner = owner;
  }

  /** The buffer's memory. @throws {DmaBufError} `EAGAIN` if it was moved and is not here yet. */
  get storage(): Storage {
    return this.known.current;
  }

  open(mode: HandleMode): DmaBuf {
    const buffer = new DmaBuf(this, mode, (self) => this.#close(self));
    this.#holders.add(buffer);
    return buffer;
  }

  createHandle(mode: HandleMode): BufferHandle {
    const { agent, key, size } = this;
    // If it is not the published version, the receiver asks for that.
    const { newest } = this.known;
    const { version } = newest;
    const segments = this.#owner.carrier.send(newest, mode);
    const inflight = BUFFER_SLOTS.addInflight(agent, key);
    const startTimer = (expire: () => void): (() => void) => agent.host.after(this.#owner.handleLimit, expire);
    return new BufferHandle(agent, agent.domain, key, { mode, size, version, segments }, inflight, startTimer);
  }

  /** Keeps the record, and so the buffer, until the result is called, although its last holder is closed. */
  keep(): () => void {
    this.#kept++;
    return once(() => {
      this.#kept--;
      this.#endIfUnused();
    });
  }

  /** The exporter has let an importer in. */
  attached(attachment: Attachment): void {
    this.attachments.add(attachment);
    if (attachment.isDynamic) this.#owner.follow();
    countAttachment(this.agent, this.key.slot, attachment.isDynamic);
  }

  detach(attachment: Attachment): void {
    this.reservation.warnIfHeld("detach from");
    this.attachments.delete(attachment);
    // An agent that has left has given back all that it had: the words may be another one's.
    if (!this.agent.closed) discountAttachment(this.agent, this.key.slot, attachment.isDynamic);
    this.exporter.detach(attachment);
  }

  /** Tells the dynamic importers of this agent that the storage is about to move. */
  moveNotify(): void {
    for (const attachment of [...this.attachments]) {
      try {
        attachment.importer.moveNotify?.(attachment);
      } catch (error) {
        this.agent.host.warn(`An importer failed: ${textOf(error)}`);
      }
    }
  }

  /** Keeps the storage where it is, without the lock, until the result is called. */
  pin(): () => void {
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

  beginCpuAccess(mode: AccessMode): Call<void> | undefined {
    return this.exporter.begin(mode);
  }

  /** @throws {DmaBufError} `EOPNOTSUPP` if an access cannot begin at once, because another agent must be asked. */
  checkBegin(mode: AccessMode): void {
    if (!this.exporter.asksToBegin) return;
    throw new DmaBufError(
      "EOPNOTSUPP",
      `Cannot ${mode} the buffer at once: its exporter in another thread must be asked`,
    );
  }

  endCpuAccess(mode: AccessMode): void {
    this.exporter.end(mode);
  }

  /** As {@link endCpuAccess}, for an access that has come to nothing. */
  abandonCpuAccess(mode: AccessMode): void {
    if (BUFFER_SLOTS.isLive(this.agent, this.key)) this.endCpuAccess(mode);
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

  #close(holder: DmaBuf): void {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) this.holds.releaseAll();
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    if (this.#holders.size === 0 && this.#kept === 0) this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.known.release(this.#owner.closed());
  }
}
