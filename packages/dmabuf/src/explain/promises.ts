import { Attachment, DmaBuf } from "../buffer/buffer.js";
import { Fence } from "../fence/fence.js";
import { SyncFile } from "../fence/sync-file.js";
import { UserFence } from "../fence/user-fence.js";
import { Syncobj } from "../fence/syncobj.js";
import { Queue } from "../queue/queue.js";
import { Reservation } from "../reservation/reservation.js";
import { FrameStream } from "../stream/frame-stream.js";
import { calls, latestCall, type PendingCall } from "./activities.js";

/**
 * What the promises that the library has given wait for, while they are pending. An async method cannot see the promise that
 * its caller gets: so those that may wait are wrapped, once, when the first domain that can explain is made. `loan()` and
 * `next()` are no such methods, and tell themselves: what is ready in them costs nothing.
 */

/** The async methods that may wait. */
const METHODS: readonly (readonly [of: { readonly prototype: object }, names: readonly string[]])[] = [
  [Fence, ["wait", "result"]],
  [SyncFile, ["wait"]],
  [UserFence, ["wait"]],
  [Syncobj, ["wait"]],
  [Reservation, ["lock", "wait", "waitFinished"]],
  [DmaBuf, ["access", "ready", "importSyncFile", "beginCpuAccess", "attach", "move", "moveNotify"]],
  [Attachment, ["map", "mapLocked", "pin"]],
  [FrameStream, ["waitForConsumers"]],
  [Queue, ["submit", "flush"]],
];

let isRemembering = false;

/** From now on {@link callOf} knows the promises of these methods. */
export function rememberPromises(): void {
  if (isRemembering) return;
  isRemembering = true;
  for (const [{ prototype }, names] of METHODS) for (const name of names) wrap(prototype, name);
}

/** The call that has given a promise; nothing if the promise was ready at once, or is of other code. */
export function callOf(promise: object): PendingCall | undefined {
  return calls.get(promise);
}

function wrap(prototype: object, name: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
  const call = descriptor.value as (...given: unknown[]) => Promise<unknown>;
  const value = {
    [name](this: unknown, ...given: unknown[]): Promise<unknown> {
      const before = latestCall();
      const promise = call.apply(this, given);
      const latest = latestCall();
      if (latest !== undefined && latest !== before) calls.set(promise, latest);
      return promise;
    },
  }[name];
  Object.defineProperty(prototype, name, { ...descriptor, value });
}
