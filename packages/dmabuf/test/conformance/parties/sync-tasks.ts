/** What another agent can be asked to do with sync files and software timelines. */
import {
  SyncFile,
  type BufferHandleData,
  type SoftwareTimelineHandle,
  type SyncFileHandle,
  type SyncFileInfo,
  type WaitResult,
} from "../../../src/index.js";
import type { Scene } from "./scene.js";

export function infoOf({ domain }: Scene, file: SyncFileHandle): SyncFileInfo {
  return domain.import(file).info();
}

export function mergeFiles({ domain }: Scene, name: string, a: SyncFileHandle, b: SyncFileHandle): SyncFileHandle {
  return SyncFile.merge(name, domain.import(a), domain.import(b)).handle();
}

export async function poll({ domain, begun }: Scene, file: SyncFileHandle): Promise<WaitResult> {
  const waiting = domain.import(file).wait();
  begun();
  return waiting;
}

export function pollSync({ domain, begun }: Scene, file: SyncFileHandle): WaitResult {
  begun();
  return domain.import(file).waitSync();
}

export async function advance(
  { domain }: Scene,
  handle: SoftwareTimelineHandle,
  amount: number,
  afterMs = 0,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  domain.import(handle).advance(amount);
}

/** Advances a timeline by steps of 1, as fast as it can; returns how often that went well. */
export function advanceOften({ domain, begun }: Scene, handle: SoftwareTimelineHandle, steps: number): number {
  using timeline = domain.import(handle);
  begun();
  for (let step = 0; step < steps; step++) timeline.advance();
  return steps;
}

export interface Turns {
  /** The timeline whose points are awaited, and the one that tells that the counter was looked at. */
  readonly points: SoftwareTimelineHandle;
  readonly looked: SoftwareTimelineHandle;
  /** Its first word is the counter. */
  readonly counter: BufferHandleData;
  readonly first: number;
  readonly step: number;
  readonly last: number;
}

/** Waits for every `step`-th point; returns how often the counter was not the point's value. */
export function takeTurns({ domain, begun }: Scene, turns: Turns): number {
  using points = domain.import(turns.points);
  using looked = domain.import(turns.looked);
  using buffer = domain.import(turns.counter);
  const counter = new Int32Array(buffer.segments[0]!.memory, 0, 1);
  let wrong = 0;
  begun();
  for (let value = turns.first; value <= turns.last; value += turns.step) {
    using file = domain.createSyncFile(points.createFence(value));
    if (file.waitSync({ timeout: 60_000 }) !== "signaled" || counter[0] !== value) wrong++;
    looked.advance();
  }
  return wrong;
}
