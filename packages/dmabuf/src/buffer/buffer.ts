import {
  check,
  checkObject,
  FLAG,
  FUNCTION,
  instance,
  integer,
  NAME,
  oneOf,
  orElse,
  withCode,
  type Kinds,
} from "../arguments.js";
import { renameBuffer } from "../domain/buffer-name.js";
import { owned } from "../domain/held.js";
import { bufferInode, exporterName } from "./buffer-slot.js";
import { take, takeSync, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, NO_LIMIT, type WaitOptions } from "../domain/wait.js";
import { needFeature } from "../domain/shared-features.js";
import { DmaBufError } from "../errors.js";
import { waitResult, type WaitResult } from "../fence/read-fence.js";
import { SYNC_FILE, type SyncFile } from "../fence/sync-file.js";
import { makeReservation, type Reservation } from "../reservation/reservation.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import { checkAccess, checkAccessMode, checkAccessSync, usageFor, type AccessMode } from "../reservation/usage.js";
import { beginAccess, evict, type AccessOptions } from "./access-attempt.js";
import type { BufferRecord } from "./buffer-record.js";
import { contentVersion } from "./content-version.js";
import type { CpuAccess } from "./cpu-access.js";
import type { ExporterAttachment } from "./exporter.js";
import { HANDLE_MODE, type BufferHandle, type HandleMode } from "./handle.js";
import { BufferHolder } from "./holder.js";
import { exportSyncFile, importSyncFile, untilReady } from "./implicit-sync.js";
import type { Mapping } from "./mapping.js";
import { checkMemoryFence, makeMemoryFence, type MemoryFence, type MemoryFenceOptions } from "./memory-fence.js";
import { checkedRange, checkRange, makeMemoryMap, type MemoryMap, type PageRange } from "./memory-map.js";
import { copyTo, moveStorage, notifyImporters, type Relocate } from "./move.js";
import { countReferences } from "./statistics.js";
import { checkSegments, type StorageSegment } from "./storage.js";
import type { Tie } from "./tie.js";
import { MODE_DETAIL } from "../domain/trace-points.js";
import { POINT, traces } from "../domain/tracing.js";

/** The holder behind a buffer, for the library. */
export let holderOf: (buffer: DmaBuf) => BufferHolder;
export let makeBuffer: (record: BufferRecord, mode: HandleMode) => DmaBuf;

/** Only the start and the end have a place. */
const START = withCode("EINVAL", { ...integer(0, 0), wanted: "0" });
const WHENCE = orElse("EINVAL", oneOf(["set", "end"]));

/**
 * A buffer, as one holder of it sees it: storage that many agents use at once without a copy.
 *
 * Each import gives a `DmaBuf` of its own; the buffer lives until the last of them is closed, and no handle to it is
 * on its way.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * const { port1: port } = new MessageChannel();
 * using buffer = domain.allocate(4096, { name: "picture" });
 * {
 *   using access = await buffer.access("write");
 *   access.bytes.fill(255);
 * }
 * port.postMessage(buffer.handle("read"));
 * ```
 * @see linux/drivers/dma-buf/dma-buf.c
 */
export class DmaBuf implements Disposable {
  /** What this holder may do. */
  readonly mode: HandleMode;
  /** Bytes; does not change while the buffer lives. */
  readonly size: number;
  readonly #holder: BufferHolder;
  readonly #reservation: Reservation;

  static {
    holderOf = (buffer) => buffer.#holder;
    makeBuffer = (record, mode) => new DmaBuf(record, mode);
  }

  // The library alone makes buffers. What they are made of is not in the published types.
  protected constructor(...parts: unknown[]);
  protected constructor(record: BufferRecord, mode: HandleMode) {
    this.#holder = new BufferHolder(record, mode);
    this.#reservation = makeReservation(this.#holder.reservation);
    this.mode = mode;
    this.size = record.size;
  }

