/* eslint-disable no-restricted-globals -- the bare side does by Atomics what a look at a fence does */
import { Domain } from "dmabuf";
import { parameters, report, sample, sampleAsync, type Plan } from "./sampling.js";

/** A wait that finds its fence signaled. */
export interface SignaledWaitParameters {
  readonly plan: Plan;
  readonly what: "sync" | "async" | "load" | "await";
}

const { plan, what } = parameters<SignaledWaitParameters>();
const domain = Domain.create();
const fence = domain.createTimeline().createFence();
fence.signal();
const word = new Int32Array(new SharedArrayBuffer(4));

const sides = {
  sync: () => sample(plan, (first, count) => repeat(first, count, () => fence.waitSync() === "signaled")),
  load: () => sample(plan, (first, count) => repeat(first, count, () => Atomics.load(word, 0) === 0)),
  async: () =>
    sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) await fence.wait();
    }),
  await: () =>
    sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) await Promise.resolve("signaled");
    }),
};
report(await sides[what]());

function repeat(first: number, count: number, look: () => boolean): void {
  for (let i = first; i < first + count; i++) if (!look()) throw new Error("The fence is pending");
}
