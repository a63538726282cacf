import { allOrNothing } from "../../all-or-nothing.js";
import {
  check,
  checkList,
  checkOptions,
  FLAG,
  instance,
  TIMEOUT,
  U64,
  type Kind,
  type Kinds,
} from "../../arguments.js";
import { WAIT, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { waitResult, type WaitResult } from "../../fence/read-fence.js";
import type { WaitAnyResult } from "../../fence/wait-many.js";
import { addressOf, createEventCounter } from "../../node/system-calls/index.js";
import { DESCRIPTOR, Descriptor, descriptorFrom, isDescriptorReady, requestOf } from "../descriptor.js";
import { giveBack } from "../give-back.js";
import { SYNC_FILE_DESCRIPTOR, syncFileFrom, type SyncFileDescriptor } from "../sync-file.js";
import { waitForDescriptor } from "../wait.js";
import { DRM_DEVICE, type DrmDevice } from "./device.js";
import { SYNCOBJ, SYNCOBJ_FLAG, SYNCOBJ_WAIT } from "./syncobj-requests.js";

/** One point of a timeline; 0 is the current fence as it is. */
export interface DrmSyncobjPoint {
  /** The syncobj that the point is of. */
  readonly syncobj: DrmSyncobj;
  /** From 0 to 2^64 - 1. */
  readonly point: number | bigint;
}

/** What a blocking wait for syncobjs waits for, and how long. */
export interface DrmSyncobjWaitOptions {
  /** Milliseconds; 0 only looks. Default: no limit. */
  readonly timeout?: number;
  /** Waits for all entries. Default false: for any of them. */
  readonly all?: boolean;
  /** Waits for fences and points that do not exist yet. Default false: they are `EINVAL`. */
  readonly forSubmit?: boolean;
  /** An entry is done as soon as it has a fence. Default false: when that has signaled. */
  readonly available?: boolean;
}

const CREATE: Kinds<{ readonly signaled?: boolean }> = { signaled: FLAG };
const QUERY: Kinds<{ readonly lastSubmitted?: boolean }> = { lastSubmitted: FLAG };
const ON_POINT: Kinds<{ readonly available?: boolean }> = { available: FLAG };
const WAIT_SYNC: Kinds<DrmSyncobjWaitOptions> = { timeout: TIMEOUT, all: FLAG, forSubmit: FLAG, available: FLAG };
const WAIT_ONE_SYNC = { ...WAIT_SYNC, point: U64 };
const WAIT_ONE = { ...WAIT, ...ON_POINT, point: U64 };

/** How long a blocked thread stays in the kernel at once, in milliseconds: `terminate()` works in between. */
const SLICE = 50;

/** The flags of a wait that are asked of the kernel in slices go on from the same state of the syncobjs. */
const REASONS = {
  ENOENT: "one of the syncobjs is closed, or of another device",
  EOPNOTSUPP: "the driver has no syncobjs, or none with timelines",
} as const;

/**
 * A place of a graphics device for a fence that may not exist yet, or for a timeline of them.
 *
 * @see linux/drivers/gpu/drm/drm_syncobj.c
 *
 * @example
 * ```ts device
 * import { DrmDevice, DrmSyncobj } from "dmabuf/linux";
 *
 * using card = DrmDevice.open("/dev/dri/renderD128");
 * using timeline = DrmSyncobj.create(card);
 * timeline.signalPoint(1);
 * console.log(timeline.query(), await timeline.wait({ point: 1, timeout: 1_000 }));
 * ```
 */
export class DrmSyncobj implements Disposable {
  /** The device that the handle is of. */
  readonly device: DrmDevice;
  #handle: number;

  private constructor(device: DrmDevice, handle: number) {
    this.device = device;
    this.#handle = handle;
  }

  /**
   * Makes a syncobj.
   *
   * @param options `signaled`: whether it begins with a fence that has signaled. Default false: with none.
   * @throws {DmaBufError} `EOPNOTSUPP` if the driver has no syncobjs; `EBADF` if the device is closed.
   */
  static create(device: DrmDevice, options: { readonly signaled?: boolean } = {}): DrmSyncobj {
    check("DrmSyncobj.create()", "device", device, DRM_DEVICE);
    checkOptions("DrmSyncobj.create()", options, CREATE);
    const flags = options.signaled ? SYNCOBJ_FLAG.SIGNALED : 0;
    return new DrmSyncobj(
      device,
      requestOf(device, SYNCOBJ.CREATE, { flags }, "Cannot make a syncobj", REASONS).handle,
    );
  }

  /** The syncobj of a descriptor, which stays the caller's. @throws {DmaBufError} `EINVAL` if it is none. */
  static import(device: DrmDevice, syncobj: Descriptor): DrmSyncobj {
    check("DrmSyncobj.import()", "device", device, DRM_DEVICE);
    check("DrmSyncobj.import()", "syncobj", syncobj, DESCRIPTOR);
    const reasons = { ...REASONS, EINVAL: "the descriptor is no syncobj" };
    const action = "Cannot import the syncobj";
    return new DrmSyncobj(device, requestOf(device, SYNCOBJ.FD_TO_HANDLE, { fd: syncobj.fd }, action, reasons).handle);
  }

  /**
   * Blocks this thread until a fence of the entries has signaled, or all of them with `all`.
   *
   * @returns The lowest index that is done.
   * @throws {DmaBufError} `EINVAL` for what has no fence, unless `forSubmit` or `available`; `ENOENT` if one is closed.
   */
  static waitSync(
    entries: readonly (DrmSyncobj | DrmSyncobjPoint)[],
    options: DrmSyncobjWaitOptions = {},
  ): WaitAnyResult {
    const named = entriesOf("DrmSyncobj.waitSync()", "entries", entries);
    checkOptions("DrmSyncobj.waitSync()", options, WAIT_SYNC);
    const { timeout = Infinity, all = false, forSubmit = false, available = false } = options;
    const flags =
      (all ? SYNCOBJ_WAIT.ALL : 0) |
      (forSubmit ? SYNCOBJ_WAIT.FOR_SUBMIT : 0) |
      (available ? SYNCOBJ_WAIT.AVAILABLE : 0);
    const { device, handles, points } = lists(named);
    const end = process.hrtime.bigint() + BigInt(timeout === Infinity ? 0 : Math.ceil(timeout * 1e6));
    for (;;) {
      const now = process.hrtime.bigint();
      const slice = now + BigInt(SLICE * 1e6);
      const timeoutNs = timeout === Infinity || slice < end ? slice : end;
      const given = { handles: addressOf(handles), points: addressOf(points), timeoutNs, count: handles.length, flags };
      try {
        const action = "Cannot wait for the syncobjs";
        const { firstSignaled } = requestOf(device, SYNCOBJ.TIMELINE_WAIT, given, action, REASONS);
        return { state: "signaled", index: firstSignaled | 0 };
      } catch (error) {
        if (!(error instanceof DmaBufError) || error.code !== "ETIME") throw error;
      }
      if (timeoutNs === end && timeout !== Infinity) return { state: "timed-out" };
    }
  }

  /** Takes the fences away: of all, or of none if one is closed (`ENOENT`). */
  static reset(syncobjs: readonly DrmSyncobj[]): void {
    const { device, handles } = lists(entriesOf("DrmSyncobj.reset()", "syncobjs", syncobjs, DRM_SYNCOBJ));
    const given = { handles: addressOf(handles), count: handles.length };
    requestOf(device, SYNCOBJ.RESET, given, "Cannot reset the syncobjs", REASONS);
  }

  /** Puts a signaled fence in each: in all, or in none if one is closed (`ENOENT`). */
  static signal(syncobjs: readonly DrmSyncobj[]): void {
    const { device, handles } = lists(entriesOf("DrmSyncobj.signal()", "syncobjs", syncobjs, DRM_SYNCOBJ));
    const given = { handles: addressOf(handles), count: handles.length };
    requestOf(device, SYNCOBJ.SIGNAL, given, "Cannot signal the syncobjs", REASONS);
  }

  /** Adds a signaled point on top of each: on all, or on none if one is closed (`ENOENT`). */
  static signalPoints(entries: readonly (DrmSyncobj | DrmSyncobjPoint)[]): void {
    const { device, handles, points } = lists(entriesOf("DrmSyncobj.signalPoints()", "entries", entries));
    const given = { handles: addressOf(handles), points: addressOf(points), count: handles.length };
    requestOf(device, SYNCOBJ.TIMELINE_SIGNAL, given, "Cannot signal points of the syncobjs", REASONS);
  }

  /** How far each timeline has come; with `lastSubmitted`, up to where points were added. */
  static query(syncobjs: readonly DrmSyncobj[], options: { readonly lastSubmitted?: boolean } = {}): bigint[] {
    const named = entriesOf("DrmSyncobj.query()", "syncobjs", syncobjs, DRM_SYNCOBJ);
    checkOptions("DrmSyncobj.query()", options, QUERY);
    const { device, handles, points } = lists(named);
    const flags = options.lastSubmitted === true ? SYNCOBJ_FLAG.LAST_SUBMITTED : 0;
    const given = { handles: addressOf(handles), points: addressOf(points), count: handles.length, flags };
    requestOf(device, SYNCOBJ.QUERY, given, "Cannot query the syncobjs", REASONS);
    return [...points];
  }

  /**
   * Copies what is at a point, or a whole fence at 0, to a point of another syncobj or in the place of what is there.
   *
   * @throws {DmaBufError} `EINVAL` if the source has no such point; `ENOENT` if one is closed.
   */
  static transfer(from: DrmSyncobj | DrmSyncobjPoint, to: DrmSyncobj | DrmSyncobjPoint): void {
    const [source, target] = [
      entryOf("DrmSyncobj.transfer()", "from", from),
      entryOf("DrmSyncobj.transfer()", "to", to),
    ];
    const { device } = source.syncobj;
    const given = {
      source: source.syncobj.handle,
      target: target.syncobj.handle,
      sourcePoint: source.point,
      targetPoint: target.point,
    };
    requestOf(device, SYNCOBJ.TRANSFER, given, "Cannot transfer the fence", REASONS);
  }

  /** A number that means something to this device alone; 0, which names none, after the close. */
  get handle(): number {
    return this.#handle;
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#handle === 0;
  }

  /** The syncobj as a descriptor, to send to another process and import there. */
  export(): Descriptor {
    const given = { handle: this.handle, fd: -1 };
    const { fd } = requestOf(this.device, SYNCOBJ.HANDLE_TO_FD, given, "Cannot export the syncobj");
    return descriptorFrom(fd, "the syncobj");
  }

  /** The fence of now. @throws {DmaBufError} `EINVAL` if there is none; `ENOENT` after the close. */
  exportSyncFile(): SyncFileDescriptor {
    const given = { handle: this.handle, flags: SYNCOBJ_FLAG.SYNC_FILE, fd: -1 };
    const reasons = { ...REASONS, EINVAL: "the syncobj has no fence" };
    const action = "Cannot export the fence of the syncobj";
    return syncFileFrom(requestOf(this.device, SYNCOBJ.HANDLE_TO_FD, given, action, reasons).fd);
  }

  /** Puts the fence of a sync_file in the place of what was there. */
  importSyncFile(file: SyncFileDescriptor): void {
    check("DrmSyncobj.importSyncFile()", "file", file, SYNC_FILE_DESCRIPTOR);
    const given = { handle: this.handle, flags: SYNCOBJ_FLAG.SYNC_FILE, fd: file.fd };
    requestOf(this.device, SYNCOBJ.FD_TO_HANDLE, given, "Cannot put the fence in the syncobj", REASONS);
  }

  /** Takes the fence away. @throws {DmaBufError} `ENOENT` after the close. */
  reset(): void {
    DrmSyncobj.reset([this]);
  }

  /** Puts a signaled fence in the place of what was there. @throws {DmaBufError} `ENOENT` after the close. */
  signal(): void {
    DrmSyncobj.signal([this]);
  }

  /** Adds a signaled point to the timeline. @throws {DmaBufError} `ENOENT` after the close. */
  signalPoint(point: number | bigint): void {
    check("DrmSyncobj.signalPoint()", "point", point, U64);
    DrmSyncobj.signalPoints([{ syncobj: this, point }]);
  }

  /**
   * How far the timeline has come.
   *
   * @param options `lastSubmitted`: up to where points were added, instead. Default false.
   * @throws {DmaBufError} `ENOENT` after the close.
   */
  query(options: { readonly lastSubmitted?: boolean } = {}): bigint {
    return DrmSyncobj.query([this], options)[0]!;
  }

  /** As {@link DrmSyncobj.waitSync} for one point. */
  waitSync(options: DrmSyncobjWaitOptions & { readonly point?: number | bigint } = {}): WaitAnyResult {
    checkOptions("DrmSyncobj.waitSync()", options, WAIT_ONE_SYNC);
    return DrmSyncobj.waitSync([{ syncobj: this, point: options.point ?? 0 }], options);
  }

  /**
   * Waits until a point has signaled together with all below it, or with `available` until it has a fence. It may not
   * exist yet.
   *
   * @param options `point` (default 0, the fence of now), `available`, `timeout` in milliseconds and `signal`.
   * @throws {DmaBufError} `ENOTTY` before Linux 6.6, as {@link onPoint}; the signal's reason if it aborts.
   */
  async wait(
    options: WaitOptions & { readonly point?: number | bigint; readonly available?: boolean } = {},
  ): Promise<WaitResult> {
    checkOptions("DrmSyncobj.wait()", options, WAIT_ONE);
    const { point = 0, available = false } = options;
    using event = this.onPoint(point, { available });
    return waitResult(await waitForDescriptor(event.fd, "input", options));
  }

  /**
   * A descriptor that becomes readable when a point has signaled, or with `available` as soon as it has a fence.
   *
   * @throws {DmaBufError} `ENOTTY` before Linux 6.6; `ENOENT` after the close.
   */
  onPoint(point: number | bigint, options: { readonly available?: boolean } = {}): SyncobjEvent {
    check("DrmSyncobj.onPoint()", "point", point, U64);
    checkOptions("DrmSyncobj.onPoint()", options, ON_POINT);
    const { available = false } = options;
    return allOrNothing((orUndo) => {
      const event = makeEvent(createEventCounter());
      orUndo(() => event.close());
      const given = { handle: this.handle, flags: available ? SYNCOBJ_WAIT.AVAILABLE : 0, point, fd: event.fd };
      requestOf(this.device, SYNCOBJ.EVENTFD, given, "Cannot watch the syncobj", REASONS);
      return event;
    });
  }

  /** Lets the handle go; descriptors and waits that are under way live on. Twice does nothing. */
  close(): void {
    const handle = this.#handle;
    this.#handle = 0;
    if (handle === 0 || this.device.isClosed) return;
    giveBack(() => requestOf(this.device, SYNCOBJ.DESTROY, { handle }, "Cannot close the syncobj"));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

let makeEvent: (fd: number) => SyncobjEvent;

/**
 * Tells of one point of a syncobj, once: its descriptor becomes readable. {@link DrmSyncobj.onPoint} makes it.
 *
 * @example
 * ```ts device
 * import { DrmDevice, DrmSyncobj } from "dmabuf/linux";
 *
 * using card = DrmDevice.open("/dev/dri/renderD128");
 * using syncobj = DrmSyncobj.create(card);
 * using event = syncobj.onPoint(1);
 * syncobj.signalPoint(1);
 * console.log(event.isReady()); // true
 * ```
 */
export class SyncobjEvent extends Descriptor {
  static {
    makeEvent = (fd) => new SyncobjEvent(fd);
  }

  private constructor(fd: number) {
    super(fd, "the event of a syncobj");
  }

  /** Whether the point has signaled, or with `available` has a fence. */
  isReady(): boolean {
    return isDescriptorReady(this.fd, "input");
  }
}

const DRM_SYNCOBJ = instance(DrmSyncobj);

const ENTRY: Kind = {
  wanted: "a DrmSyncobj, or an object with a syncobj and a point",
  isKind: (value) => typeof value === "object" && value !== null && (value instanceof DrmSyncobj || "syncobj" in value),
};

function entryOf(call: string, argument: string, entry: DrmSyncobj | DrmSyncobjPoint): DrmSyncobjPoint {
  check(call, argument, entry, ENTRY);
  if (entry instanceof DrmSyncobj) return { syncobj: entry, point: 0 };
  check(call, `${argument}.syncobj`, entry.syncobj, DRM_SYNCOBJ);
  check(call, `${argument}.point`, entry.point, U64);
  return entry;
}

function entriesOf(
  call: string,
  argument: string,
  list: readonly (DrmSyncobj | DrmSyncobjPoint)[],
  kind = ENTRY,
): DrmSyncobjPoint[] {
  return checkList(call, argument, list, kind).map((entry, i) => entryOf(call, `${argument}[${i}]`, entry));
}

/** @throws {DmaBufError} `EINVAL` for no entries: they would name no device. */
function lists(all: readonly DrmSyncobjPoint[]): {
  device: DrmDevice;
  handles: Uint32Array<ArrayBuffer>;
  points: BigUint64Array<ArrayBuffer>;
} {
  const device = all[0]?.syncobj.device;
  if (device === undefined) throw new DmaBufError("EINVAL", "Cannot use syncobjs: there are none");
  const handles = new Uint32Array(new ArrayBuffer(all.length * 4));
  const points = new BigUint64Array(new ArrayBuffer(all.length * 8));
  all.forEach(({ syncobj, point }, index) => {
    if (syncobj.device !== device) throw new DmaBufError("ENOENT", "Cannot use syncobjs of several devices at once");
    handles[index] = syncobj.handle;
    points[index] = BigInt(point);
  });
  return { device, handles, points };
}