  /** For people; at most 31 bytes of UTF-8. @throws {DmaBufError} `EBADF` after the close. */
  get name(): string {
    return this.#record.name;
  }

  /** @throws {DmaBufError} `EINVAL` if the name has more than 31 bytes of UTF-8; `EBUSY` if a thread is stopped in renaming it. */
  set name(name: string) {
    check("DmaBuf.name", "the name", name, NAME);
    const { agent, key } = this.#record;
    renameBuffer(agent, key.slot, name);
    this.#record.renamed();
  }

  /** Which program or device owns the storage. @throws {DmaBufError} `EBADF` after the close. */
  get exporterName(): string {
    return exporterName(this.#record.agent, this.#record.key.slot);
  }

  /** A number that no other buffer of the domain ever has. @throws {DmaBufError} `EBADF` after the close. */
  get inode(): number {
    return bufferInode(this.#record.agent, this.#record.key.slot);
  }

  /**
   * A number that is another one when the content may be: from 0 up to 2^32 - 1, and then from 0 again. The same for all holders.
   *
   * It rises when an access to write ends, also by the death of its thread, when a job that writes or any fence of usage `kernel`
   * or `write` is added, when a stream's loan ends, when the storage is moved, and when a memory fence signals. So read
   * it in an access to read: as long as it stays the same, a copy of the bytes is still right. It does not rise by what the
   * library does not see: a device that writes without a fence here, and code that writes to {@link mmap}, {@link vmap} or
   * {@link segments}. Such code surrounds its writes with {@link beginCpuAccess} and {@link endCpuAccess}: then it rises at the end.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.allocate(4096);
   * const before = buffer.contentVersion;
   * (await buffer.access("write")).close();
   * console.log(buffer.contentVersion === before); // false
   * ```
   */
  get contentVersion(): number {
    const { agent, key } = this.#record;
    return contentVersion(agent, key.slot);
  }

  /** The buffer's fences, until this holder closes. @throws {DmaBufError} `EBADF` after the close. */
  get reservation(): Reservation {
    void this.#record;
    return this.#reservation;
  }

  /** Whether this holder has closed the buffer. */
  get isClosed(): boolean {
    return this.#holder.isClosed;
  }

  /**
   * A handle to send to another agent.
   *
   * @param mode What the receiver may do; not more than this holder. Default: as this holder.
   * @throws {DmaBufError} `EACCES` if this holder may only read; `EAGAIN` if too many handles are on their way.
   */
  handle(mode: HandleMode = this.mode): BufferHandle {
    check("DmaBuf.handle()", "mode", mode, HANDLE_MODE);
    if (mode === "read-write") this.#holder.checkWritable("make a read-write handle of");
    return this.#record.createHandle(mode);
  }

  /**
   * Another holder of the same buffer in this agent.
   *
   * @param mode What it may do; not more than this holder. Default: as this holder.
   * @throws {DmaBufError} `EACCES` if this holder may only read; `EBADF` after the close.
   */
  duplicate(mode: HandleMode = this.mode): DmaBuf {
    check("DmaBuf.duplicate()", "mode", mode, HANDLE_MODE);
    if (mode === "read-write") this.#holder.checkWritable("duplicate");
    return new DmaBuf(this.#record, mode);
  }

  /**
   * Waits until nothing is in the way, and gives the bytes to this thread until the access is closed: a reader waits
   * for the work of writers, a writer for all work and for other agents' accesses. What devices add once it has only
   * work to wait for keeps it no longer.
   *
   * @param options `timeout` in milliseconds, default no limit; `evict`, whether long-running jobs make way, default false.
   * @throws {DmaBufError} `EACCES` for writing through a read handle; `ETIMEDOUT` if the time passed first; `EBADF` if this
   *   holder is closed, also during the wait; what the exporter throws; the signal's reason if it aborts.
   */
  async access(mode: AccessMode, options: AccessOptions = NO_LIMIT): Promise<CpuAccess> {
    checkAccess("DmaBuf.access()", mode, options);
    const { validation } = this.#holder.record.agent;
    return validation === undefined
      ? this.#access(mode, options)
      : validation.promised(() => this.#access(mode, options));
  }

  #access(mode: AccessMode, options: AccessOptions): CpuAccess | Promise<CpuAccess> {
    const access = this.#accessAtOnce("DmaBuf.access()", mode, options.evict);
    return access ?? this.#take(this.#holder.access(mode, options.timeout, options.evict), options);
  }

  /**
   * As {@link access}, blocking this thread.
   *
   * @param options `timeout` in milliseconds, default no limit; `evict`, whether long-running jobs make way, default false.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if this thread itself is in the way; `EOPNOTSUPP` where
   *   blocking is forbidden.
   */
  accessSync(mode: AccessMode, options: { readonly timeout?: number; readonly evict?: boolean } = NO_LIMIT): CpuAccess {
    checkAccessSync("DmaBuf.accessSync()", mode, options);
    const access = this.#accessAtOnce("DmaBuf.accessSync()", mode, options.evict);
    return access ?? this.#takeSync(this.#holder.access(mode, options.timeout, options.evict), options.timeout);
  }

  /**
   * Asks the long-running jobs that have the buffer to give it up, and waits until they have: what they did before is done
   * then. They come back as soon as they can. Who has the reservation lock keeps them away until it opens; an access or a job
   * with `evict` keeps them away for as long as it lasts.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EBADF` if this holder is closed, also during the wait; the
   *   signal's reason if it aborts.
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.allocate(4096);
   * using lock = await buffer.reservation.lock();
   * await buffer.evict({ timeout: 1000 });
   * ```
   */
  async evict(options: WaitOptions = {}): Promise<void> {
    checkWait("DmaBuf.evict()", options);
    return this.#take(evict(this.#record, options.timeout), options);
  }

  /**
   * As {@link evict}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if a job of this thread itself has the buffer.
   */
  evictSync(options: { readonly timeout?: number } = {}): void {
    checkWaitSync("DmaBuf.evictSync()", options);
    this.#takeSync(evict(this.#record, options.timeout), options.timeout);
  }

  /**
   * The access if nothing is in the way, and `undefined` otherwise.
   *
   * @throws {DmaBufError} `EACCES` for writing through a read handle; `EOPNOTSUPP` if the exporter must be asked and is in
   *   another agent; `EBADF` after the close.
   */
  tryAccess(mode: AccessMode): CpuAccess | undefined {
    checkAccessMode("DmaBuf.tryAccess()", mode);
    return this.#holder.tryAccess(mode);
  }

  /**
   * Whether the fences are done that an access of this kind waits for, as the kernel's poll for input (`read`) and
   * output (`write`) tells. A failed fence is done.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   */
  isReady(mode: AccessMode): boolean {
    checkAccessMode("DmaBuf.isReady()", mode);
    return this.reservation.testSignaled(usageFor(mode));
  }

  /**
   * Waits until {@link isReady}, also for what is added during the wait. The buffer stays alive until then, whatever closes
   * it.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} `EBADF` after the close; the signal's reason if it aborts.
   */
  async ready(mode: AccessMode, options: WaitOptions = {}): Promise<WaitResult> {
    checkAccess("DmaBuf.ready()", mode, options);
    return take(this.#record.agent, this.#ready(mode), options);
  }

  /**
   * As {@link ready}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns `"timed-out"` if the time passed first.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit for a fence that only this thread can signal.
   */
  readySync(mode: AccessMode, options: { readonly timeout?: number } = {}): WaitResult {
    checkAccessSync("DmaBuf.readySync()", mode, options);
    return this.#takeSync(this.#ready(mode), options.timeout);
  }

  /**
   * What an access of this kind must wait for, as of now: `read` the writers, `write` all work. A signaled stub means
   * nothing.
   *
   * @throws {DmaBufError} `EBADF` after the close.
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.allocate(4096);
   * const file = buffer.exportSyncFile("read");
   * await file.wait();
   * ```
   */
  exportSyncFile(mode: AccessMode): SyncFile {
    checkAccessMode("DmaBuf.exportSyncFile()", mode);
    return exportSyncFile(this.#record.reservation, mode);
  }

  /**
   * Adds what is pending in a sync file to the buffer's fences, each plain fence by itself, as the work of a reader or a
   * writer. It takes the reservation lock; an export before it and this call are two steps.
   *
   * @param options `timeout` in milliseconds, for the lock; default no limit.
   * @throws {TypeError} If the sync file is of another agent.
   * @throws {DmaBufError} `EBADF` if the sync file or this holder was closed; `ENOMEM` if the reservation has no room;
   *   `ENOSPC` if too many published fences are pending; `ETIMEDOUT` if the time passed first.
   */
  async importSyncFile(mode: AccessMode, file: SyncFile, options: WaitOptions = {}): Promise<void> {
    checkAccess("DmaBuf.importSyncFile()", mode, options);
    check("DmaBuf.importSyncFile()", "file", file, SYNC_FILE);
    return this.#take(importSyncFile(this.#user, mode, file, options.timeout), options);
  }

  /** As {@link importSyncFile}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  importSyncFileSync(mode: AccessMode, file: SyncFile, options: { readonly timeout?: number } = {}): void {
    checkAccessSync("DmaBuf.importSyncFileSync()", mode, options);
    check("DmaBuf.importSyncFileSync()", "file", file, SYNC_FILE);
    this.#takeSync(importSyncFile(this.#user, mode, file, options.timeout), options.timeout);
  }

  /**
   * The kernel's bare begin of processor access: runs the exporter's operation, and waits for the fences that an access
   * of this kind must wait for. It excludes no other agent; prefer {@link access}.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EBADF` if this holder is closed, also during the wait; what
   *   the exporter throws; the signal's reason if it aborts.
   */
  async beginCpuAccess(mode: AccessMode, options: WaitOptions = {}): Promise<void> {
    checkAccess("DmaBuf.beginCpuAccess()", mode, options);
    return this.#take(this.#begin(mode, options.timeout), options);
  }

  /** As {@link beginCpuAccess}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  beginCpuAccessSync(mode: AccessMode, options: { readonly timeout?: number } = {}): void {
    checkAccessSync("DmaBuf.beginCpuAccessSync()", mode, options);
    this.#takeSync(this.#begin(mode, options.timeout), options.timeout);
  }

  /** The end that belongs to {@link beginCpuAccess}; waits for nothing. */
  endCpuAccess(mode: AccessMode): void {
    checkAccessMode("DmaBuf.endCpuAccess()", mode);
    this.#record.endCpuAccess(mode);
  }

  /**
   * Ties an importer to the buffer. It returns to the event loop while an exporter in another agent is asked.
   *
   * @param importer Default: a static importer without a name.
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} What the exporter refuses it with, by convention `EBUSY`; `ESRCH` if its thread has ended;
   *   `ETIMEDOUT` if the time passed first; `EBADF` if this holder is closed, also during the wait.
   */
  async attach(importer: Importer = {}, options: WaitOptions = {}): Promise<Attachment> {
    checkImporter("DmaBuf.attach()", importer);
    checkWait("DmaBuf.attach()", options);
    return this.#take(attaching(this, importer, options.timeout), options);
  }

  /** As {@link attach}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  attachSync(importer: Importer = {}, options: { readonly timeout?: number } = {}): Attachment {
    checkImporter("DmaBuf.attachSync()", importer);
    checkWaitSync("DmaBuf.attachSync()", options);
    return this.#takeSync(attaching(this, importer, options.timeout), options.timeout);
  }

  /**
   * The bytes of a page range, as the kernel's `mmap` gives them: without any synchronization, and longer than this
   * holder lives. Surround their use with {@link beginCpuAccess} and {@link endCpuAccess}. The storage stays where it is
   * until the mapping ends.
   *
   * @param range `offset` and `length` in bytes; the offset is a multiple of 4,096. Default: the whole buffer.
   * @throws {DmaBufError} `EINVAL` if the range does not lie in the buffer, or the exporter offers no mapping; `EAGAIN`
   *   while the storage is being moved; `EFAULT` for a paged buffer that is not pinned.
   */
  mmap(range: PageRange = {}): MemoryMap {
    checkRange("DmaBuf.mmap()", range);
    this.#askToMap();
    const record = this.#record;
    return makeMemoryMap(record, checkedRange(record.size, range), record.pin());
  }

  /**
   * A fence that signals when a 64-bit word of this buffer has become large enough, whatever writes it. No agent gives it a time
   * limit: see {@link UserFence}. The storage stays where it is until the fence is closed.
   *
   * @throws {DmaBufError} `EINVAL` if the word does not lie in the buffer, or the exporter offers no mapping; `EAGAIN` while
   *   the storage is being moved; `EBADF` after the close.
   * @throws {RangeError} If the value is no unsigned number of 64 bits.
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.allocate(4096);
   * using third = buffer.memoryFence({ offset: 8, value: 3 });
   * third.signal(); // or any program that writes 3 into the word
   * ```
   */
  memoryFence(options: MemoryFenceOptions): MemoryFence {
    checkMemoryFence("DmaBuf.memoryFence()", options);
    this.#askToMap();
    return makeMemoryFence(this.#record, this.mode, options);
  }

  /**
   * The whole buffer as one array for this agent's own code, by the exporter's `vmap`, which runs for the first of several
   * users. Balance it with {@link vunmap}. The caller holds the reservation lock.
   *
   * @throws {DmaBufError} `EINVAL` if the exporter has no such operation.
   */
  vmap(): Uint8Array {
    this.#user.assertHeld("map");
    return this.#record.virtualMap.map();
  }

  /** The end that belongs to {@link vmap}; the caller holds the reservation lock. */
  vunmap(): void {
    this.#user.assertHeld("unmap");
    this.#record.virtualMap.unmap();
  }

  /**
   * Moves the storage, for its exporter: others' accesses are waited for, dynamic importers are told, all fences are
   * waited for, and from then on every agent uses the new storage. The size stays.
   *
   * @param to New memory of the same size, to which the bytes are copied (`copiedBytes()` counts them); or what brings them
   *   there.
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EBUSY` if the storage is pinned; `EPERM` for other threads than the exporter's; `EDEADLK` if
   *   this thread has the reservation lock; `ETIMEDOUT` if the time passed first; `EBADF` if this holder is closed, also
   *   during the wait; what `to` throws. The storage is where it was then.
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.export([{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }]);
   * const memory = new SharedArrayBuffer(buffer.size);
   * await buffer.move([{ memory, offset: 0, length: buffer.size }]);
   * ```
   */
  async move(to: readonly StorageSegment[] | Relocate, options: WaitOptions = {}): Promise<void> {
    const relocate = this.#relocate("DmaBuf.move()", to);
    checkWait("DmaBuf.move()", options);
    return this.#take(this.#move(relocate, options.timeout), options);
  }

  /**
   * As {@link move}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EOPNOTSUPP` if `to` answers by a promise, which this thread could not wait for.
   */
  moveSync(to: readonly StorageSegment[] | Relocate, options: { readonly timeout?: number } = {}): void {
    const relocate = this.#relocate("DmaBuf.moveSync()", to);
    checkWaitSync("DmaBuf.moveSync()", options);
    this.#takeSync(this.#move(relocate, options.timeout), options.timeout);
  }

  /**
   * For an exporter that moves the storage itself: tells the dynamic importers in all agents. They map again later; their
   * old mappings stay usable until the reservation's fences have signaled. The caller holds the reservation lock.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `ESRCH` if the lock was lost: an importer's thread has ended while it was told; `EPERM` without
   *   the lock; `ETIMEDOUT` if the time passed first.
   */
  async moveNotify(options: WaitOptions = {}): Promise<void> {
    checkWait("DmaBuf.moveNotify()", options);
    return this.#take(this.#moveNotify(options.timeout), options);
  }

  /** As {@link moveNotify}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  moveNotifySync(options: { readonly timeout?: number } = {}): void {
    checkWaitSync("DmaBuf.moveNotifySync()", options);
    this.#takeSync(this.#moveNotify(options.timeout), options.timeout);
  }

  /**
   * What `lseek` says of a buffer's descriptor: its size at the end, 0 at the start.
   *
   * @throws {DmaBufError} `EINVAL` for any other place.
   */
  seek(offset: number, whence: "set" | "current" | "end"): number {
    check("DmaBuf.seek()", "offset", offset, START);
    check("DmaBuf.seek()", "whence", whence, WHENCE);
    void this.#record;
    return whence === "end" ? this.size : 0;
  }

  /**
   * Where the bytes are until this holder closes or they are moved, for code that takes care of the synchronization
   * itself.
   *
   * @throws {DmaBufError} `EAGAIN` if they were moved and this agent has not heard yet where to; `EFAULT` for a paged
   *   buffer that is not pinned.
   */
  get segments(): readonly StorageSegment[] {
    this.#record.pages?.check("use the bytes of");
    return this.#holder.segments;
  }

  /** Lines for people: size, references, exporter, and the name if there is one, as the kernel tells of a descriptor. */
  describe(): string {
    const { agent, key, holders } = this.#record;
    const count = countReferences(agent, key.slot, holders);
    const name = this.name === "" ? "" : `name:\t${this.name}\n`;
    return `size:\t${this.size}\ncount:\t${count}\nexp_name:\t${this.exporterName}\n${name}`;
  }

  /**
   * Drops this holder: its accesses end, its attachments are detached, the locks that it has taken open, and what it waits
   * for fails with `EBADF`. The last holder frees the buffer.
   */
  close(): void {
    this.#holder.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #record(): BufferRecord {
    return this.#holder.record;
  }

  get #user(): ReservationUser {
    void this.#record;
    return this.#holder.reservation;
  }

  /** The exporter's code may close this holder in this call. */
  #askToMap(): void {
    const { agent, exporter, reservation } = this.#record;
    reservation.warnIfHeld("map pages of");
    const asked = exporter.mmap();
    if (asked !== undefined) takeSync(agent, asked);
  }

  /** The waits end with this holder. */
  #take<T>(steps: Steps<T>, options: WaitOptions): T | Promise<T> {
    return take(this.#record.agent, steps, options, this.#holder.ending);
  }

  #takeSync<T>(steps: Steps<T>, timeout: number | undefined): T {
    return takeSync(this.#record.agent, steps, timeout);
  }

  #accessAtOnce(call: string, mode: AccessMode, evict: boolean | undefined): CpuAccess | undefined {
    if (evict !== undefined) check(call, 'option "evict"', evict, FLAG);
    return evict === true ? undefined : this.#holder.accessAtOnce(mode);
  }

  *#begin(mode: AccessMode, timeout?: number): Steps<void> {
    yield* beginAccess(this.#holder, mode, timeout);
    const { agent } = this.#record;
    if (traces(agent, POINT["buffer:access-begin"])) {
      this.#record.trace(POINT["buffer:access-begin"], 0, MODE_DETAIL[mode]);
    }
  }

  *#ready(mode: AccessMode): Steps<WaitResult> {
    const record = this.#record;
    const unkeep = record.keep();
    try {
      return waitResult(yield* untilReady(record.reservation, mode));
    } finally {
      unkeep();
    }
  }

  #relocate(call: string, to: readonly StorageSegment[] | Relocate): Relocate {
    return typeof to === "function" ? to : copyTo(this.#record.agent, checkSegments(call, "to", to), this.size);
  }

  *#move(relocate: Relocate, timeout?: number): Steps<void> {
    this.#holder.checkWritable("move");
    const record = this.#record;
    // Its hold stays until the end, whatever closes this holder.
    const close = record.hold();
    try {
      yield* moveStorage(record, relocate, timeout);
    } finally {
      close();
    }
  }

  *#moveNotify(timeout?: number): Steps<void> {
    this.#user.assertHeld("move");
    if (yield* notifyImporters(this.#record, timeout)) return;
    throw new DmaBufError("ESRCH", "Cannot tell the importers of a move: the lock went with one of their threads");
  }
}

/** What an argument `buffer` must be. */
export const DMA_BUF = instance(DmaBuf);

/** What attaches to a buffer. An importer with `moveNotify` is dynamic: it follows when the exporter moves the storage. */
export interface Importer {
  /** For people: which device or program this is. */
  readonly name?: string;
  /** Whether it can use storage on another device directly. Default false. */
  readonly allowPeerToPeer?: boolean;
  /** Called with the reservation locked; map again later, not in this call. */
  moveNotify?(attachment: Attachment): void;
}

const IMPORTER: Kinds<Importer> = { name: NAME, allowPeerToPeer: FLAG, moveNotify: FUNCTION };

function checkImporter(call: string, importer: Importer): void {
  checkObject(call, "importer", importer, IMPORTER);
}

/** Attaches a device to the buffer. */
export function* attaching(buffer: DmaBuf, importer: Importer, timeout: number | undefined): Steps<Attachment> {
  const holder = holderOf(buffer);
  needFeature(holder.record.agent.layout, "exporters", "attach to the buffer");
  const attachment = makeAttachment(buffer, importer);
  const tie = tieOf(attachment);
  yield* holder.attach(tie, timeout);
  return owned(tie.held, attachment);
}

let makeAttachment: (buffer: DmaBuf, importer: Importer) => Attachment;
export let tieOf: (attachment: Attachment) => Tie;

/**
 * An importer's tie to a buffer. It keeps the buffer alive until it is closed.
 *
 * Where the exporter is in another agent and has operations of its own, mapping and pinning ask it: the calls that end in
 * `Sync` then block this thread until it answers.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * using attachment = await buffer.attach({ name: "encoder" });
 * using mapping = await attachment.map("read");
 * console.log(mapping.segments.length);
 * ```
 * @see linux/drivers/dma-buf/dma-buf.c, `dma_buf_dynamic_attach`
 */
export class Attachment implements Disposable {
  /** The holder that it was attached by. */
  readonly buffer: DmaBuf;
  /** The importer that it was attached for. */
  readonly importer: Importer;
  readonly #tie: Tie;

  static {
    makeAttachment = (buffer, importer) => new Attachment(buffer, importer);
    tieOf = (attachment) => attachment.#tie;
  }

  private constructor(buffer: DmaBuf, importer: Importer) {
    this.buffer = buffer;
    this.importer = importer;
    // held.1.
    const self = new WeakRef(this);
    this.#tie = holderOf(buffer).tie(new AttachedImporter(buffer, importer), () => {
      const attachment = self.deref();
      if (attachment !== undefined) importer.moveNotify?.(attachment);
    });
  }

