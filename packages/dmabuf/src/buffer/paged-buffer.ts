import {
  check,
  checkOptions,
  FUNCTION,
  integer,
  NAME,
  required,
  withCode,
  type Kind,
  type Kinds,
} from "../arguments.js";
import { take, takeSync, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { DmaBuf, holderOf, makeBuffer } from "./buffer.js";
import type { BufferRecord } from "./buffer-record.js";
import type { Done } from "./call.js";
import { HANDLE_MODE, type HandleMode } from "./handle.js";
import { makeMemoryMap, type MemoryMap } from "./memory-map.js";
import { PAGE_SIZE } from "./storage.js";

/**
 * Buffers whose pages are filled when they are touched.
 *
 * paged-buffer.1. Which pages are filled is known to the exporter's agent alone: others ask it, and may remember the
 *     answer, since a page that is filled stays filled. What was written to it survives.
 * paged-buffer.2. A page is filled once, however many agents touch it at the same time: all wait for the same call of
 *      `fill`, and get its error. The page is missing then, and is filled by the next one that touches it.
 * paged-buffer.3. A fault waits for a program's code, and so has no bound. What others wait for by a fence never waits for
 *      one: accesses, jobs, mappings and devices are refused with `EFAULT` unless the pages are pinned.
 * paged-buffer.4. PINNED is set when all pages are filled and an agent has pinned them, and only the exporter's agent
 *      changes it. The pins of an agent that is dead are given back.
 * paged-buffer.5. While a page is being filled, or a range is in use, the storage is pinned, and the buffer lives.
 * paged-buffer.6. When the exporter's agent has ended, what is filled can be used by those that know it; other faults fail
 *     with `ESRCH`.
 */

/** How {@link Domain.createPagedBuffer} makes a buffer. */
export interface PagedBufferOptions {
  /** Bytes. */
  readonly size: number;
  /** Bytes of a page: what is filled at once at least, a multiple of 4,096. Default 4,096. */
  readonly pageSize?: number;
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /**
   * Fills pages that were touched for the first time. It runs in the thread that has made the buffer, whichever thread
   * touches them, and may answer later, by a promise. What it throws, who has touched them gets: other threads its `code`.
   *
   * @param offset Where the pages begin in the buffer, in bytes.
   * @param bytes One or more whole pages, as they are in the buffer; the last page may be shorter. They are zero, unless
   *   an earlier call for them has failed. Do not use them when the call has answered.
   */
  readonly fill: (offset: number, bytes: Uint8Array) => Done;
  /** The buffer is gone: nothing will be filled any more. */
  readonly release?: () => void;
}

const PAGES: Kind = {
  wanted: "a multiple of 4,096",
  isKind: (value) => typeof value === "number",
  isTaken: (size: number) => Number.isSafeInteger(size) && size > 0 && size % PAGE_SIZE === 0,
};

const OPTIONS: Kinds<PagedBufferOptions> = {
  size: required(withCode("EINVAL", integer(1))),
  pageSize: PAGES,
  name: NAME,
  fill: required(FUNCTION),
  release: FUNCTION,
};

/** Looks at the options of a paged buffer. */
export function checkPagedBuffer(options: PagedBufferOptions): void {
  checkOptions("Domain.createPagedBuffer()", options, OPTIONS);
}

const BYTES = withCode("EINVAL", integer(0));
const LENGTH = withCode("EINVAL", integer(1));

/** A holder of a buffer, which is a {@link PagedBuffer} if the buffer is one. */
export let bufferOf: (record: BufferRecord, mode: HandleMode) => DmaBuf;

/**
 * A buffer whose pages are filled by a function when they are touched for the first time, in whichever thread: large data of
 * which only parts are needed, as the weights of a model or an index.
 *
 * Its bytes are reached by {@link fault}, which may wait for that function without bound. So neither an access nor an
 * ordinary job, and no mapping and no device can use it: they are refused with `EFAULT`, until {@link pin} has filled all of
 * it. Long-running jobs may fault.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using squares = domain.createPagedBuffer({
 *   size: 1 << 20,
 *   name: "squares",
 *   fill(offset, bytes) {
 *     const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
 *     for (let i = 0; i < values.length; i++) values[i] = (offset / 4 + i) ** 2;
 *   },
 * });
 * using range = await squares.fault(400, 4);
 * console.log(new DataView(range.bytes.buffer, range.bytes.byteOffset).getFloat32(0, true)); // 10000
 * ```
 */
export class PagedBuffer extends DmaBuf {
  static {
    bufferOf = (record, mode) =>
      record.pages === undefined ? makeBuffer(record, mode) : new PagedBuffer(record, mode);
  }

  private constructor(record: BufferRecord, mode: HandleMode) {
    super(record, mode);
  }

  /** Whether all pages are filled and stay, because a thread has pinned them. @throws {DmaBufError} `EBADF` after the close. */
  get isPinned(): boolean {
    return holderOf(this).record.pages!.isPinned;
  }

  /**
   * Touches a range of bytes: fills the pages of it that are missing, and gives the bytes, without any synchronization, until
   * they are closed. The storage stays where it is until then.
   *
   * @param offset Bytes from the start of the buffer.
   * @param length Bytes.
   * @param options `timeout` in milliseconds; default no limit. A fill that has begun goes on without this call.
   * @throws {DmaBufError} `EINVAL` if the range does not lie in the buffer; the error of what fills the pages, in other
   *   threads only its code, and `EIO` if it has none; `ESRCH` if a page is missing and the thread has ended that would fill
   *   it; `EAGAIN` while the storage is being moved; `ETIMEDOUT` if the time passed first; `EBADF` if this holder is closed,
   *   also during the wait.
   */
  async fault(offset: number, length: number, options: WaitOptions = {}): Promise<MemoryMap> {
    this.#checkRange("PagedBuffer.fault()", offset, length);
    checkWait("PagedBuffer.fault()", options);
    const { ending, record } = holderOf(this);
    return take(record.agent, faulting(record, offset, length, options.timeout), options, ending);
  }

  /**
   * As {@link fault}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EOPNOTSUPP` in the thread that fills the pages, if that answers later.
   */
  faultSync(offset: number, length: number, options: { readonly timeout?: number } = {}): MemoryMap {
    this.#checkRange("PagedBuffer.faultSync()", offset, length);
    checkWaitSync("PagedBuffer.faultSync()", options);
    const { record } = holderOf(this);
    return takeSync(record.agent, faulting(record, offset, length, options.timeout), options.timeout);
  }

  /**
   * Fills all pages and keeps them, and the storage in its place, until what this gives is closed. Then the buffer is used
   * as any other: by accesses, jobs, mappings and devices.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @returns The bytes, without any synchronization.
   * @throws {DmaBufError} As {@link fault}.
   */
  async pin(options: WaitOptions = {}): Promise<MemoryMap> {
    checkWait("PagedBuffer.pin()", options);
    const { ending, record } = holderOf(this);
    return take(record.agent, pinning(record, options.timeout), options, ending);
  }

  /** As {@link pin}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  pinSync(options: { readonly timeout?: number } = {}): MemoryMap {
    checkWaitSync("PagedBuffer.pinSync()", options);
    const { record } = holderOf(this);
    return takeSync(record.agent, pinning(record, options.timeout), options.timeout);
  }

  override duplicate(mode: HandleMode = this.mode): PagedBuffer {
    check("PagedBuffer.duplicate()", "mode", mode, HANDLE_MODE);
    const holder = holderOf(this);
    if (mode === "read-write") holder.checkWritable("duplicate");
    return new PagedBuffer(holder.record, mode);
  }

  #checkRange(call: string, offset: number, length: number): void {
    check(call, "offset", offset, BYTES);
    check(call, "length", length, LENGTH);
    if (offset + length <= this.size) return;
    throw new DmaBufError("EINVAL", `Cannot fault ${length} bytes at ${offset}: the buffer has ${this.size} bytes`);
  }
}

function* faulting(record: BufferRecord, offset: number, length: number, timeout?: number): Steps<MemoryMap> {
  yield* record.known.arrival(timeout);
  const map = makeMemoryMap(record, { offset, length }, record.pinStorage());
  try {
    yield* record.pages!.fault(offset, length, timeout);
  } catch (error) {
    map.close();
    throw error;
  }
  return map;
}

function* pinning(record: BufferRecord, timeout?: number): Steps<MemoryMap> {
  yield* record.known.arrival(timeout);
  let isPinned = false;
  const unpin = record.pinStorage();
  const map = makeMemoryMap(record, { offset: 0, length: record.size }, () => {
    if (isPinned) record.pages!.unpin();
    unpin();
  });
  try {
    yield* record.pages!.pin(timeout);
    isPinned = true;
  } catch (error) {
    map.close();
    throw error;
  }
  return map;
}
