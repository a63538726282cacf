import { sweepAttachments } from "../domain/attachment-count.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { sweepRequests } from "../domain/request-slot.js";
import { sweepPins } from "../domain/storage-slot.js";
import { releaseLocks } from "../reservation/lock.js";
import { releaseWriteHolds, sweepReadHolds } from "./hold.js";

/** What the layers from the domain's own up to the buffers give back after a death. */
export const BUFFER_RECOVERY: readonly RecoveryStep[] = [
  { release: releaseLocks, sweep: () => {} },
  { release: releaseWriteHolds, sweep: sweepReadHolds },
  { release: () => {}, sweep: sweepAttachments },
  { release: () => {}, sweep: sweepPins },
  { release: () => {}, sweep: sweepRequests },
];
