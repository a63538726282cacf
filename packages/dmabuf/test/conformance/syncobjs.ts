/** Syncobjs for the cases. */
import type { Fence, JoinedDomain, Syncobj } from "../../src/index.js";

/** A fence of its agent alone. */
export function pendingFence(domain: JoinedDomain): Fence {
  return domain.createFence({ driverName: "driver", timelineName: "line" });
}

export function signaledFence(domain: JoinedDomain): Fence {
  const fence = pendingFence(domain);
  fence.signal();
  return fence;
}

export function closedSyncobj(domain: JoinedDomain): Syncobj {
  const syncobj = domain.createSyncobj();
  syncobj.close();
  return syncobj;
}

/** Whether a wait ends at once. */
export function isDone(syncobj: Syncobj, point = 0): boolean {
  return syncobj.waitSync({ point, timeout: 0 }).state === "signaled";
}

/** Whether the point is not submitted yet. */
export function isMissing(syncobj: Syncobj, point = 0): boolean {
  return syncobj.waitSync({ point, timeout: 0, forSubmit: true, available: true }).state === "timed-out";
}

export interface Counter {
  readonly run: () => void;
  readonly runs: number;
}

export function counter(): Counter {
  const count = { runs: 0, run: () => void count.runs++ };
  return count;
}
