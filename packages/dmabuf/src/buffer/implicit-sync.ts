import type { Steps } from "../domain/steps.js";
import { fenceAgent } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { stubFence } from "../fence/stub.js";
import type { SyncFile } from "../fence/sync-file.js";
import { makeSyncFile } from "../fence/sync-file.js";
import { newestOfEachContext, unwrap } from "../fence/unwrap.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import { usageFor, type AccessMode } from "../reservation/usage.js";

/** The two ways between implicit and explicit synchronization: a buffer's fences as a sync file, and back. */

/** A snapshot: fences that are added later are not in it. */
export function exportSyncFile(reservation: ReservationUser, mode: AccessMode): SyncFile {
  return makeSyncFile(reservation.getSingleton(usageFor(mode)) ?? stubFence(reservation.agent));
}

/** Waits until no fence is pending that an access waits for: a fence may have been added before the wake-up came. */
export function* untilReady(reservation: ReservationUser, mode: AccessMode): Steps<boolean> {
  const usage = usageFor(mode);
  do {
    if (!(yield* reservation.signaled(usage))) return false;
  } while (!reservation.testSignaled(usage));
  return true;
}

/** Adds what is pending in a sync file to a buffer's fences, each fence by itself. */
export function* importSyncFile(
  reservation: ReservationUser,
  mode: AccessMode,
  file: SyncFile,
  timeout?: number,
): Steps<void> {
  const { agent } = reservation;
  const { fence } = file;
  if (fenceAgent(fence) !== agent) throw new TypeError("The sync file is of another agent: import it there");
  // What can fail is done before the lock is waited for.
  const fences = newestOfEachContext([...unwrap(fence)].filter((leaf) => !leaf.isSignaled()));
  for (const leaf of fences) publish(leaf);
  const lock = yield* reservation.locking(undefined, timeout);
  try {
    if (fences.length > 0) reservation.reserveFences(fences.length);
    for (const leaf of fences) reservation.addFence(leaf, mode);
  } finally {
    lock[Symbol.dispose]();
  }
}
