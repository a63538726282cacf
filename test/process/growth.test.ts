/** Each public function again and again: the heap does not grow with what is over. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Domain } from "../../src/node/index.js";
import { pause } from "../agents.js";
import { collectGarbage } from "./open-files.js";
import { callOnce, PUBLIC_CALLS, SIZES, type PublicCall, type World } from "./public-calls.js";

const LIMIT = { timeout: 120_000, concurrency: 1 };
const CALLS = 50;
/** Bytes a call: compiled code and what is known of types come and go; what a list keeps of a buffer or a stream is more. */
const NOISE = 2_000;
/** What is compiled late looks like growth once, and not again. */
const TRIES = 4;

const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
test.after(() => rmSync(folder, { recursive: true }));

async function inWorld<T>(act: (world: World) => Promise<T>): Promise<T> {
  const place = join(folder, "place");
  using first = Domain.listen(place, { ...SIZES, name: "first" });
  using second = await Domain.connect(place, { name: "second" });
  return await act({ first, second, place, folder, name: "frames" });
}

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
