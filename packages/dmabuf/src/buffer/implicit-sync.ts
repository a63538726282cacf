import { countdown, type WaitOptions } from "../domain/wait.js";
import type { Fence, WaitResult } from "../fence/fence.js";
import { fenceAgent } from "../fence/fence.js";
import { publish } from "../fence/published-fence.js";
import { stubFence } from "../fence/stub.js";
import type { SyncFile } from "../fence/sync-file.js";
import { makeSyncFile } from "../fence/sync-file.js";
import { newestOfEachContext, unwrap } from "../fence/unwrap.js";
import type { Reservation } from "../reservation/reservation.js";
import { usageFor, type AccessMode } from "../reservation/usage.js";

/** The two ways between implicit and explicit synchronization: a buffer's fences as a sync file, and back. */

/** A snapshot: fences that are added later are not in it. */
export function exportSyncFile(reservation: Reservation, mode: AccessMode): SyncFile {
  return makeSyncFile(reservation.getSingleton(usageFor(mode)) ?? stubFence(reservation.agent));
}

/** Waits until no fence is pending that an access waits for: a fence may have been added before the wake-up came. */
export async function waitUntilReady(
  reservation: Reservation,
  mode: AccessMode,
  options: WaitOptions,
): Promise<WaitResult> {
  const usage = usageFor(mode);
  const left = countdown(reservation.agent.host, options.timeout);
  do {
    if ((await reservation.wait(usage, { ...options, timeout: left() })) === "timed-out") return "timed-out";
  } while (!reservation.testSignaled(usage));
  return "signaled";
}

/** What is pending in a sync file, ready to be added to a reservation: what can fail has been done. */
export class ImportedFences {
  readonly #reservation: Reservation;
  readonly #mode: AccessMode;
  readonly #fences: readonly Fence[];

  /**
   * @throws {TypeError} if the file is of another agent.
   * @throws {DmaBufError} `EBADF` if the file was closed; `ENOSPC` if too many published fences are pending.
   */
  constructor(reservation: Reservation, mode: AccessMode, file: SyncFile) {
    const { fence } = file;
    if (fenceAgent(fence) !== reservation.agent)
      throw new TypeError("The sync file is of another agent: import it there");
    this.#reservation = reservation;
    this.#mode = mode;
    this.#fences = newestOfEachContext([...unwrap(fence)].filter((leaf) => !leaf.isSignaled()));
    for (const leaf of this.#fences) publish(leaf);
  }

  /** Adds each fence by itself. The caller holds the lock. @throws {DmaBufError} `ENOMEM` if there is no room. */
  add(): void {
    if (this.#fences.length > 0) this.#reservation.reserveFences(this.#fences.length);
    for (const fence of this.#fences) this.#reservation.addFence(fence, this.#mode);
  }
}
