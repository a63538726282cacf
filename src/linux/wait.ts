import { checkTimeout, pend, type WaitOptions } from "../domain/pend.js";
import { threadsHost } from "../host/threads.js";
import { POLL, poll } from "../node/system-calls.js";
import { isDescriptorReady } from "./descriptor.js";

/** How long a blocked thread stays in the kernel at once, in milliseconds: `terminate()` works in between. */
const SLICE = 50;
const LOOK_EVERY = 2;

/** Waits until a descriptor is ready. @returns False if the time passed first. */
export async function waitForDescriptor(
  fd: number,
  direction: "input" | "output",
  options: WaitOptions,
): Promise<boolean> {
  const ready = (): boolean => isDescriptorReady(fd, direction);
  return pend(threadsHost(), options, ready, (done, failed) => watchDescriptor(fd, direction, done, failed));
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

/** Calls back once when a descriptor is ready; keeps no process alive. Returns what ends that. */
export function watchDescriptor(
  fd: number,
  direction: "input" | "output",
  done: () => void,
  failed: (error: unknown) => void = () => {},
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    try {
      if (isDescriptorReady(fd, direction)) return done();
    } catch (error) {
      return failed(error);
    }
    timer = setTimeout(look, LOOK_EVERY);
    timer.unref();
  };
  timer = setTimeout(look, LOOK_EVERY);
  timer.unref();
  return () => clearTimeout(timer);
}
