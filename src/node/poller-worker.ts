import { parentPort, workerData } from "node:worker_threads";
import { waitForEpoll } from "./system-calls.js";

/** What the thread of a poller is told at its start. */
export interface PollerData {
  readonly epoll: number;
  /** The key of the event that ends the thread. */
  readonly endKey: number;
  /** Milliseconds of one wait at most, -1 for no limit. */
  readonly sliceMs: number;
}

/** What it tells: key and events of each descriptor that is ready. */
export type PollerNews = readonly { readonly key: number; readonly events: number }[];

const { epoll, endKey, sliceMs } = workerData as PollerData;

// The event loop of this thread never runs: what is posted goes out at once nevertheless.
for (let ended = false; !ended;) {
  const news = waitForEpoll(epoll, sliceMs);
  ended = news.some(({ key }) => key === endKey);
  if (!ended && news.length > 0) parentPort!.postMessage(news satisfies PollerNews);
}
