import type { RecoveryStep } from "../domain/recovery.js";
import { LOCK_RECOVERY } from "../reservation/lock.js";
import { COUNTER_RECOVERY } from "./agent-counter.js";
import { BUFFER_SLOTS } from "./buffer-slot.js";
import { HOLD_RECOVERY } from "./hold.js";
import { REQUEST_RECOVERY } from "./request-slot.js";

/** What is given back of buffers after a death: of a slot its references last, for then it may be free. */
export const BUFFER_RECOVERY: readonly RecoveryStep[] = [
  LOCK_RECOVERY,
  HOLD_RECOVERY,
  ...COUNTER_RECOVERY,
  BUFFER_SLOTS.recovery,
  REQUEST_RECOVERY,
];
