/* eslint-disable no-restricted-globals -- this side shows what Atomics can do without the library */
import type { MessagePort } from "node:worker_threads";
import type { Figures } from "../figures.js";
import { operations, sample, sampleAsync, type Plan } from "./sampling.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/** Two workers answer each other by one shared word each, without the library. */
export interface BareRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  readonly wait: "spin" | "park" | "async";
}

const PING = 0;
/** On another cache line. */
const PONG = 32;

// A pending Atomics.waitAsync() does not keep a thread alive.
const alive = setInterval(() => {}, 1e6);
await twoWorkers<BareRoundTripParameters>(import.meta.url, lead, follow);
clearInterval(alive);

async function lead(port: MessagePort, { plan, wait }: BareRoundTripParameters): Promise<Figures> {
  const words = new Int32Array(new SharedArrayBuffer(256));
  port.postMessage(words);
  await nextMessage(port);
  if (wait === "async") {
    return sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) {
        send(words, PING, i + 1);
        await received(words, PONG, i + 1);
      }
    });
  }
  if (wait === "park") {
    return sample(plan, (first, count) => {
      for (let i = first; i < first + count; i++) {
        send(words, PING, i + 1);
        park(words, PONG, i + 1);
      }
    });
  }
  return sample(plan, (first, count) => {
    for (let i = first; i < first + count; i++) {
      Atomics.store(words, PING, i + 1);
      spin(words, PONG, i + 1);
    }
  });
}

async function follow(port: MessagePort, { plan, wait }: BareRoundTripParameters): Promise<void> {
  const words = await nextMessage<Int32Array>(port);
  port.postMessage("ready");
  for (let i = 0; i < operations(plan); i++) {
    if (wait === "async") await received(words, PING, i + 1);
    else if (wait === "park") park(words, PING, i + 1);
    else spin(words, PING, i + 1);
    if (wait === "spin") Atomics.store(words, PONG, i + 1);
    else send(words, PONG, i + 1);
  }
}

function send(words: Int32Array, word: number, value: number): void {
  Atomics.store(words, word, value);
  Atomics.notify(words, word);
}

function spin(words: Int32Array, word: number, value: number): void {
  while (Atomics.load(words, word) !== value);
}

function park(words: Int32Array, word: number, value: number): void {
  while (Atomics.load(words, word) !== value) Atomics.wait(words, word, value - 1);
}

async function received(words: Int32Array, word: number, value: number): Promise<void> {
  while (Atomics.load(words, word) !== value) {
    const waiting = Atomics.waitAsync(words, word, value - 1);
    if (waiting.async) await waiting.value;
  }
}
