import { check, instance, integer, NAME, oneOf, orElse, withCode } from "../arguments.js";
import { checkWait, Ending, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { bufferInode, exporterName } from "./buffer-slot.js";
import { bufferName, renameBuffer } from "../domain/buffer-name.js";
import { Held, owned } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import type { WaitResult } from "../fence/fence.js";
import { SYNC_FILE, type SyncFile } from "../fence/sync-file.js";
import type { Reservation } from "../reservation/reservation.js";
import { checkAccess, checkAccessMode, checkAccessSync, usageFor, type AccessMode } from "../reservation/usage.js";
import { AccessAttempt, beginAccess, beginAccessSync } from "./access-attempt.js";
import { Attachment, checkImporter, type Importer } from "./attachment.js";
import type { BufferRecord } from "./buffer-record.js";
import { CpuAccess } from "./cpu-access.js";
import { HANDLE_MODE, type BufferHandle, type HandleMode } from "./handle.js";
import type { Holds } from "./hold.js";
import { exportSyncFile, ImportedFences, waitUntilReady } from "./implicit-sync.js";
import { checkRange, MemoryMap, type PageRange } from "./memory-map.js";
import { copyTo, moveStorage, notifyImporters, type Relocate } from "./move.js";
import { countReferences } from "./statistics.js";
import { checkSegments, type StorageSegment } from "./storage.js";
import type { Storage } from "./storage-carrier.js";

/** Only the start and the end have a place. */
const START = withCode("EINVAL", { ...integer(0, 0), wanted: "0" });
const WHENCE = orElse("EINVAL", oneOf("set", "end"));

/**
 * A buffer, as one holder of it sees it: storage that many agents use at once without a copy.
 *
 * Each import gives a `DmaBuf` of its own; the buffer lives until the last of them is closed, and no handle to it is
 * on its way.
 *
 * @see linux/drivers/dma-buf/dma-buf.c
 */
export class DmaBuf implements Disposable {
  /** What this holder may do. */
  readonly mode: HandleMode;
  /** Bytes; does not change while the buffer lives. */
  readonly size: number;
  readonly #accesses = new Set<Held>();
  readonly #attachments = new Set<Attachment>();
  readonly #onClose: (self: DmaBuf) => void;
  readonly #reservation: Reservation;
  /** @internal The close: what is waited for by this holder fails with `EBADF`. */
  readonly ending = new Ending();
  /** Ends the use of the bytes by whoever has asked for {@link segments}. */
  #endUse: (() => void) | undefined;
  #used: Storage | undefined;
  /** Let go at the close, and the memory with it. */
  #record: BufferRecord | undefined;

  /** @internal Made by `Domain`. */
  constructor(record: BufferRecord, mode: HandleMode, onClose: (self: DmaBuf) => void) {
    this.#record = record;
    this.mode = mode;
    this.size = record.size;
    this.#reservation = record.reservation.forUser();
    this.#onClose = onClose;
  }

  /** For people; at most 31 bytes of UTF-8. */
  get name(): string {
    return bufferName(this.#open().agent, this.#open().key.slot);
  }

  /** @throws {DmaBufError} `EINVAL` if the name has more than 31 bytes of UTF-8; `EBUSY` if a thread stands still renaming it. */
  set name(name: string) {
    check("DmaBuf.name", "the name", name, NAME);
    const { agent, key } = this.#open();
    renameBuffer(agent, key.slot, name);
  }

  get exporterName(): string {
    return exporterName(this.#open().agent, this.#open().key.slot);
  }

  /** A number that no other buffer of the domain ever has. */
  get inode(): number {
    return bufferInode(this.#open().agent, this.#open().key.slot);
  }

  /** The buffer's fences, until this holder closes. */
  get reservation(): Reservation {
    void this.#open();
    return this.#reservation;
  }

  get isClosed(): boolean {
    return this.#record === undefined;
  }

  /**
   * A handle to send to another agent.
   *
   * @param mode What the receiver may do; not more than this holder. Default: as this holder.
   * @throws {DmaBufError} `EACCES` if this holder may only read; `EAGAIN` if too many handles are on their way.
   */
  handle(mode: HandleMode = this.mode): BufferHandle {
    check("DmaBuf.handle()", "mode", mode, HANDLE_MODE);
    if (mode === "read-write") this.checkWritable("make a read-write handle of");
    return this.#open().createHandle(mode);
  }

  /** Another holder of the same buffer in this agent. */
  duplicate(mode: HandleMode = this.mode): DmaBuf {
    check("DmaBuf.duplicate()", "mode", mode, HANDLE_MODE);
    if (mode === "read-write") this.checkWritable("duplicate");
    return this.#open().open(mode);
  }

  /**
   * Waits until nobody is in the way, and gives the bytes to this thread until the access is disposed: a reader waits
   * for the work of writers, a writer for the work of all, and for other agents' accesses.
   *
   * @throws {DmaBufError} `EACCES` for writing through a read handle; `ETIMEDOUT` if the time passed first; what the
   *   exporter throws.
   */
  async access(mode: AccessMode, options: WaitOptions = {}): Promise<CpuAccess> {
    checkAccess("DmaBuf.access()", mode, options);
    await this.#attempt(mode).take(options);
    return this.#begun(mode);
  }

  /**
   * As {@link access}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if this thread itself is in the way.
   */
  accessSync(mode: AccessMode, options: { readonly timeout?: number } = {}): CpuAccess {
    checkAccessSync("DmaBuf.accessSync()", mode, options);
    this.#attempt(mode).takeSync(options);
    return this.#begun(mode);
  }

  /**
   * The access if nobody is in the way, and `undefined` if somebody is.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if the exporter must be asked and is in another agent.
   */
  tryAccess(mode: AccessMode): CpuAccess | undefined {
    checkAccessMode("DmaBuf.tryAccess()", mode);
    return this.#attempt(mode).tryTake() ? this.#begun(mode) : undefined;
  }

  /**
   * Whether the fences are done that an access of this kind waits for, as the kernel's poll for input (`read`) and
   * output (`write`) tells. A failed fence is done.
   */
  isReady(mode: AccessMode): boolean {
    checkAccessMode("DmaBuf.isReady()", mode);
    return this.reservation.testSignaled(usageFor(mode));
  }

  /** Waits until {@link isReady}, also for what is added meanwhile. The buffer stays alive, whoever closes it. */
  async ready(mode: AccessMode, options: WaitOptions = {}): Promise<WaitResult> {
    checkAccess("DmaBuf.ready()", mode, options);
    using holder = this.duplicate();
    return await waitUntilReady(holder.reservation, mode, options);
  }

  /**
   * What an access of this kind must wait for, as of now: `read` the writers, `write` everybody. A signaled stub stands for
   * nothing.
   */
  exportSyncFile(mode: AccessMode): SyncFile {
    checkAccessMode("DmaBuf.exportSyncFile()", mode);
    return exportSyncFile(this.reservation, mode);
  }

  /**
   * Adds what is pending in a sync file to the buffer's fences, each plain fence by itself, as the work of a reader or a
   * writer. It takes the reservation lock; an export before it and this call are two steps.
   *
   * @throws {DmaBufError} `EBADF` if the sync file was closed; `ENOMEM` if the reservation has no room; `ETIMEDOUT`.
   */
  async importSyncFile(mode: AccessMode, file: SyncFile, options: WaitOptions = {}): Promise<void> {
    checkAccess("DmaBuf.importSyncFile()", mode, options);
    check("DmaBuf.importSyncFile()", "file", file, SYNC_FILE);
    const imported = new ImportedFences(this.reservation, mode, file);
    using _lock = await this.reservation.lock(undefined, this.#terms(options));
    imported.add();
  }

  /** As {@link importSyncFile}, blocking this thread for the lock. */
  importSyncFileSync(mode: AccessMode, file: SyncFile, options: { readonly timeout?: number } = {}): void {
    checkAccessSync("DmaBuf.importSyncFileSync()", mode, options);
    check("DmaBuf.importSyncFileSync()", "file", file, SYNC_FILE);
    const imported = new ImportedFences(this.reservation, mode, file);
    using _lock = this.reservation.lockSync(undefined, options);
    imported.add();
  }

  /**
   * The kernel's bare begin of processor access: runs the exporter's operation, and waits for the fences that an access
   * of this kind must wait for. It excludes nobody; prefer {@link access}.
   */
  async beginCpuAccess(mode: AccessMode, options: WaitOptions = {}): Promise<void> {
    checkAccess("DmaBuf.beginCpuAccess()", mode, options);
    await beginAccess(() => this.#open(), mode, this.#terms(options));
  }

  /** As {@link beginCpuAccess}, blocking this thread. */
  beginCpuAccessSync(mode: AccessMode, options: { readonly timeout?: number } = {}): void {
    checkAccessSync("DmaBuf.beginCpuAccessSync()", mode, options);
    beginAccessSync(this.#open(), mode, options);
  }

  /** The end that belongs to {@link beginCpuAccess}; waits for nothing. */
  endCpuAccess(mode: AccessMode): void {
    checkAccessMode("DmaBuf.endCpuAccess()", mode);
    this.reservation.warnIfHeld("end an access to");
    this.#open().endCpuAccess(mode);
  }

  /**
   * Ties an importer to the buffer. Blocks this thread if the exporter is in another agent and must be asked.
   *
   * @throws {DmaBufError} What the exporter refuses it with, by convention `EBUSY`; `ESRCH` if its thread has ended.
   */
  attachSync(importer: Importer = {}): Attachment {
    checkImporter("DmaBuf.attachSync()", importer);
    const record = this.#open();
    const attachment = this.#createAttachment(record, importer);
    record.exporter.attach(attachment)?.resultSync();
    return this.#attached(record, attachment);
  }

  /** As {@link attachSync}, returning to the event loop while an exporter in another agent is asked. */
  async attach(importer: Importer = {}, options: WaitOptions = {}): Promise<Attachment> {
    checkImporter("DmaBuf.attach()", importer);
    checkWait("DmaBuf.attach()", options);
    using holder = this.duplicate();
    const record = holder.#open();
    const attachment = this.#createAttachment(record, importer);
    await record.exporter.attach(attachment)?.result(this.#terms(options));
    return this.#attached(record, attachment);
  }

  /**
   * The bytes of a page range, as the kernel's `mmap` gives them: without any synchronization, and longer than this
   * holder lives. Surround their use with {@link beginCpuAccess} and {@link endCpuAccess}. The storage stays where it is
   * until the mapping ends.
   *
   * @param range `offset` and `length` in bytes; the offset is a multiple of 4,096. Default: the whole buffer.
   * @throws {DmaBufError} `EINVAL` if the range does not lie in the buffer, or the exporter offers no mapping; `EAGAIN`
   *   while the storage is being moved.
   */
  mmap(range: PageRange = {}): MemoryMap {
    checkRange("DmaBuf.mmap()", range);
    const record = this.#open();
    record.reservation.warnIfHeld("map pages of");
    record.exporter.mmap()?.resultSync();
    // The exporter's code may have closed this holder.
    const holder = this.duplicate();
    let unpin: (() => void) | undefined;
    try {
      unpin = record.pin();
      return new MemoryMap(holder, record.storage, range, unpin);
    } catch (error) {
      unpin?.();
      holder.close();
      throw error;
    }
  }

  /**
   * The whole buffer as one array for this agent's own code, by the exporter's `vmap`, which runs for the first of several
   * users. Balance it with {@link vunmap}. The caller holds the reservation lock.
   *
   * @throws {DmaBufError} `EINVAL` if the exporter has no such operation.
   */
  vmap(): Uint8Array {
    this.reservation.assertHeld("map");
    return this.#open().virtualMap.map();
  }

  /** The end that belongs to {@link vmap}; the caller holds the reservation lock. */
  vunmap(): void {
    this.reservation.assertHeld("unmap");
    this.#open().virtualMap.unmap();
  }

  /**
   * Moves the storage, for its exporter: others' accesses are waited for, dynamic importers are told, all fences are
   * waited for, and from then on every agent uses the new storage. The size stays.
   *
   * @param to New memory of the same size, to which the bytes are copied (it is counted); or what brings them there.
   * @throws {DmaBufError} `EBUSY` if the storage is pinned; `EPERM` for other threads than the exporter's; `EDEADLK` if
   *   this thread has the reservation lock; `ETIMEDOUT`; `EBADF` if this holder is closed while the move waits; whatever
   *   `to` throws. The storage is where it was then.
   */
  async move(to: readonly StorageSegment[] | Relocate, options: WaitOptions = {}): Promise<void> {
    const segments = typeof to === "function" ? undefined : checkSegments("DmaBuf.move()", "to", to);
    checkWait("DmaBuf.move()", options);
    this.checkWritable("move");
    // It keeps the buffer until the end.
    using holder = this.duplicate();
    const relocate = segments === undefined ? (to as Relocate) : copyTo(segments, this.size);
    await moveStorage(holder.#open(), relocate, this.#terms(options));
  }

  /**
   * For an exporter that moves the storage itself: tells the dynamic importers in all agents. They map again later; their
   * old mappings stay usable until the reservation's fences have signaled. The caller holds the reservation lock.
   *
   * @throws {DmaBufError} `ESRCH` if the lock was lost: an importer's thread has ended while it was told.
   */
  async moveNotify(options: WaitOptions = {}): Promise<void> {
    checkWait("DmaBuf.moveNotify()", options);
    this.reservation.assertHeld("move");
    if (await notifyImporters(this.#open(), () => this.#terms(options))) return;
    throw new DmaBufError("ESRCH", "Cannot tell the importers of a move: the lock went with one of their threads");
  }

  /**
   * What `lseek` says of a buffer's descriptor: its size at the end, 0 at the start.
   *
   * @throws {DmaBufError} `EINVAL` for any other place.
   */
  seek(offset: number, whence: "set" | "current" | "end"): number {
    check("DmaBuf.seek()", "offset", offset, START);
    check("DmaBuf.seek()", "whence", whence, WHENCE);
    void this.#open();
    return whence === "end" ? this.size : 0;
  }

  /**
   * Where the bytes stand until this holder closes or they are moved, for those who take care of the synchronization
   * themselves.
   *
   * @throws {DmaBufError} `EAGAIN` if they were moved and this agent has not heard yet where to.
   */
  get segments(): readonly StorageSegment[] {
    const { storage } = this.#open();
    if (this.#used !== storage) {
      this.#endUse?.();
      this.#endUse = storage.use();
      this.#used = storage;
    }
    return storage.segments;
  }

  /** Lines for people: size, references, exporter, and the name if there is one, as the kernel tells of a descriptor. */
  describe(): string {
    const { agent, key, holders } = this.#open();
    const count = countReferences(agent, key.slot, holders);
    const name = this.name === "" ? "" : `name:\t${this.name}\n`;
    return `size:\t${this.size}\ncount:\t${count}\nexp_name:\t${this.exporterName}\n${name}`;
  }

  /**
   * Drops this holder: its accesses end, its attachments are detached, the locks that it has taken open, and what it waits
   * for fails with `EBADF`. The last holder frees the buffer.
   */
  close(): void {
    if (this.#record === undefined) return;
    this.ending.end(closed);
    for (const access of [...this.#accesses]) access.end();
    for (const attachment of [...this.#attachments]) attachment[Symbol.dispose]();
    this.#reservation.close();
    this.#record = undefined;
    this.#endUse?.();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The memory, for those who say themselves how long they use it. */
  get storage(): Storage {
    return this.#open().storage;
  }

  /** @internal The holds, for streams, which wait for fences separately. */
  get holds(): Holds {
    return this.#open().holds;
  }

  /** @internal @throws {DmaBufError} `EACCES` if this holder may only read. */
  checkWritable(action: string): void {
    if (this.mode === "read-write") return;
    throw new DmaBufError("EACCES", `Cannot ${action} the buffer: this holder may only read it`);
  }

  #begun(mode: AccessMode): CpuAccess {
    const record = this.#open();
    const endUse = record.storage.use();
    const { agent, key } = record;
    const what = (): string => `An access to ${mode} buffer "${bufferName(agent, key.slot)}"`;
    const held: Held = new Held(agent.held, what, () => {
      this.#accesses.delete(held);
      endUse();
      record.endCpuAccess(mode);
      record.holds.release(mode);
    });
    this.#accesses.add(held);
    return owned(held, new CpuAccess(mode, record.storage.segments, held));
  }

  #attempt(mode: AccessMode): AccessAttempt {
    if (mode === "write") this.checkWritable("write to");
    return new AccessAttempt(() => this.#open(), this.ending, mode);
  }

  #createAttachment(record: BufferRecord, importer: Importer): Attachment {
    record.reservation.warnIfHeld("attach to");
    const keep = (): (() => void) => record.keep();
    return new Attachment(this, importer, record.exporter, keep, (self) => {
      this.#attachments.delete(self);
      record.detach(self);
    });
  }

  /** The exporter has let it in; its code may have closed this holder. */
  #attached(record: BufferRecord, attachment: Attachment): Attachment {
    if (this.isClosed) {
      record.exporter.detach(attachment);
      throw closed();
    }
    record.attached(attachment);
    this.#attachments.add(attachment);
    return attachment;
  }

  #terms(options: WaitOptions): WaitTerms {
    return { ...options, ending: this.ending };
  }

  #open(): BufferRecord {
    if (this.#record === undefined) throw closed();
    return this.#record;
  }
}

function closed(): DmaBufError {
  return new DmaBufError("EBADF", "Cannot use the buffer: this holder has closed it");
}

/** What an argument `buffer` must be. */
export const DMA_BUF = instance(DmaBuf);
