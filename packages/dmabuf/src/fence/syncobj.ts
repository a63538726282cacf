import { check, checkList, checkOptions, FLAG, instance, integer, type Kinds } from "../arguments.js";
import { checkOwn, type Agent } from "../domain/agent.js";
import { take, takeSync, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { FenceChain } from "./fence-chain.js";
import { fenceAgent, FENCE, type Fence, type FenceCallback } from "./fence.js";
import { stubFence } from "./stub.js";
import { makeSyncFile, SYNC_FILE, type SyncFile } from "./sync-file.js";
import { PointEvent } from "./syncobj-event.js";
import type { SyncobjHandle, SyncobjHandleData } from "./syncobj-handle.js";
import { SyncobjState } from "./syncobj-state.js";
import type { SyncobjTable } from "./syncobj-table.js";
import {
  submittedFence,
  SYNCOBJ_WAIT,
  waitForPoints,
  waitForPointsSync,
  type AwaitedEntry,
  type SyncobjWaitOptions,
  type SyncobjWaitSyncOptions,
} from "./syncobj-wait.js";
import { mergeFences } from "./unwrap.js";
import { noUserFence } from "./user-fence.js";
import type { WaitAnyResult } from "./wait-many.js";

/** Options of {@link Domain.createSyncobj}. */
export interface SyncobjOptions {
  /** Begins with a signaled fence, instead of none. Default false. */
  readonly signaled?: boolean;
}

/** A point of a syncobj. Point 0, the default, is its current fence as it is. */
export interface SyncobjPoint {
  /** The syncobj that the point is of. */
  readonly syncobj: Syncobj;
  /** From 0 to 2^53 - 1. */
  readonly point?: number;
}

const OPTIONS: Kinds<SyncobjOptions> = { signaled: FLAG };
const QUERY: Kinds<{ readonly lastSubmitted?: boolean }> = { lastSubmitted: FLAG };
const ON_POINT: Kinds<{ readonly available?: boolean }> = { available: FLAG };
const POINT = integer(0);
const WAIT_ONE = { ...SYNCOBJ_WAIT, point: POINT };

/** Milliseconds that a transfer waits for a submission by default, as in the kernel. */
const TRANSFER_TIMEOUT = 5000;

/** What all holders in this agent share. @throws {DmaBufError} `ENOENT` after the close, as all of a syncobj's methods. */
let stateOf: (syncobj: Syncobj) => SyncobjState;

/** A holder. @param state What it has in common with other holders. */
let makeSyncobj: (table: SyncobjTable, state: SyncobjState) => Syncobj;

export function createSyncobj(table: SyncobjTable, options: SyncobjOptions = {}): Syncobj {
  checkOptions("Domain.createSyncobj()", options, OPTIONS);
  const syncobj = makeSyncobj(table, new SyncobjState(table.agent));
  if (options.signaled) syncobj.signal();
  return syncobj;
}

/**
 * The syncobj that was sent.
 *
 * @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` if the handle is of another domain or damaged.
 */
export function openSyncobj(table: SyncobjTable, handle: SyncobjHandleData): Syncobj {
  return makeSyncobj(table, table.open(handle));
}

/**
 * A place for a fence that programs pass around before the fence exists: used as a binary object, whose fence is
 * replaced, or as a timeline, on which points are added. {@link Domain.createSyncobj} makes it.
 *
 * It begins in the agent that made it alone, with room for any number of points. With its first handle it becomes common to
 * all agents that open one, has room for 64 pending fences, and belongs to no agent: it lives until the last holder
 * anywhere is closed or dead. Fences that only this agent knew are published then, with a time limit.
 *
 * syncobj.1. A call that names several syncobjs looks at all of them first, and changes none if one is closed.
 * syncobj.2. A point on top of others also waits for all of them, and for a plain fence below.
 * syncobj.3. A new fence or point wakes the agents that wait for it; taking the fence away wakes none. An agent sees what
 *     is stored when it looks: a fence that another agent stores and takes away again at once, it may never see.
 *
 * A change of a common one throws `ENOSPC` if it has no room, and `EBUSY` if another agent has stopped in the middle of a
 * change for a second; nothing has changed then.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using timeline = domain.createTimeline();
 * using syncobj = domain.createSyncobj();
 * const waiting = syncobj.wait({ point: 1, forSubmit: true });
 * syncobj.addPoint(1, timeline.createFence());
 * timeline.signal(1);
 * console.log((await waiting).state, syncobj.query()); // signaled 1
 * ```
 *
 * @see linux/drivers/gpu/drm/drm_syncobj.c
 */
export class Syncobj implements Disposable {
  static {
    stateOf = (syncobj) => syncobj.#open();
    makeSyncobj = (table, state) => new Syncobj(table, state);
  }

  readonly #table: SyncobjTable;
  #state: SyncobjState | undefined;

  private constructor(table: SyncobjTable, state: SyncobjState) {
    this.#table = table;
    this.#state = state;
    state.open();
  }

  /**
   * Waits for any entry of a list, or for all.
   *
   * @param entries Of none, all are done: the index is -1 then.
   * @returns The lowest entry that is done; with `all`, the lowest that was done when the call began, -1 for none.
   * @throws {DmaBufError} `EINVAL` if a point does not exist and the wait is not for submission; `ENOENT` for a closed
   *   syncobj; the signal's reason if it aborts.
   */
  static async wait(
    entries: readonly (Syncobj | SyncobjPoint)[],
    options: SyncobjWaitOptions = {},
  ): Promise<WaitAnyResult> {
    const call = "Syncobj.wait()";
    const awaited = entriesOf(call, "entries", entries);
    checkOptions(call, options, SYNCOBJ_WAIT);
    return waitForPoints(awaited, options);
  }

  /** As {@link Syncobj.wait}, blocking this thread. @throws {DmaBufError} `EDEADLK` if only this thread could end it. */
  static waitSync(entries: readonly (Syncobj | SyncobjPoint)[], options: SyncobjWaitSyncOptions = {}): WaitAnyResult {
    const call = "Syncobj.waitSync()";
    const awaited = entriesOf(call, "entries", entries);
    checkOptions(call, options as SyncobjWaitOptions, SYNCOBJ_WAIT);
    return waitForPointsSync(awaited, options);
  }

  /** Takes the fences away. @throws {DmaBufError} `EINVAL` for an empty list; `ENOENT` for a closed syncobj. */
  static reset(syncobjs: readonly Syncobj[]): void {
    for (const { state } of listed("Syncobj.reset()", syncobjs)) state.replace(undefined);
  }

  /** Puts a signaled fence in each. Errors as {@link Syncobj.reset}. */
  static signal(syncobjs: readonly Syncobj[]): void {
    for (const { state } of listed("Syncobj.signal()", syncobjs)) {
      state.replace(stubFence(state.agent, state.agent.host.nowNs()));
    }
  }

  /** Adds a signaled point on top of each; one may be named twice. Errors as {@link Syncobj.reset}. */
  static signalPoints(points: readonly (Syncobj | SyncobjPoint)[]): void {
    for (const { state, point } of listed("Syncobj.signalPoints()", points, ENTRY)) {
      state.addPoint(point, stubFence(state.agent));
    }
  }

  /** How far each timeline has come, see {@link Syncobj.query}. Errors as {@link Syncobj.reset}. */
  static query(syncobjs: readonly Syncobj[], options: { readonly lastSubmitted?: boolean } = {}): number[] {
    checkOptions("Syncobj.query()", options, QUERY);
    return listed("Syncobj.query()", syncobjs).map(({ state }) => state.query(options.lastSubmitted ?? false));
  }

  /**
   * Makes the fence of one point that of another: merged, as a point on top of others; or for point 0 in the place of
   * what was there, as it is.
   *
   * @throws {DmaBufError} `EINVAL` if the source has no such point; `ENOENT` for a closed syncobj.
   */
  static transfer(from: Syncobj | SyncobjPoint, to: Syncobj | SyncobjPoint): void {
    const [source, target] = ends("Syncobj.transfer()", from, to);
    const fence = source.state.find(source.point);
    if (fence === undefined) throw missing("transfer", source.point);
    put(target, fence, mergeFences);
  }

  /**
   * As {@link Syncobj.transfer}, but waits until an agent submits the source point.
   *
   * @param options `timeout` in milliseconds; default 5,000.
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `ENOENT` for a closed syncobj, or if the source can get no
   *   points any more.
   */
  static async transferWhenSubmitted(
    from: Syncobj | SyncobjPoint,
    to: Syncobj | SyncobjPoint,
    options: WaitOptions = {},
  ): Promise<void> {
    const [source, target] = ends("Syncobj.transferWhenSubmitted()", from, to);
    checkWait("Syncobj.transferWhenSubmitted()", options);
    return take(source.state.agent, transferring(source, target), { timeout: TRANSFER_TIMEOUT, ...options });
  }

  /**
   * As {@link Syncobj.transferWhenSubmitted}, blocking this thread.
   *
   * @throws {DmaBufError} As there; `EOPNOTSUPP` where blocking is forbidden; `EDEADLK` without a limit if only this thread
   *   could submit the point.
   */
  static transferWhenSubmittedSync(
    from: Syncobj | SyncobjPoint,
    to: Syncobj | SyncobjPoint,
    options: { readonly timeout?: number } = {},
  ): void {
    const [source, target] = ends("Syncobj.transferWhenSubmittedSync()", from, to);
    checkWaitSync("Syncobj.transferWhenSubmittedSync()", options);
    takeSync(source.state.agent, transferring(source, target), options.timeout ?? TRANSFER_TIMEOUT);
  }

  /** The current fence; a timeline's is a {@link FenceChain}. */
  get fence(): Fence | undefined {
    return this.#open().fence;
  }

  /** Whether this holder was closed. */
  get isClosed(): boolean {
    return this.#state === undefined;
  }

  /** Another holder of the same object, which lives until the last of them is closed. */
  duplicate(): Syncobj {
    return makeSyncobj(this.#table, this.#open());
  }

  /**
   * A handle to send to another agent, which can then do with the syncobj whatever this one can.
   *
   * @throws {DmaBufError} `ENOSPC` if the domain has no place for it, or if more fences are pending in it than fit;
   *   `EAGAIN` if too many of its handles are in flight; `EBADF` if this agent has left the domain.
   */
  handle(): SyncobjHandle {
    return this.#table.createHandle(this.#open());
  }

  /** Puts a fence in the place of what was there, or takes it away. */
  replaceFence(fence: Fence | undefined): void {
    if (fence !== undefined) this.#checkFence("Syncobj.replaceFence()", fence);
    this.#open().replace(fence);
  }

  /** Takes the fence away. */
  reset(): void {
    Syncobj.reset([this]);
  }

  /** Puts a signaled fence in the place of what was there; its time is now. */
  signal(): void {
    Syncobj.signal([this]);
  }

  /**
   * Adds a fence as a point of the timeline. One that is not above the last is added too, and makes waiting coarser: see
   * {@link FenceChain}.
   *
   * @param point From 0 to 2^53 - 1.
   */
  addPoint(point: number, fence: Fence): void {
    check("Syncobj.addPoint()", "point", point, POINT);
    this.#checkFence("Syncobj.addPoint()", fence);
    this.#open().addPoint(point, fence);
  }

  /** Adds a signaled point; what is below still has to signal. */
  signalPoint(point: number): void {
    check("Syncobj.signalPoint()", "point", point, POINT);
    Syncobj.signalPoints([{ syncobj: this, point }]);
  }

  /**
   * The last point that has signaled with all before it; with `lastSubmitted`, the last point there is. 0 if the fence is
   * no timeline's.
   */
  query(options: { readonly lastSubmitted?: boolean } = {}): number {
    return Syncobj.query([this], options)[0]!;
  }

  /** As {@link Syncobj.wait} for one point. */
  async wait(options: SyncobjWaitOptions & { readonly point?: number } = {}): Promise<WaitAnyResult> {
    checkOptions("Syncobj.wait()", options, WAIT_ONE);
    return Syncobj.wait([{ syncobj: this, point: options.point ?? 0 }], options);
  }

  /** As {@link Syncobj.waitSync} for one point. */
  waitSync(options: SyncobjWaitSyncOptions & { readonly point?: number } = {}): WaitAnyResult {
    checkOptions("Syncobj.waitSync()", options as SyncobjWaitOptions & { readonly point?: number }, WAIT_ONE);
    return Syncobj.waitSync([{ syncobj: this, point: options.point ?? 0 }], options);
  }

  /**
   * The fence of a point as a sync file. What becomes of the syncobj afterwards does not change it.
   *
   * @throws {DmaBufError} `EINVAL` if there is no such point.
   */
  exportSyncFile(point = 0): SyncFile {
    check("Syncobj.exportSyncFile()", "point", point, POINT);
    const fence = this.#open().find(point);
    if (fence === undefined) throw missing("export", point);
    return makeSyncFile(fence);
  }

  /** Puts the fence of a sync file in the place of what was there, or adds it as a point. */
  importSyncFile(file: SyncFile, point = 0): void {
    check("Syncobj.importSyncFile()", "file", file, SYNC_FILE);
    check("Syncobj.importSyncFile()", "point", point, POINT);
    const { fence } = file;
    this.#checkFence("Syncobj.importSyncFile()", fence);
    // A link of a chain holds no chain.
    put({ state: this.#open(), point }, fence, (agent, plain) =>
      fence instanceof FenceChain ? mergeFences(agent, plain) : fence,
    );
  }

  /**
   * Calls back once: when the point has signaled with everything below it, or with `available` as soon as it exists. If
   * that is so already, it does so in this call. A point that does not exist is waited for over resets; once it exists,
   * its fence alone counts. The close of the last holder ends the waiting for a point in silence.
   *
   * @throws {DmaBufError} `EINVAL` if `run` is no function.
   */
  onPoint(point: number, run: () => void, options: { readonly available?: boolean } = {}): FenceCallback {
    check("Syncobj.onPoint()", "point", point, POINT);
    checkOptions("Syncobj.onPoint()", options, ON_POINT);
    return new PointEvent(this.#open(), point, run, options.available ?? false);
  }

  /**
   * Drops this holder. Waits that are under way go on; but those for points that were not submitted end with `ENOENT` if it was
   * the last holder of a syncobj that no other agent knows.
   */
  close(): void {
    const state = this.#state;
    this.#state = undefined;
    state?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #checkFence(call: string, fence: Fence): void {
    check(call, "fence", fence, FENCE);
    if (fenceAgent(fence) !== this.#table.agent) throw new TypeError("The fence is of another agent: import it first");
  }

  #open(): SyncobjState {
    if (this.#state === undefined) throw new DmaBufError("ENOENT", "Cannot use the syncobj: this holder has closed it");
    return this.#state;
  }
}

/** What an argument `syncobj` must be. */
const SYNCOBJ = /* @__PURE__ */ noUserFence(instance(Syncobj));

const ENTRY = /* @__PURE__ */ noUserFence({
  wanted: "a Syncobj, or an object with a syncobj and a point",
  isKind: (value) => typeof value === "object" && value !== null && (value instanceof Syncobj || "syncobj" in value),
});

/** @throws {DmaBufError} `ENOENT` if the syncobj was closed. */
function entryOf(call: string, argument: string, named: Syncobj | SyncobjPoint): AwaitedEntry {
  check(call, argument, named, ENTRY);
  if (named instanceof Syncobj) return { state: stateOf(named), point: 0 };
  const { syncobj, point = 0 } = named;
  check(call, `${argument}.syncobj`, syncobj, SYNCOBJ);
  check(call, `${argument}.point`, point, POINT);
  return { state: stateOf(syncobj), point };
}

function ends(call: string, from: Syncobj | SyncobjPoint, to: Syncobj | SyncobjPoint): [AwaitedEntry, AwaitedEntry] {
  const [source, target] = [entryOf(call, "from", from), entryOf(call, "to", to)];
  checkOwn(call, "to", target.state.agent, source.state.agent);
  return [source, target];
}

function entriesOf(
  call: string,
  argument: string,
  list: readonly (Syncobj | SyncobjPoint)[],
  kind = ENTRY,
): AwaitedEntry[] {
  return checkList(call, argument, list, kind).map((named, i) => entryOf(call, `${argument}[${i}]`, named));
}

/** Looks at all of a list before anything is changed. */
function listed(call: string, list: readonly (Syncobj | SyncobjPoint)[], kind = SYNCOBJ): AwaitedEntry[] {
  const entries = entriesOf(call, kind === SYNCOBJ ? "syncobjs" : "points", list, kind);
  if (entries.length === 0) throw new DmaBufError("EINVAL", `${call}: the list is empty`);
  return entries;
}

/** Waits for the point of the source. */
function* transferring(source: AwaitedEntry, target: AwaitedEntry): Steps<void> {
  // The transfer is to the object that was named, also if its holder here is closed before it ends.
  target.state.hold();
  try {
    const fence = yield* submittedFence(source);
    if (fence === undefined) {
      throw new DmaBufError("ETIMEDOUT", `Cannot transfer point ${source.point}: no agent has submitted it in time`);
    }
    put(target, fence, mergeFences);
  } finally {
    target.state.release();
  }
}

/** Point 0 takes the fence as it is, in the place of what was there; another one is added, of what `merge` makes of it. */
function put({ state, point }: AwaitedEntry, fence: Fence, merge: (agent: Agent, fences: Fence[]) => Fence): void {
  if (point === 0) state.replace(fence);
  else state.addPoint(point, merge(state.agent, [fence]));
}

function missing(action: string, point: number): DmaBufError {
  return new DmaBufError("EINVAL", `Cannot ${action} point ${point}: no agent has submitted it`);
}
