import type { Feature } from "../domain/feature.js";
import { FENCE_RECOVERY } from "../domain/fence-slot.js";
import { LOCK_RECOVERY } from "../reservation/lock.js";
import { PendingWork } from "../reservation/pending-work.js";
import { BUFFER_WORK } from "./plain-buffers.js";

/** Fences that other agents have put on buffers: they are read and waited for, and none is made. */
export const READ_FENCES: Feature = {
  name: "fences",
  shares: ["fences"],
  steps: [...FENCE_RECOVERY, LOCK_RECOVERY],
  install(core) {
    core.provide(BUFFER_WORK, (bufferSlot) => new PendingWork(core.agent, bufferSlot));
    return {};
  },
};
