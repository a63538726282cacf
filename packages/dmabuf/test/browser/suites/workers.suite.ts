/** The threads substrate between a browser's own workers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../../../src/substrate/shared-array.js";
import type { Substrate } from "../../../src/substrate/substrate.js";
import { start } from "./worker.js";

const PARKER = new URL("./threads/parker.js", import.meta.url);

test("one wake() reaches every worker parked on the word", async () => {
  const buffer = new SharedArrayBuffer(16);
  const memory = createSharedSubstrate(buffer);
  const parked = await Promise.all([start(PARKER, buffer), start(PARKER, buffer), start(PARKER, buffer)]);
  memory.store(0, 1);
  memory.wake(0);
  await until(memory, 2, 3);
  for (const { worker } of parked) worker.terminate();
});

test("parkAsync() hears a worker's wake() and needs no right to block", async () => {
  const buffer = new SharedArrayBuffer(16);
  const memory = createSharedSubstrate(buffer, false);
  const { worker } = await start(PARKER, buffer);
  const heard = memory.parkAsync(2, 0);
  memory.store(0, 1);
  memory.wake(0);
  await heard;
  assert.equal(memory.load(2), 1);
  worker.terminate();
});

test("a worker terminated while it is parked is no sleeper any more, and the next one is woken", async () => {
  const buffer = new SharedArrayBuffer(16);
  const memory = createSharedSubstrate(buffer);
  const { worker: victim } = await start(PARKER, buffer);
  while (memory.wake(0) === 0) await pause();
  victim.terminate();
  // The call only asks: until the engine acts on it, the victim parks again after every wake-up.
  while (memory.wake(0) > 0) await pause();
  const { worker } = await start(PARKER, buffer);
  memory.store(0, 1);
  memory.wake(0);
  await until(memory, 2, 1);
  worker.terminate();
});

/** Resolves when the word has reached the value; the test's timeout is the limit. */
async function until(memory: Substrate, word: number, value: number): Promise<void> {
  for (let now = memory.load(word); now < value; now = memory.load(word)) await memory.parkAsync(word, now);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