  /** Whether storage on another device may be mapped; the exporter may have refused it. */
  get peerToPeer(): boolean {
    return this.#tie.attachment.peerToPeer;
  }

  /** Whether the importer follows moves of the storage. */
  get isDynamic(): boolean {
    return this.importer.moveNotify !== undefined;
  }

  /** The buffer's. @throws {DmaBufError} `EBADF` after the close of the buffer. */
  get reservation(): Reservation {
    return this.buffer.reservation;
  }

  /**
   * Maps the storage, taking the reservation lock for it. A static importer gets its mapping only when all kernel
   * fences have signaled; a dynamic one waits for them itself before it touches the memory.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EACCES` for writing through a read handle; what the exporter throws; `ESRCH` if its
   *   thread ends before it answers; `ETIMEDOUT`, also if the work of such a fence is overdue.
   */
  async map(mode: AccessMode = "read", options: WaitOptions = {}): Promise<Mapping> {
    checkAccess("Attachment.map()", mode, options);
    return this.#mapped(await this.#take(this.#tie.map(mode, options.timeout), options));
  }

  /** As {@link map}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  mapSync(mode: AccessMode = "read", options: { readonly timeout?: number } = {}): Mapping {
    checkAccessSync("Attachment.mapSync()", mode, options);
    return this.#mapped(this.#takeSync(this.#tie.map(mode, options.timeout), options.timeout));
  }

  /**
   * As {@link map} for a caller that holds the reservation lock; waits for no fence.
   *
   * @throws {DmaBufError} Besides, `EPERM` without the lock.
   */
  async mapLocked(mode: AccessMode = "read", options: WaitOptions = {}): Promise<Mapping> {
    checkAccess("Attachment.mapLocked()", mode, options);
    return this.#mapped(await this.#take(this.#tie.mapLocked(mode, options.timeout), options));
  }

