import { parentPort, workerData } from "node:worker_threads";
import { createSharedSubstrate } from "../../substrate/shared-array.js";
import { waitForEpoll } from "../system-calls/index.js";

/** What the thread of a poller is told at its start. */
export interface PollerData {
  readonly epoll: number;
  /** The key of the event that ends the thread. */
  readonly endKey: number;
  /** Milliseconds of one wait at most, -1 for no limit. */
  readonly sliceMs: number;
  /** A word that is not 0 once the thread has made its first system call. */
  readonly begun: SharedArrayBuffer;
}

/** What it tells: key and events of each descriptor that is ready. */
export type PollerNews = readonly { readonly key: number; readonly events: number }[];

const { epoll, endKey, sliceMs, begun } = workerData as PollerData;
const words = createSharedSubstrate(begun);

// The event loop of this thread never runs: what is posted goes out at once nevertheless.
for (let ended = false; !ended;) {
  const news = waitForEpoll(epoll, words.load(0) === 0 ? 0 : sliceMs);
  words.store(0, 1);
  words.wake(0);
  ended = news.some(({ key }) => key === endKey);
  if (!ended && news.length > 0) parentPort!.postMessage(news satisfies PollerNews);
}
