/**
 * A stream between two hosts through 10,000 frames and everything that can happen to it. A longer one is `npm run chaos:hosts`.
 *
 * Environment: DMABUF_SEED (random, printed).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { missing } from "dmabuf-host-lab";
import { runChaos } from "./chaos-hosts.js";
import { makePlan } from "./plan.js";

const SEED = Number(process.env["DMABUF_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const FRAMES = 10_000;
/** The blows last for so long at most; then there is peace until all frames are published. */
const SECONDS = 60;
const skip = missing("network", "loss", "nats") ?? false;

test("the same seed gives the same plan, another one another (chaos-hosts.4)", () => {
  assert.deepEqual(makePlan(1, 60), makePlan(1, 60));
  assert.notDeepEqual(makePlan(1, 60), makePlan(2, 60));
  assert.deepEqual(makePlan(1, 10), makePlan(1, 60).slice(0, makePlan(1, 10).length));
});

// chaos-hosts.1, chaos-hosts.2, chaos-hosts.3, chaos-fences.1, chaos-fences.2, chaos-fences.3, frames.1, frames.2, frames.3
test(
  "10,000 frames to another host are right, whatever happens to the hosts",
  { skip, timeout: 780_000 },
  async (t) => {
    console.log(`DMABUF_SEED=${SEED}`);
    const result = await runChaos({ seed: SEED, seconds: SECONDS, frames: FRAMES });
    t.diagnostic(JSON.stringify(result));
    assert.ok(result.published >= FRAMES);
    for (const { frames } of result.consumers) assert.ok(frames > 0);
    for (const blow of ["kill", "stop", "cut", "lose", "slow", "reset"]) assert.ok(result.blows[blow]! > 0, blow);
    for (const end of ["signaled", "EIO"]) assert.ok(result.fences[end]! > 0, end);
  },
);

test(
  "a fence that is told as signaled, as its host is lost, is found (chaos-fences.2)",
  { skip, timeout: 300_000 },
  () =>
    assert.rejects(
      runChaos({ seed: 5, seconds: SECONDS, fault: "loss as an answer" }),
      /chaos-fences\.2: .* was told as/,
    ),
);