  /** As {@link mapLocked}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  mapLockedSync(mode: AccessMode = "read", options: { readonly timeout?: number } = {}): Mapping {
    checkAccessSync("Attachment.mapLockedSync()", mode, options);
    return this.#mapped(this.#takeSync(this.#tie.mapLocked(mode, options.timeout), options.timeout));
  }

  /**
   * Keeps the storage where it is, for uses such as a display that cannot follow a move. Balance it with {@link unpin}.
   * The caller holds the reservation lock.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} `EPERM` without the lock; what the exporter throws; `ESRCH` if its thread ends before it answers;
   *   `ETIMEDOUT` if the time passed first.
   */
  async pin(options: WaitOptions = {}): Promise<void> {
    checkWait("Attachment.pin()", options);
    return this.#take(this.#tie.pin(options.timeout), options);
  }

  /** As {@link pin}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  pinSync(options: { readonly timeout?: number } = {}): void {
    checkWaitSync("Attachment.pinSync()", options);
    this.#takeSync(this.#tie.pin(options.timeout), options.timeout);
  }

  /** The end that belongs to {@link pin}; the caller holds the reservation lock. @throws {DmaBufError} `EPERM` without it. */
  unpin(): void {
    this.#tie.unpin();
  }

  /** Detaches; what is still mapped is unmapped first. Twice does nothing. */
  close(): void {
    this.#tie.detach();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mapped(mapping: Mapping): Mapping {
    attachments.set(mapping, this);
    return mapping;
  }

  #take<T>(steps: Steps<T>, options: WaitOptions): T | Promise<T> {
    return take(this.#tie.agent, steps, options, this.#tie.ending);
  }

  #takeSync<T>(steps: Steps<T>, timeout: number | undefined): T {
    return takeSync(this.#tie.agent, steps, timeout);
  }
}

/** While a mapping is in use, so is its attachment. */
const attachments = new WeakMap<Mapping, Attachment>();

/** An importer of this agent as the exporter sees it: nothing leads from here to the importer's own object (held.1). */
class AttachedImporter implements ExporterAttachment {
  readonly importer: Importer;
  readonly isDynamic: boolean;
  peerToPeer: boolean;
  readonly #buffer: DmaBuf;

  constructor(buffer: DmaBuf, importer: Importer) {
    this.importer = importer;
    this.isDynamic = importer.moveNotify !== undefined;
    this.peerToPeer = importer.allowPeerToPeer ?? false;
    this.#buffer = buffer;
  }

  get reservation(): Reservation {
    return this.#buffer.reservation;
  }
}
