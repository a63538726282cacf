/* eslint-disable no-restricted-globals -- the bare side does by Atomics what a fence does */
import process from "node:process";
import { Domain } from "dmabuf";
import { parameters, report, sample, type Plan, type Run } from "./sampling.js";

/** One thread creates fences and signals them; there is no waiter. */
export interface FenceParameters {
  readonly plan: Plan;
  readonly what: "signal" | "check" | "bare";
}

const { plan, what } = parameters<FenceParameters>();
let signaled = 0;
const sides = { signal, check, bare };
report(sample(plan, sides[what]()));
if (signaled === 0) throw new Error("No fence has signaled");

function signal(): Run<void> {
  const timeline = Domain.create().createTimeline();
  return (first, count) => {
    for (let i = first; i < first + count; i++) if (timeline.createFence().signal()) signaled++;
  };
}

function check(): Run<void> {
  const timeline = Domain.create().createTimeline();
  return (first, count) => {
    for (let i = first; i < first + count; i++) {
      const fence = timeline.createFence();
      fence.signal();
      if (fence.status === 1) signaled++;
    }
  };
}

/** What a signal cannot do without: read the clock, store the time, exchange the number, look for waiters. */
function bare(): Run<void> {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const doubles = new BigInt64Array(words.buffer);
  let number = 0n;
  return (first, count) => {
    for (let i = first; i < first + count; i++) {
      const time = Number(process.hrtime.bigint());
      const high = Math.floor(time / 2 ** 32);
      Atomics.store(words, 4, high);
      Atomics.store(words, 5, (time - high * 2 ** 32) | 0);
      if (Atomics.compareExchange(doubles, 0, number, number + 1n) === number) signaled++;
      number += 1n;
      if (Atomics.load(doubles, 1) !== 0n) throw new Error("Another side waits");
    }
  };
}
