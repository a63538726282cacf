import { isMainThread, Worker } from "node:worker_threads";
import { allOrNothing } from "../../all-or-nothing.js";
import { createSharedSubstrate } from "../../substrate/shared-array.js";
import { threadLedger } from "../resources/thread-ledger.js";
import type { PollerData, PollerNews } from "./poller-worker.js";
import {
  addToEpoll,
  changeInEpoll,
  createEpoll,
  createEventCounter,
  EPOLL_ONE_SHOT,
  POLL,
  removeFromEpoll,
  writeDescriptor,
} from "../system-calls/index.js";

/**
 * The events of descriptors that Node.js cannot watch itself: sync files, dma-bufs, pidfds, cameras.
 *
 * poller.1. One more thread waits for all of them, in the kernel; it does not keep the process alive. It begins with
 *      the first watch, and each thread that watches has its own.
 * poller.2. An event counter ends that thread at the exit; without it the exit would wait for the next event. An exit
 *      that comes while the thread still begins waits for that, because it must not be ended in the middle of it
 *      (library.4). A worker has no such moment when it is terminated: there the thread waits in slices.
 * poller.3. A watch reports once and is armed again after its callback has returned: a descriptor that stays ready
 *      calls back once in each turn of the event loop, and not faster.
 * poller.4. A watch that has ended does not call back, whatever was on its way.
 */

/** Ends the watch; to be called before the descriptor is closed. Twice does nothing. */
export type EndWatch = () => void;

/**
 * Calls back from the event loop whenever the descriptor has events, until the watch is ended. Does not keep the
 * process alive.
 *
 * @param events Of `POLL`; `ERROR` and `HANG_UP` are always reported.
 * @param callback Gets the bits of `POLL` that are there.
 * @throws {DmaBufError} `EPERM` for a descriptor that cannot be polled (a plain file); `EEXIST` if it is watched
 *     already: duplicate it.
 */
export function watchDescriptor(fd: number, events: number, callback: (events: number) => void): EndWatch {
  return (poller ??= new Poller()).watch(fd, events, callback);
}

let poller: Poller | undefined;

interface Watch {
  readonly fd: number;
  readonly events: number;
  readonly callback: (events: number) => void;
}

const END_KEY = 0;
/** As long as a blocked thread is deaf to `terminate()` elsewhere. */
const SLICE_MS = 50;
/** Far more than a thread needs to begin. */
const LONGEST_START_MS = 5_000;

class Poller {
  readonly #epoll: number;
  readonly #watches = new Map<number, Watch>();
  #lastKey = END_KEY;

  constructor() {
    const { epoll, end } = allOrNothing((orUndo) => {
      const opened = { epoll: entered(createEpoll, orUndo), end: entered(createEventCounter, orUndo) };
      addToEpoll(opened.epoll, opened.end, POLL.READABLE, END_KEY);
      return opened;
    });
    this.#epoll = epoll;
    const begun = new SharedArrayBuffer(8);
    const sliceMs = isMainThread ? -1 : SLICE_MS;
    const workerData: PollerData = { epoll, endKey: END_KEY, sliceMs, begun };
    const worker = new Worker(new URL("./poller-worker.js", import.meta.url), { workerData, execArgv: [] });
    worker.on("message", (news: PollerNews) => {
      for (const { key, events } of news) this.#report(key, events);
    });
    worker.unref();
    process.on("exit", () => {
      createSharedSubstrate(begun).park(0, 0, LONGEST_START_MS);
      writeDescriptor(end, new Uint8Array(new BigUint64Array([1n]).buffer));
    });
  }

  watch(fd: number, events: number, callback: (events: number) => void): EndWatch {
    const key = ++this.#lastKey;
    addToEpoll(this.#epoll, fd, events | EPOLL_ONE_SHOT, key);
    this.#watches.set(key, { fd, events, callback });
    return () => {
      if (this.#watches.delete(key)) removeFromEpoll(this.#epoll, fd);
    };
  }

  #report(key: number, events: number): void {
    const watch = this.#watches.get(key);
    if (watch === undefined) return;
    try {
      watch.callback(events);
    } finally {
      if (this.#watches.has(key)) changeInEpoll(this.#epoll, watch.fd, watch.events | EPOLL_ONE_SHOT, key);
    }
  }
}

/** A descriptor for as long as this thread lives, if all of them can be had. */
function entered(open: () => number, orUndo: (undo: () => void) => void): number {
  const ledger = threadLedger();
  const entry = ledger.open(open);
  orUndo(() => ledger.close(entry));
  return ledger.descriptorOf(entry);
}
