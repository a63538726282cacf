import type { Wait } from "../domain/steps.js";
import { checkTimeout, countdown, waitUntil, type WaitTerms } from "../domain/wait.js";
import { threadsHost } from "../host/threads.js";
import { watchDescriptor } from "../node/waiting/poller.js";
import { duplicateDescriptor, POLL, poll } from "../node/system-calls/index.js";
import { descriptorFrom, isDescriptorReady, type Descriptor } from "./descriptor.js";

/** How long a blocked thread stays in the kernel at once, in milliseconds: `terminate()` works in between. */
const SLICE = 50;

/**
 * Waits until a descriptor is ready, also if it is closed during the wait. One that is broken is waited for no longer.
 *
 * @returns False if the time passed first.
 */
export async function waitForDescriptor(
  fd: number,
  direction: "input" | "output",
  options: WaitTerms,
): Promise<boolean> {
  const host = threadsHost();
  const left = countdown(host, options.timeout);
  if (isDescriptorReady(fd, direction)) return true;
  // After the close of the other one, another owner may get its number.
  const own = descriptorFrom(duplicateDescriptor(fd), "what is waited for");
  try {
    const ready = (): boolean => isDescriptorReady(own.fd, direction);
    let isBroken = false;
    const subscribe = (done: () => void): (() => void) =>
      watchReady(own.fd, direction, (events) => {
        isBroken = (events & eventsOf(direction)) === 0;
        done();
      });
    // What it was ready for may be over when this thread hears of it: then others have been faster, or work was added.
    do {
      if (!(await waitUntil({ host }, { ...options, timeout: left() }, ready, subscribe))) return false;
    } while (!isBroken && !ready());
    return true;
  } finally {
    own.close();
  }
}

/** A wait until a descriptor is ready, for calls that are written once. */
export function untilReady({ fd }: Descriptor, direction: "input" | "output"): Wait {
  return {
    wait: (terms) => waitForDescriptor(fd, direction, terms),
    waitSync: (timeout) => waitForDescriptorSync(fd, direction, timeout),
  };
}

/** As {@link waitForDescriptor}, blocking this thread. */
export function waitForDescriptorSync(fd: number, direction: "input" | "output", timeout = Infinity): boolean {
  checkTimeout(timeout);
  const events = eventsOf(direction);
  const end = performance.now() + timeout;
  for (;;) {
    const left = Math.max(0, end - performance.now());
    if ((poll([{ fd, events }], Math.min(Math.ceil(left), SLICE))[0]! & events) !== 0) return true;
    if (left === 0) return false;
  }
}

/**
 * Calls back once with the bits of `POLL`, from the event loop, when a descriptor is ready or broken; keeps no process
 * alive. The descriptor may be closed during the wait.
 *
 * @returns What ends that.
 */
function watchReady(fd: number, direction: "input" | "output", done: (events: number) => void): () => void {
  // A descriptor of its own: several may wait for one, and any of them may be closed.
  const own = descriptorFrom(duplicateDescriptor(fd), "what is waited for");
  let end: (() => void) | undefined;
  const stop = (): void => {
    const endWatch = end;
    end = undefined;
    if (endWatch === undefined) return;
    endWatch();
    own.close();
  };
  try {
    end = watchDescriptor(own.fd, eventsOf(direction), (events) => {
      stop();
      done(events);
    });
  } catch (error) {
    own.close();
    throw error;
  }
  return stop;
}

function eventsOf(direction: "input" | "output"): number {
  return direction === "input" ? POLL.READABLE : POLL.WRITABLE;
}
