import type { Agent } from "../domain/agent.js";
import {
  addReference,
  addTransit,
  claimBuffer,
  dropReference,
  exporterFlags,
  endTransit,
  isBufferLive,
  type BufferKey,
} from "../domain/buffer-slot.js";
import { slotOf } from "../domain/agent-slot.js";
import { countAttachment, discountAttachment } from "../domain/attachment-count.js";
import { DmaBufError } from "../errors.js";
import { checkDomain } from "../fence/shared-fence.js";
import { Reservation } from "../reservation/reservation.js";
import type { AccessMode } from "../reservation/usage.js";
import type { Attachment } from "./attachment.js";
import { DmaBuf } from "./buffer.js";
import type { Answer, Call } from "./call.js";
import { checkExporter, flagsOf, type ExporterOps } from "./exporter.js";
import { plainLink, type ExporterLink } from "./exporter-link.js";
import { BufferHandle, type HandleMode, type ReceivedHandle } from "./handle.js";
import { Holds } from "./hold.js";
import { LocalExporter } from "./local-exporter.js";
import { RemoteExporter } from "./remote-exporter.js";
import { RequestServer } from "./request-server.js";
import { ServedExport } from "./served-export.js";
import { VirtualMap } from "./virtual-map.js";
import { checkStorage, storageSize, type StorageSegment } from "./storage.js";
import type { Storage, StorageCarrier } from "./storage-carrier.js";

export interface ExportOptions {
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /** Which program or device owns the storage; at most 31 bytes of UTF-8. Default "dmabuf". */
  readonly exporterName?: string;
  /** Default: none, an exporter of plain data, whose storage any agent maps without its help. */
  readonly ops?: ExporterOps;
}

export interface BufferTableOptions {
  /** Milliseconds for which a handle that nobody imports holds its buffer. Default 10,000. */
  readonly handleLimit?: number;
}

const DEFAULT_HANDLE_LIMIT = 10_000;

/**
 * The buffers that an agent holds: one record each, however many holders there are. The agent's reference in shared
 * memory stands while its record does.
 */
export class BufferTable {
  readonly #agent: Agent;
  readonly #records = new Map<number, BufferRecord>();
  readonly #handleLimit: number;
  readonly #server: RequestServer;
  readonly #carrier: StorageCarrier;

  constructor(agent: Agent, carrier: StorageCarrier, options: BufferTableOptions = {}) {
    this.#agent = agent;
    this.#carrier = carrier;
    this.#server = new RequestServer(agent);
    this.#handleLimit = options.handleLimit ?? DEFAULT_HANDLE_LIMIT;
  }

  /**
   * Exports storage as a buffer.
   *
   * @throws {DmaBufError} `EINVAL` if the exporter or the storage is not complete; `ENOSPC` if the domain is full;
   *   `EBADF` if the agent has left it.
   */
  export(segments: readonly StorageSegment[], options: ExportOptions = {}): DmaBuf {
    this.checkJoined();
    checkStorage(segments, storageSize(segments));
    return this.#export(this.#carrier.adopt(segments), options);
  }

  /**
   * Exports new zeroed memory as a buffer.
   *
   * @param length Bytes, a multiple of the page size.
   * @throws {DmaBufError} `ENOMEM` if there is not so much; otherwise as {@link export}.
   */
  allocate(length: number, options: ExportOptions = {}): DmaBuf {
    this.checkJoined();
    return this.#export(this.#carrier.allocate(length, options.name ?? ""), options);
  }

  /**
   * The buffer that a handle names, for this agent.
   *
   * @throws {DmaBufError} `ESTALE` if the buffer is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  import(handle: ReceivedHandle): DmaBuf {
    checkHandle(handle, this.#agent);
    const { slot, generation, mode } = handle;
    let record = this.#records.get(slot);
    if (record?.key.generation === generation) {
      record.storage = this.#carrier.receive(handle, record.storage);
    } else {
      // A reference of ours to another generation means that the handle's buffer is gone.
      if (record !== undefined || !addReference(this.#agent, { slot, generation })) throw stale();
      record = this.#receive({ slot, generation }, handle);
    }
    // The buffer is held now: the handle's own hold, if it still stands, has done its work.
    endTransit(this.#agent, slot, handle.transit);
    return record.open(mode);
  }

  /** What this agent knows of the buffer in a slot, if it holds it. */
  recordAt(slot: number): BufferRecord | undefined {
    return this.#records.get(slot);
  }

