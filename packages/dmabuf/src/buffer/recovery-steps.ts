import { ATTACHMENT_RECOVERY } from "../domain/attachment-count.js";
import { BUFFER_RECOVERY } from "../domain/buffer-slot.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { REQUEST_RECOVERY } from "../domain/request-slot.js";
import { PIN_RECOVERY } from "../domain/storage-slot.js";
import { LOCK_RECOVERY } from "../reservation/lock.js";
import { HOLD_RECOVERY } from "./hold.js";

/** What is given back of buffers after a death: of a slot its references last, for then it may be free. */
export const BUFFER_STEPS: readonly RecoveryStep[] = [
  LOCK_RECOVERY,
  HOLD_RECOVERY,
  ATTACHMENT_RECOVERY,
  PIN_RECOVERY,
  BUFFER_RECOVERY,
  REQUEST_RECOVERY,
];
