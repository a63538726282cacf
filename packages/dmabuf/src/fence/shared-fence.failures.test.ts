/** What a late reader in another agent finds of how a fence ended: its own error, or that it is no longer known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { opsFence, testAgent, type TestAgent } from "../../test/conformance/support.js";
import { FAILURES_KEPT, RETIRED_KEPT, ONE_SHOT, TIMELINE } from "../domain/layout.js";
import { ERRNO, type ErrorCode } from "../errors.js";
import type { FenceHandle } from "./fence-handle.js";
import { importFence } from "./import-fence.js";
import { publish } from "./published-fence.js";
import type { Timeline } from "./timeline.js";
import { createTimeline } from "./timeline.js";

/** Each fence fails with another one than its neighbours, so that a neighbour's error shows. */
const ERRORS: readonly ErrorCode[] = ["EIO", "ENODATA", "ECANCELED", "ETIME", "EBUSY"];

/** A fence that failed, as it was sent, and how it must look to a reader. */
interface Failed {
  readonly handle: FenceHandle;
  readonly error: ErrorCode;
}

function errorOf(round: number): ErrorCode {
  return ERRORS[round % ERRORS.length]!;
}

function statusOf(reader: TestAgent, handle: FenceHandle): number {
  return importFence(reader, handle).status;
}

/** The next fence of the timeline, which fails at once. */
function failOne(timeline: Timeline, round: number): Failed {
  const fence = timeline.createFence();
  const error = errorOf(round);
  fence.setError(error);
  fence.signal();
  return { handle: fence.handle(), error };
}

test("a late reader finds the error of each fence, and none on those that succeeded between them", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const failed: Failed[] = [];
  const succeeded: FenceHandle[] = [];
  for (let round = 0; round < FAILURES_KEPT; round++) {
    failed.push(failOne(timeline, round));
    const fence = timeline.createFence();
    fence.signal();
    succeeded.push(fence.handle());
  }
  const reader = agent.another();
  for (const { handle, error } of failed) assert.equal(statusOf(reader, handle), -ERRNO[error]);
  for (const handle of succeeded) assert.equal(statusOf(reader, handle), 1);
});

test("a fence behind more failures than are kept is ESTALE, and the kept ones have their own errors", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const failed = Array.from({ length: FAILURES_KEPT + 8 }, (_, round) => failOne(timeline, round));
  const reader = agent.another();
  failed.forEach(({ handle, error }, i) => {
    const kept = i >= failed.length - FAILURES_KEPT;
    assert.equal(statusOf(reader, handle), kept ? -ERRNO[error] : -ERRNO.ESTALE, `fence ${i + 1}`);
  });
});

test("a fence that succeeded is ESTALE too when a forgotten failure came after it, and 1 when none did", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const before = timeline.createFence();
  before.signal();
  for (let round = 0; round < FAILURES_KEPT + 1; round++) failOne(timeline, round);
  const after = timeline.createFence();
  after.signal();
  const reader = agent.another();
  assert.equal(statusOf(reader, before.handle()), -ERRNO.ESTALE);
  assert.equal(statusOf(reader, after.handle()), 1);
});

test("a failure of many fences at once is one of those that are kept", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const many = Array.from({ length: 100 }, () => timeline.createFence().handle());
  timeline.signal(100, "EIO");
  for (let round = 0; round < FAILURES_KEPT - 1; round++) failOne(timeline, round + 1);
  const reader = agent.another();
  assert.ok(many.every((handle) => statusOf(reader, handle) === -ERRNO.EIO));
});

test("a late reader whose fence's slot is in use again finds the fence's own end", () => {
  const agent = testAgent({ sizes: { timelines: 1 } });
  const first = createTimeline(agent);
  const succeeded = first.createFence();
  succeeded.signal();
  const failed = failOne(first, 0);
  const pending = first.createFence();
  const handles = [succeeded, pending].map((fence) => fence.handle());
  first.close("ENODEV");
  const second = createTimeline(agent);
  const [next] = [failOne(second, 1), failOne(second, 2), failOne(second, 3)];
  const reader = agent.another();
  assert.equal(statusOf(reader, handles[0]!), 1);
  assert.equal(statusOf(reader, failed.handle), -ERRNO.EIO);
  assert.equal(statusOf(reader, handles[1]!), -ERRNO.ENODEV);
  assert.equal(statusOf(reader, next.handle), -ERRNO.ENODATA);
});

test("what a timeline had forgotten before its slot was used again stays ESTALE", () => {
  const agent = testAgent({ sizes: { timelines: 1 } });
  const first = createTimeline(agent);
  const failed = Array.from({ length: FAILURES_KEPT + 3 }, (_, round) => failOne(first, round));
  first.close();
  const second = createTimeline(agent);
  second.createFence().signal();
  const reader = agent.another();
  failed.forEach(({ handle, error }, i) => {
    assert.equal(statusOf(reader, handle), i < 3 ? -ERRNO.ESTALE : -ERRNO[error], `fence ${i + 1}`);
  });
});