  /** @throws {DmaBufError} `EBADF` if the agent has left the domain. */
  checkJoined(): void {
    if (this.#agent.closed) throw new DmaBufError("EBADF", "Cannot use the domain: this thread has left it");
  }

  /** Closes everything this agent still holds. */
  close(): void {
    for (const record of [...this.#records.values()]) record.closeAll();
  }

  #export(storage: Storage, options: ExportOptions): DmaBuf {
    const { name = "", exporterName = "dmabuf", ops } = options;
    const size = storageSize(storage.segments);
    try {
      if (ops !== undefined) checkExporter(ops);
      const key = claimBuffer(this.#agent, { size, name, exporterName, flags: ops === undefined ? 0 : flagsOf(ops) });
      if (ops !== undefined) this.#serve(new ServedExport(this.#agent, key, ops));
      return this.#add(key, size, storage).open("read-write");
    } catch (error) {
      storage.release(true);
      throw error;
    }
  }

  /** A record for a buffer that this agent has just taken a reference to. */
  #receive(key: BufferKey, handle: ReceivedHandle): BufferRecord {
    try {
      return this.#add(key, handle.size, this.#carrier.receive(handle, undefined));
    } catch (error) {
      dropReference(this.#agent, key.slot, slotOf(this.#agent.identity));
      throw error;
    }
  }

  /** The last reference may go in any agent, which then rings the exporter's. */
  #serve(served: ServedExport): void {
    this.#server.add(served);
    const freed = { arm: () => {}, ready: () => !isBufferLive(this.#agent, served.key) };
    this.#agent.watch(freed, () => this.#server.remove(served));
  }

  #add(key: BufferKey, size: number, storage: Storage): BufferRecord {
    const served = this.#server.at(key.slot, key.generation);
    const reservation = served?.reservation ?? new Reservation(this.#agent, key.slot);
    const link = this.#link(key, () => record.storage.segments, reservation, served);
    const record: BufferRecord = new BufferRecord(
      this.#agent,
      key,
      size,
      storage,
      link,
      reservation,
      served?.ops ?? {},
      {
        closed: () => this.#records.delete(key.slot),
        carrier: this.#carrier,
        handleLimit: this.#handleLimit,
      },
    );
    this.#records.set(key.slot, record);
    return record;
  }

  #link(
    key: BufferKey,
    segments: () => readonly StorageSegment[],
    reservation: Reservation,
    served: ServedExport | undefined,
  ): ExporterLink {
    const flags = exporterFlags(this.#agent, key.slot);
    if (flags === 0) return plainLink(segments);
    if (served === undefined) return new RemoteExporter(this.#agent, key, flags, reservation, segments);
    const begin = (mode: AccessMode): Answer<void> => {
      this.#server.serve();
      return served.begin(mode);
    };
    return new LocalExporter(served.ops, begin, (message) => this.#agent.host.warn(message));
  }
}

interface RecordOwner {
  readonly carrier: StorageCarrier;
  readonly handleLimit: number;
  closed(): void;
}

/** What an agent knows of one buffer that it holds. */
export class BufferRecord {
  readonly agent: Agent;
  readonly key: BufferKey;
  readonly size: number;
  storage: Storage;
  readonly exporter: ExporterLink;
  readonly reservation: Reservation;
  readonly holds: Holds;
  readonly #owner: RecordOwner;
  readonly virtualMap: VirtualMap;
  readonly attachments = new Set<Attachment>();
  readonly #holders = new Set<DmaBuf>();

  constructor(
    agent: Agent,
    key: BufferKey,
    size: number,
    storage: Storage,
    exporter: ExporterLink,
    reservation: Reservation,
    virtual: Pick<ExporterOps, "vmap" | "vunmap">,
    owner: RecordOwner,
  ) {
    this.agent = agent;
    this.key = key;
    this.size = size;
    this.storage = storage;
    this.exporter = exporter;
    this.reservation = reservation;
    this.virtualMap = new VirtualMap(virtual);
    this.holds = new Holds(agent, key.slot);
    this.#owner = owner;
  }

  open(mode: HandleMode): DmaBuf {
    const buffer = new DmaBuf(this, mode, (self) => this.#close(self));
    this.#holders.add(buffer);
    return buffer;
  }

  createHandle(mode: HandleMode): BufferHandle {
    const { agent, key, size } = this;
    const transit = addTransit(agent, key);
    const startTimer = (expire: () => void): (() => void) => agent.host.after(this.#owner.handleLimit, expire);
    const segments = this.#owner.carrier.send(key, mode, this.storage);
    return new BufferHandle(agent, agent.domain, key, { mode, size, segments }, transit, startTimer);
  }

  /** The exporter has let an importer in. */
  attached(attachment: Attachment): void {
    this.attachments.add(attachment);
    countAttachment(this.agent, this.key.slot, attachment.isDynamic);
  }

  detach(attachment: Attachment): void {
    this.attachments.delete(attachment);
    discountAttachment(this.agent, this.key.slot, attachment.isDynamic);
    this.exporter.detach(attachment);
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
    if (isBufferLive(this.agent, this.key)) this.endCpuAccess(mode);
  }

  /** How many holders there are in this agent. */
  get holders(): number {
    return this.#holders.size;
  }

  closeAll(): void {
    for (const holder of [...this.#holders]) holder.close();
  }

  #close(holder: DmaBuf): void {
    this.#holders.delete(holder);
    if (this.#holders.size > 0) return;
    this.holds.releaseAll();
    this.#owner.closed();
    this.storage.release(dropReference(this.agent, this.key.slot, slotOf(this.agent.identity)));
  }
}

function stale(): DmaBufError {
  return new DmaBufError("ESTALE", "Cannot import the buffer: it was freed before the handle was imported");
}

function checkHandle(handle: ReceivedHandle, agent: Agent): void {
  if (typeof handle !== "object" || handle === null) refuse("this is no handle to a buffer");
  const { buffers, agents } = agent.layout.sizes;
  const { domain, slot, generation, mode, size, transit } = handle;
  const fields = {
    domain: typeof domain === "string",
    slot: isIndex(slot, buffers),
    generation: Number.isInteger(generation),
    mode: mode === "read" || mode === "read-write",
    size: Number.isInteger(size),
    transit: isIndex(transit?.index, agents) && Number.isInteger(transit.ticket) && transit.ticket !== 0,
  };
  for (const [name, intact] of Object.entries(fields)) if (!intact) refuse(`"${name}" of its handle is damaged`);
  checkDomain(agent, domain, "buffer");
}

function refuse(reason: string): never {
  throw new DmaBufError("EINVAL", `Cannot import the buffer: ${reason}`);
}

function isIndex(value: unknown, count: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;
}
