import type { Feature } from "../domain/feature.js";
import { FENCE_RECOVERY } from "../domain/fence-slot.js";
import type { FenceHandle } from "../fence/fence-handle.js";
import { readFence } from "../fence/key-fence.js";
import { LOCK_RECOVERY } from "../reservation/lock.js";
import { PendingWork } from "../reservation/pending-work.js";
import { BUFFER_WORK } from "./plain-buffers.js";

/** Fences of other agents, sent or on buffers: they are read and waited for, and none is made. */
export const READ_FENCES: Feature = {
  name: "fences",
  shares: ["fences"],
  steps: [...FENCE_RECOVERY, LOCK_RECOVERY],
  install(core) {
    core.provide(BUFFER_WORK, (bufferSlot) => new PendingWork(core.agent, bufferSlot));
    core.opens("fence", (handle: FenceHandle) => readFence(core.agent, handle));
    return {};
  },
};
