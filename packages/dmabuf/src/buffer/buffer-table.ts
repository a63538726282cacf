import { allOrNothing } from "../all-or-nothing.js";
import { checkOptions, NAME, OBJECT, type Kinds } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import type { Core } from "../domain/feature.js";
import { BUFFER_SLOTS, type BufferKey, bufferSize, claimBuffer, exporterFlags, exporterOf } from "./buffer-slot.js";
import { storageVersion } from "./storage-slot.js";
import { needFeature } from "../domain/shared-features.js";
import { DmaBufError } from "../errors.js";
import { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import { BufferPages } from "./buffer-pages.js";
import { BufferRecord, type RecordOwner } from "./buffer-record.js";
import type { Given } from "./call.js";
import { checkExporter, flagsOf, type ExporterOps } from "./exporter.js";
import { plainLink, type ExporterLink, type PageLink } from "./exporter-link.js";
import { FilledPages, type PageSource } from "./filled-pages.js";
import { checkBufferHandle, type BufferHandleData } from "./handle.js";
import { LocalExporter } from "./local-exporter.js";
import { RemoteExporter } from "./remote-exporter.js";
import { CurrentStorage } from "./current-storage.js";
import { once } from "./once.js";
import { bufferOf, checkPagedBuffer, type PagedBuffer, type PagedBufferOptions } from "./paged-buffer.js";
import { PinningLink } from "./pinning-link.js";
import { References } from "./references.js";
import { EXPORTER_FLAG } from "./request-slot.js";
import { RequestServer } from "./request-server.js";
import { ServedExport } from "./served-export.js";
import { checkSegments, checkStorage, PAGE_SIZE, storageSize, type Storage, type StorageSegment } from "./storage.js";
import type { StorageCarrier } from "./storage-carrier.js";
import type { StorageKeeper, StorageVersion } from "./storage-exchange.js";
import { POINT, traces } from "../domain/tracing.js";

/** How {@link Domain.export} makes a buffer of storage. */
export interface ExportOptions {
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /** Which program or device owns the storage; at most 31 bytes of UTF-8. Default "dmabuf". */
  readonly exporterName?: string;
  /** Default: none, an exporter of plain data, whose storage any agent maps without its help. */
  readonly ops?: ExporterOps;
}

const EXPORT: Kinds<ExportOptions> = { name: NAME, exporterName: NAME, ops: OBJECT };

/**
 * The buffers that an agent holds: one record each, however many holders there are. The agent's reference in shared
 * memory stays while its record does.
 */
export class BufferTable implements StorageKeeper {
  readonly agent: Agent;
  readonly #records = new Map<number, BufferRecord>();
  readonly #references: References;
  readonly #handleLimit: number;
  readonly #server: RequestServer;
  readonly #carrier: StorageCarrier;
  /**
   * Storage that this agent has moved, or fills, of live buffers that it no longer holds: a handle that was made before the
   * move may be on its way, and no other agent may have it.
   */
  readonly #kept = new Map<number, StorageVersion>();

  constructor({ agent, handleLimit }: Pick<Core, "agent" | "handleLimit">, carrier: StorageCarrier) {
    this.agent = agent;
    this.#carrier = carrier;
    this.#references = new References(agent);
    this.#server = new RequestServer(agent, (buffer) => this.recordOf(buffer));
    carrier.exchange?.connect(this);
    this.#handleLimit = handleLimit;
  }

  /**
   * Exports storage as a buffer.
   *
   * @throws {DmaBufError} `EINVAL` if the exporter or the storage is not complete; `ENOSPC` if the domain is full;
   *   `EBADF` if the agent has left it.
   */
  export(segments: readonly StorageSegment[], options: ExportOptions = {}): DmaBuf {
    const given = checkSegments("Domain.export()", "segments", segments);
    checkOptions("Domain.export()", options, EXPORT);
    if (options.ops !== undefined) {
      checkExporter("Domain.export()", options.ops);
      needFeature(this.agent.layout, "exporters", "export the buffer");
    }
    this.agent.checkJoined();
    checkStorage(given, storageSize(given));
    return this.#export(this.#carrier.adopt(given), options);
  }

  /**
   * Exports new zeroed memory as a buffer.
   *
   * @param length Bytes.
   * @throws {DmaBufError} `ENOMEM` if there is not so much; otherwise as {@link export}.
   */
  allocate(length: number, options: ExportOptions & { readonly sealed?: boolean } = {}): DmaBuf {
    this.agent.checkJoined();
    return this.#export(this.#carrier.allocate(length, options), options);
  }

  /**
   * Exports new memory whose pages are filled when they are touched.
   *
   * @throws {DmaBufError} `ENOMEM` if there is not so much; otherwise as {@link export}.
   */
  createPaged(options: PagedBufferOptions): PagedBuffer {
    checkPagedBuffer(options);
    needFeature(this.agent.layout, "exporters", "make a paged buffer");
    this.agent.checkJoined();
    const { name = "", size, pageSize = PAGE_SIZE, fill, release = () => {} } = options;
    const source: PageSource = { size, pageSize, fill };
    const storage = this.#carrier.allocate(size, { name });
    const { segments } = storage;
    // Whether the pages are pinned is looked at by all who map, before they ask.
    const ops: ExporterOps = { map: () => segments, unmap() {}, mmap() {}, release };
    return this.#export(storage, { name, exporterName: "paged", ops }, source) as PagedBuffer;
  }

  /**
   * The buffer that a handle names, for this agent.
   *
   * @throws {DmaBufError} `ESTALE` if the buffer is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  import(handle: BufferHandleData): DmaBuf {
    checkBufferHandle(this.agent, handle);
    const { slot, generation, mode } = handle;
    let record = this.#records.get(slot);
    if (record?.key.generation === generation) {
      this.#checkStorage(handle);
      record.known.received(handle.version, (held) => this.#carrier.receive(handle, held));
    } else {
      if (!this.#references.take({ slot, generation })) throw stale();
      record = this.#receive({ slot, generation }, handle);
      if (traces(this.agent, POINT["buffer:import"])) record.trace(POINT["buffer:import"], record.size);
    }
    // The buffer is held now: the handle's own hold, if there still is one, has done its work.
    BUFFER_SLOTS.endInflight(this.agent, slot, handle.inflight);
    return bufferOf(record, mode);
  }

  storageOf(key: BufferKey): StorageVersion | undefined {
    const moved = this.#kept.get(key.slot);
    return this.recordOf(key)?.known.newest ?? (moved?.key.generation === key.generation ? moved : undefined);
  }

  arrived({ key, version, storage }: StorageVersion): void {
    const record = this.recordOf(key);
    if (record === undefined) storage.release(false);
    else record.known.arrived(version, storage);
  }

  missing(key: BufferKey, version: number): void {
    this.recordOf(key)?.known.isMissing(version);
  }

  /** Closes everything this agent still holds, and opens what it has locked, before its references go. */
  close(): void {
    this.#server.close();
    for (const record of [...this.#records.values()]) record.closeAll();
  }

  /**
   * Keeps a buffer from being freed, whether this agent has holders of it or not, until the result is called;
   * `undefined` if it is gone.
   */
  #keep(key: BufferKey): (() => void) | undefined {
    const record = this.recordOf(key);
    if (record !== undefined) return record.keep();
    if (this.agent.closed) return undefined;
    return this.#references.take(key) ? once(() => void this.#references.drop(key.slot)) : undefined;
  }

  #export(storage: Storage, options: ExportOptions, source?: PageSource): DmaBuf {
    const { name = "", exporterName = "dmabuf", ops } = options;
    const size = storageSize(storage.segments);
    this.agent.validation?.allocates("a buffer");
    return allOrNothing((orUndo) => {
      orUndo(() => storage.release(true));
      const paged = source === undefined ? 0 : EXPORTER_FLAG.PAGED;
      const flags = ops === undefined ? 0 : flagsOf(ops) | paged;
      const key = claimBuffer(this.agent, { size, name, exporterName, flags, file: storage.file });
      this.#references.exported(key);
      if (ops !== undefined) this.#serve(this.#served(key, ops, source));
      const record = this.#add(size, { key, version: 0, storage });
      if (traces(this.agent, POINT["buffer:export"])) record.trace(POINT["buffer:export"], size);
      return bufferOf(record, "read-write");
    });
  }

  #served(key: BufferKey, ops: ExporterOps, source: PageSource | undefined): ServedExport {
    const keep = (): (() => void) | undefined => this.#keep(key);
    if (source === undefined) return new ServedExport(this.agent, key, ops, keep);
    const pages = new FilledPages(source, {
      member: this.agent,
      host: this.agent.host,
      bufferSlot: key.slot,
      current: () => this.storageOf(key)!.storage,
      keep,
    });
    return new ServedExport(this.agent, key, ops, keep, pages);
  }

  /** What this agent knows of a buffer, if it holds it. */
  recordOf({ slot, generation }: BufferKey): BufferRecord | undefined {
    const record = this.#records.get(slot);
    return record?.key.generation === generation ? record : undefined;
  }

  /** A record for a buffer that this agent has just taken a reference to. */
  #receive(key: BufferKey, handle: BufferHandleData): BufferRecord {
    return allOrNothing((orUndo) => {
      orUndo(() => this.#references.drop(key.slot));
      this.#checkStorage(handle);
      return this.#add(handle.size, this.#carrier.receive(handle, undefined));
    });
  }

  /** What the handle says of the buffer's storage, against what is known of it while a reference is held. */
  #checkStorage({ slot, size, version }: BufferHandleData): void {
    if (size !== bufferSize(this.agent, slot)) refuse('"size" of its handle is damaged');
    // A handle is of a version that was published before: no agent has a later one.
    if (!Number.isSafeInteger(version) || ((storageVersion(this.agent, slot) - version) | 0) < 0)
      refuse('"version" of its handle is damaged');
  }

  /** The last reference may go in any agent, which then rings the exporter's. */
  #serve(served: ServedExport): void {
    this.#server.add(served);
    const freed = { arm: () => {}, ready: () => !BUFFER_SLOTS.isLive(this.agent, served.key) };
    this.agent.watch(freed, () => this.#server.remove(served));
  }

  #add(size: number, storage: StorageVersion): BufferRecord {
    const { key } = storage;
    const served = this.#server.at(key.slot, key.generation);
    const reservation = served?.reservation ?? ReservationUser.of(this.agent, key.slot, () => record.retain());
    const known = new CurrentStorage(this.agent, this.#carrier.exchange, storage);
    const plain = this.#link(key, known, reservation, served);
    const link = new PinningLink(plain, this.agent, key.slot);
    const pages = this.#isPaged(key) ? new BufferPages(this.agent, key.slot, size, plain as PageLink) : undefined;
    const ops = served?.ops ?? {};
    const owner: RecordOwner = {
      closed: () => {
        this.#records.delete(key.slot);
        this.#keepNewest(known.newest);
        return this.#references.drop(key.slot);
      },
      follow: () => this.#server.follow(),
      carrier: this.#carrier,
      handleLimit: this.#handleLimit,
    };
    const record: BufferRecord = new BufferRecord(this.agent, key, size, known, link, reservation, ops, owner, pages);
    this.#records.set(key.slot, record);
    const moved = this.#kept.get(key.slot);
    if (moved?.key.generation === key.generation) known.arrived(moved.version, moved.storage);
    return record;
  }

  #keepNewest(moved: StorageVersion): void {
    const { key, version, storage } = moved;
    if ((version === 0 && !this.#isPaged(key)) || exporterOf(this.agent, key.slot) !== this.agent.identity) return;
    storage.beginUse();
    this.#kept.set(key.slot, moved);
    // The agent that frees the buffer rings its exporter's agent.
    const freed = { arm: () => {}, ready: () => !BUFFER_SLOTS.isLive(this.agent, key) };
    this.agent.watch(freed, () => {
      if (this.#kept.get(key.slot) === moved) this.#kept.delete(key.slot);
      storage.endUse();
    });
  }

  #isPaged({ slot }: BufferKey): boolean {
    return (exporterFlags(this.agent, slot) & EXPORTER_FLAG.PAGED) !== 0;
  }

  #link(
    key: BufferKey,
    known: CurrentStorage,
    reservation: ReservationUser,
    served: ServedExport | undefined,
  ): ExporterLink | (ExporterLink & PageLink) {
    const flags = exporterFlags(this.agent, key.slot);
    if (flags === 0) return plainLink(known);
    if (served === undefined) return new RemoteExporter(this.agent, key, flags, reservation, known);
    const begin = (mode: AccessMode): Given<void> => {
      this.#server.serve();
      return served.begin(mode);
    };
    return new LocalExporter(served, begin, this.agent);
  }
}

function stale(): DmaBufError {
  return new DmaBufError("ESTALE", "Cannot import the buffer: it was freed before the handle was imported");
}

function refuse(reason: string): never {
  throw new DmaBufError("EINVAL", `Cannot import the buffer: ${reason}`);
}
