/** What another agent can be asked to do with syncobjs that were sent to it. */
import {
  Syncobj,
  type SyncobjHandleData,
  type SyncFileHandle,
  type SyncobjWaitOptions,
  type WaitAnyResult,
} from "../../../src/index.js";
import type { Scene } from "./scene.js";
import { pendingFence } from "../syncobjs.js";

export interface SentPoint {
  readonly syncobj: SyncobjHandleData;
  readonly point: number;
}

type SentWait = Pick<SyncobjWaitOptions, "all" | "forSubmit" | "available" | "timeout">;

/** Submits a pending fence of its own, which `signal` signals by its name. */
export function submit({ domain, fences }: Scene, { syncobj: handle, point }: SentPoint, name: string): void {
  using syncobj = domain.import(handle);
  const fence = pendingFence(domain);
  fences.set(name, fence);
  if (point === 0) syncobj.replaceFence(fence);
  else syncobj.addPoint(point, fence);
}

export async function signalSyncobjs({ domain }: Scene, handles: SyncobjHandleData[], afterMs = 0): Promise<void> {
  await pause(afterMs);
  Syncobj.signal(handles.map((handle) => domain.import(handle)));
}

export async function signalPoints({ domain }: Scene, points: SentPoint[], afterMs = 0): Promise<void> {
  await pause(afterMs);
  Syncobj.signalPoints(points.map((each) => opened(domain, each)));
}

export function resetSyncobjs({ domain }: Scene, handles: SyncobjHandleData[]): void {
  Syncobj.reset(handles.map((handle) => domain.import(handle)));
}

export function querySyncobj({ domain }: Scene, handle: SyncobjHandleData): [signaled: number, submitted: number] {
  using syncobj = domain.import(handle);
  return [syncobj.query(), syncobj.query({ lastSubmitted: true })];
}

export async function waitForPoints(
  { domain, begun }: Scene,
  points: SentPoint[],
  options: SentWait = {},
): Promise<WaitAnyResult> {
  const waiting = Syncobj.wait(
    points.map((each) => opened(domain, each)),
    options,
  );
  begun();
  return waiting;
}

export function waitForPointsSync(
  { domain, begun }: Scene,
  points: SentPoint[],
  options: SentWait = {},
): WaitAnyResult {
  const entries = points.map((each) => opened(domain, each));
  begun();
  return Syncobj.waitSync(entries, options);
}

/** Registers events for a point; tells which of them came, in their order, once the point has signaled. */
export async function pointEvents({ domain, begun }: Scene, { syncobj: handle, point }: SentPoint): Promise<string[]> {
  using syncobj = domain.import(handle);
  const runs: string[] = [];
  await new Promise<void>((resolve) => {
    syncobj.onPoint(point, () => runs.push("available"), { available: true });
    syncobj.onPoint(point, () => {
      runs.push("signaled");
      resolve();
    });
    begun();
  });
  return runs;
}

export function transferPoint({ domain }: Scene, from: SentPoint, to: SentPoint): void {
  Syncobj.transfer(opened(domain, from), opened(domain, to));
}

export async function transferWhenSubmitted({ domain, begun }: Scene, from: SentPoint, to: SentPoint): Promise<void> {
  const transfer = Syncobj.transferWhenSubmitted(opened(domain, from), opened(domain, to));
  begun();
  return transfer;
}

export function exportPoint({ domain }: Scene, { syncobj: handle, point }: SentPoint): SyncFileHandle {
  using syncobj = domain.import(handle);
  return syncobj.exportSyncFile(point).handle();
}

export function importPoint({ domain }: Scene, { syncobj: handle, point }: SentPoint, file: SyncFileHandle): void {
  using syncobj = domain.import(handle);
  syncobj.importSyncFile(domain.import(file), point);
}

/**
 * Adds points one after the other, each a fence that signals when the next but three is added, and looks after each.
 *
 * @returns How often the timeline seemed to go back, or lacked its last point.
 */
export function addOften({ domain, begun }: Scene, handle: SyncobjHandleData, points: number[]): number {
  using syncobj = domain.import(handle);
  using line = domain.createTimeline();
  const pending = [];
  let [wrong, last] = [0, 0];
  begun();
  for (const point of points) {
    const fence = line.createFence();
    syncobj.addPoint(point, fence);
    pending.push(fence);
    if (pending.length > 3) pending.shift()!.signal();
    const submitted = syncobj.query({ lastSubmitted: true });
    if (submitted < point || submitted < last) wrong++;
    last = submitted;
  }
  for (const fence of pending) fence.signal();
  return wrong;
}

function opened(domain: Scene["domain"], { syncobj, point }: SentPoint): { syncobj: Syncobj; point: number } {
  return { syncobj: domain.import(syncobj), point };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
