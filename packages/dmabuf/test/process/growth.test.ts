/** Each public function again and again: the heap does not grow with what is over. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { pause } from "../agents.js";
import { ONCE } from "../once.js";
import { collectGarbage } from "./open-files.js";
import { callOnce, inWorld, PUBLIC_CALLS, type PublicCall } from "./public-calls.js";

const LIMIT = { ...ONCE, timeout: 120_000, concurrency: 1 };
const CALLS = 50;
/** Bytes a call: compiled code and what is known of types come and go; what a list keeps of a buffer or a stream is more. */
const NOISE = 2_000;
/** What is compiled late looks like growth once, and not again. */
const TRIES = 4;

for (const [name, call] of Object.entries(PUBLIC_CALLS)) {
  test(`the heap does not grow with ${name}`, LIMIT, () =>
    inWorld(async (world) => {
      const growth = await growthOf(() => callOnce(world, call));
      assert.ok(growth < NOISE, `${growth} bytes a call`);
    }),
  );
}

test("a call that keeps something is found", LIMIT, () =>
  inWorld(async (world) => {
    const kept: unknown[] = [];
    const keeps: PublicCall = { call: ({ first }) => void kept.push(...first.statistics(), new Uint8Array(4096)) };
    assert.ok((await growthOf(() => callOnce(world, keeps))) >= NOISE);
  }),
);

/** Bytes a call. */
async function growthOf(call: () => Promise<void>): Promise<number> {
  let least = Infinity;
  await repeat(call);
  for (let tries = 0; tries < TRIES && least >= NOISE; tries++) {
    const before = await heap();
    await repeat(call);
    least = Math.min(least, ((await heap()) - before) / CALLS);
  }
  return Math.round(least);
}

async function repeat(call: () => Promise<void>): Promise<void> {
  for (let i = 0; i < CALLS; i++) await call();
}

/** When finalizers, and what is closed on the event loop, have had their turns. */
async function heap(): Promise<number> {
  for (let last = Infinity; ;) {
    collectGarbage();
    await pause(10);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    const now = heapUsed + external;
    if (now > last * 0.9995) return Math.min(last, now);
    last = now;
  }
}
