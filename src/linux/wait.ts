import { checkTimeout, pend, type WaitOptions } from "../domain/pend.js";
import { threadsHost } from "../host/threads.js";
import { watchDescriptor } from "../node/poller.js";
import { closeDescriptor, duplicateDescriptor, POLL, poll } from "../node/system-calls.js";
import { isDescriptorReady } from "./descriptor.js";

/** How long a blocked thread stays in the kernel at once, in milliseconds: `terminate()` works in between. */
const SLICE = 50;

/**
 * Waits until a descriptor is ready, also if it is closed meanwhile.
 *
 * @returns False if the time passed first.
 */
export async function waitForDescriptor(
  fd: number,
  direction: "input" | "output",
  options: WaitOptions,
): Promise<boolean> {
  checkTimeout(options.timeout ?? Infinity);
  if (isDescriptorReady(fd, direction)) return true;
  // After the close of the other one, somebody else may get its number.
  const own = duplicateDescriptor(fd);
  try {
    const ready = (): boolean => isDescriptorReady(own, direction);
    return await pend(threadsHost(), options, ready, (done) => watchReady(own, direction, done));
  } finally {
    closeDescriptor(own);
  }
}

/** As {@link waitForDescriptor}, blocking this thread. */
export function waitForDescriptorSync(fd: number, direction: "input" | "output", timeout = Infinity): boolean {
  checkTimeout(timeout);
  const events = direction === "input" ? POLL.READABLE : POLL.WRITABLE;
  const end = performance.now() + timeout;
  for (;;) {
    const left = Math.max(0, end - performance.now());
    if ((poll([{ fd, events }], Math.min(Math.ceil(left), SLICE))[0]! & events) !== 0) return true;
    if (left === 0) return false;
  }
}

/**
 * Calls back once, from the event loop, when a descriptor is ready; keeps no process alive. The descriptor may be closed
 * meanwhile.
 *
 * @returns What ends that.
 */
export function watchReady(fd: number, direction: "input" | "output", done: () => void): () => void {
  const events = direction === "input" ? POLL.READABLE : POLL.WRITABLE;
  // A descriptor of its own: several may wait for one, and any of them may be closed.
  const own = duplicateDescriptor(fd);
  let end: (() => void) | undefined;
  const stop = (): void => {
    const endWatch = end;
    end = undefined;
    if (endWatch === undefined) return;
    endWatch();
    closeDescriptor(own);
  };
  try {
    end = watchDescriptor(own, events, () => {
      stop();
      done();
    });
  } catch (error) {
    closeDescriptor(own);
    throw error;
  }
  return stop;
}
