import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { DomainObserver, DomainSnapshot } from "dmabuf/node";
import { StreamRateMeter, type StreamRates } from "./stream-rates.js";

/** Milliseconds between two looks at least. */
const SHORTEST = 20;

/** A look costs this process at most such a part of its time. */
const SHARE = 0.1;

/** The last look of a time, and what several looks have found. */
export interface Measured {
  readonly snapshot: DomainSnapshot;
  readonly rates: readonly StreamRates[];
}

/**
 * Looks at a domain for some time.
 *
 * @param time Milliseconds.
 * @param signal Ends it earlier; then what is known by then is given.
 */
export async function measure(observer: DomainObserver, time: number, signal?: AbortSignal): Promise<Measured> {
  const meter = new StreamRateMeter();
  const end = performance.now() + time;
  for (let looks = 1; ; looks++) {
    const begin = performance.now();
    const snapshot = observer.snapshot();
    meter.add(snapshot);
    const now = performance.now();
    // One look has no rates, also where it takes longer than the time.
    if ((now >= end && looks > 1) || signal?.aborted === true) return { snapshot, rates: meter.rates() };
    const pause = Math.max(SHORTEST, (now - begin) / SHARE);
    await sleep(Math.max(1, Math.min(pause, end - now)), undefined, signal && { signal }).catch(() => {});
  }
}