for (const kind of ["timeline", "published"] as const) {
  test(`a slot that is used again more often than retired failures are kept: own error or ESTALE (${kind} fences)`, () => {
    const agent = testAgent({ sizes: { timelines: 1, oneShots: 1 } });
    const rounds = RETIRED_KEPT + 40;
    const failed = Array.from({ length: rounds }, (_, round) => failInSlot(agent, kind, round));
    const reader = agent.another();
    const statuses = failed.map(({ handle }) => statusOf(reader, handle));
    failed.forEach(({ error }, i) => {
      const own = statuses[i] === -ERRNO[error];
      assert.ok(own || statuses[i] === -ERRNO.ESTALE, `fence ${i} ended with ${error}, and reads ${statuses[i]}`);
    });
    // The last is stored in its slot, and those before it are retired.
    const kept = failed.slice(-RETIRED_KEPT - 1);
    kept.forEach(({ handle, error }) => assert.equal(statusOf(reader, handle), -ERRNO[error]));
    assert.equal(statuses[0], -ERRNO.ESTALE);
  });
}

test("a fence that succeeded in a slot whose retired failures are forgotten is ESTALE, not another fence's error", () => {
  const agent = testAgent({ sizes: { timelines: 1 } });
  const first = createTimeline(agent);
  const fence = first.createFence();
  fence.signal();
  const handle = fence.handle();
  failOne(first, 0);
  first.close();
  for (let round = 0; round < RETIRED_KEPT + 1; round++) failInSlot(agent, "timeline", round);
  assert.equal(statusOf(agent.another(), handle), -ERRNO.ESTALE);
});

test("an agent that has read an error keeps it, whatever is forgotten later", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const { handle } = failOne(timeline, 0);
  const view = importFence(agent.another(), handle);
  assert.equal(view.status, -ERRNO.EIO);
  for (let round = 0; round < FAILURES_KEPT + 5; round++) failOne(timeline, round + 1);
  assert.equal(view.status, -ERRNO.EIO);
  assert.equal(view.error!.code, "EIO");
});

/** A fence that fails in the only slot of its kind, which is then free. */
function failInSlot(agent: TestAgent, kind: "timeline" | "published", round: number): Failed {
  if (kind === "timeline") {
    using timeline = createTimeline(agent);
    return failOne(timeline, round);
  }
  const fence = opsFence(agent);
  publish(fence);
  const error = errorOf(round);
  fence.setError(error);
  fence.signal();
  return { handle: fence.handle(), error };
}

// Counters that wrap: their state is set here, since no test can wait for 2^31 of anything.

test("failures are found when more have been counted than a positive number of 32 bits can say", () => {
  const agent = testAgent();
  const timeline = createTimeline(agent);
  const { slot } = timeline.createFence().handle() as unknown as { slot: number };
  const count = agent.layout.timeline(slot) + TIMELINE.FAILURES;
  timeline.signal(1);
  // Whole laps of the ring, as so many failures would have counted.
  const lap = (FAILURES_KEPT + 1) * 2 ** 20;
  agent.memory.store(count, lap - FAILURES_KEPT - 1);
  const before = Array.from({ length: FAILURES_KEPT }, (_, round) => failOne(timeline, round));
  const reader = agent.another();
  for (let round = 0; round < 3 * FAILURES_KEPT; round++) {
    before.push(failOne(timeline, round));
    for (const { handle, error } of before.slice(-FAILURES_KEPT)) assert.equal(statusOf(reader, handle), -ERRNO[error]);
    assert.ok(agent.memory.load(count) >= FAILURES_KEPT && agent.memory.load(count) < lap);
  }
  assert.equal(statusOf(reader, before[0]!.handle), -ERRNO.ESTALE);
});

for (const last of [2 ** 30, 2 ** 31 - 2, 2 ** 31 - 1, -3, -1]) {
  test(`a slot whose generation was ${last | 0} still knows how the fences of its next ones ended`, () => {
    const agent = testAgent({ sizes: { oneShots: 1, timelines: 1 } });
    const words = [agent.layout.timeline(0) + TIMELINE.GENERATION, agent.layout.oneShot(1) + ONE_SHOT.GENERATION];
    for (const word of words) {
      const forgotten = word === words[0] ? TIMELINE.FORGOTTEN_GENERATION - 1 : ONE_SHOT.FORGOTTEN_GENERATION - 1;
      agent.memory.store(word, last);
      // As the uses so far have left it.
      agent.memory.store(word + forgotten, (last - 2 ** 30) | 0);
    }
    const reader = agent.another();
    const seen: [handle: FenceHandle, status: number][] = [];
    for (let round = 0; round < 4; round++) {
      const single = opsFence(agent);
      const timeline = createTimeline(agent);
      const [good, bad] = [timeline.createFence(), timeline.createFence()];
      for (const fence of [good, single, bad]) seen.push([fence.handle(), fence === good ? 1 : -ERRNO.EIO]);
      good.signal();
      for (const fence of [single, bad]) {
        fence.setError("EIO");
        fence.signal();
      }
      const fine = opsFence(agent);
      seen.push([fine.handle(), 1]);
      fine.signal();
      timeline.close();
      for (const [handle, status] of seen) assert.equal(statusOf(reader, handle), status, JSON.stringify(handle));
    }
  });
}
