/** Each point is told to the channel of its name and to the ring, with its fields. */
import assert from "node:assert/strict";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createDomain, joinDomain, joinMortal } from "../../../test/agents.js";
import { FENCE_OPS } from "../../../test/mistakes.js";
import { agentOf } from "../../domain-base.js";
import { TRACE_POINTS, type TraceEvent, type TraceMessage, type TracePoint } from "../../domain/trace-points.js";
import { traces, POINT } from "../../domain/tracing.js";
import { rawFormat } from "../../stream/format.js";
import type { Domain } from "../../threads.js";
import { readTrace } from "./read-trace.js";

const LIMIT = { timeout: 60_000 };

/** Two agents that trace into a folder, and what the channels have told. */
interface World {
  readonly t: TestContext;
  readonly domain: Domain;
  readonly other: Domain;
}

type Expected = Partial<TraceEvent>;

/** Does what happens at a point; returns what the last event of the point must have. */
type Case = (world: World) => Expected | Promise<Expected>;

const CASES: Readonly<Record<TracePoint, Case>> = {
  "fence:init"({ domain }) {
    const timeline = domain.createTimeline({ name: "gpu" });
    timeline.createFence();
    return { thing: `${timeline.context}:1`, context: timeline.context, seqno: 1, name: "gpu" };
  },
  "fence:emit"({ domain }) {
    const fence = domain.createTimeline({ name: "gpu" }).createFence();
    fence.handle();
    fence.handle();
    return { context: fence.context, seqno: 1, name: "gpu" };
  },
  "fence:enable"({ domain }) {
    const { context, seqno } = withCallback(domain);
    return { context, seqno, name: "gpu" };
  },
  "fence:signaled"({ domain }) {
    const timeline = domain.createTimeline({ name: "gpu" });
    const [, second] = [timeline.createFence(), timeline.createFence()];
    timeline.signal(2, "EIO", 5000);
    return { context: timeline.context, seqno: second.seqno, name: "gpu", error: "EIO", at: 5000 };
  },
  async "fence:wait-start"({ domain, other }) {
    const { context } = await waitedFor(domain, other);
    return { context, seqno: 1, name: "gpu", agent: agentOf(other).identity };
  },
  async "fence:wait-end"({ domain, other }) {
    const { context } = await waitedFor(domain, other);
    return { context, seqno: 1, name: "gpu", result: "timed-out", agent: agentOf(other).identity };
  },
  "fence:destroy"({ domain }) {
    const fence = domain.createFence(FENCE_OPS);
    fence[Symbol.dispose]();
    fence[Symbol.dispose]();
    return { context: fence.context, seqno: 1, name: FENCE_OPS.timelineName };
  },
  "buffer:export"({ domain }) {
    const { inode } = domain.allocate(8192, { name: "frame" });
    return { thing: `${inode}`, inode, name: "frame", bytes: 8192 };
  },
  "buffer:import"({ domain, other }) {
    const { inode } = other.import(domain.allocate(4096, { name: "frame" }).handle());
    return { inode, name: "frame", bytes: 4096, agent: agentOf(other).identity };
  },
  async "buffer:attach"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    await buffer.attach();
    return { inode: buffer.inode, name: "frame" };
  },
  async "buffer:detach"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    (await buffer.attach()).close();
    return { inode: buffer.inode, name: "frame" };
  },
  async "buffer:map"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    await (await buffer.attach()).map("write");
    return { inode: buffer.inode, name: "frame", mode: "write" };
  },
  async "buffer:unmap"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    (await (await buffer.attach()).map("read")).close();
    return { inode: buffer.inode, name: "frame", mode: "read" };
  },
  async "buffer:access-begin"({ t, domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    buffer.name = "picture";
    const access = await buffer.access("write");
    t.after(() => access.close());
    return { inode: buffer.inode, name: "picture", mode: "write" };
  },
  "buffer:access-end"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    buffer.accessSync("read").close();
    return { inode: buffer.inode, name: "frame", mode: "read" };
  },
  async "buffer:move"({ domain }) {
    const memory = (): SharedArrayBuffer => new SharedArrayBuffer(4096);
    const buffer = domain.export([{ memory: memory(), offset: 0, length: 4096 }], { name: "frame" });
    await buffer.move([{ memory: memory(), offset: 0, length: 4096 }]);
    return { inode: buffer.inode, name: "frame" };
  },
  "buffer:release"({ domain }) {
    const buffer = domain.allocate(4096, { name: "frame" });
    const { inode } = buffer;
    const second = buffer.duplicate();
    buffer.close();
    second.close();
    return { inode, name: "frame" };
  },
  "queue:push"({ domain }) {
    const queue = domain.createQueue<undefined>({ name: "encoder", run: () => {} });
    const { context } = queue.submitSync({});
    return { thing: `${context}:1`, context, seqno: 1, name: "encoder" };
  },
  async "queue:run"({ domain }) {
    const queue = domain.createQueue<undefined>({ name: "encoder", run: () => {} });
    const finished = await queue.submit({});
    await finished.wait();
    return { context: finished.context, seqno: 1, name: "encoder" };
  },
  async "queue:done"({ domain }) {
    const queue = domain.createQueue<undefined>({ name: "encoder", run: () => Promise.reject(failure()) });
    const finished = await queue.submit({});
    await finished.wait();
    return { context: finished.context, seqno: 1, name: "encoder", error: "ENODEV" };
  },
  "stream:loan"({ domain }) {
    domain
      .createStream({ format: rawFormat(4), name: "camera" })
      .loanSync()!
      .close();
    return { name: "camera", place: 0 };
  },
  "stream:publish"({ domain }) {
    const stream = domain.createStream({ format: rawFormat(4), name: "camera" });
    stream.loanSync()!.publish();
    stream.loanSync()!.publish();
    return { name: "camera", place: 1, frame: 1 };
  },
  "stream:take"({ domain, other }) {
    const stream = domain.createStream({ format: rawFormat(4), name: "camera" });
    const consumer = other.import(stream.handle()).frames();
    stream.loanSync()!.publish();
    consumer.nextSync()!.close();
    return { name: "camera", place: 0, frame: 0, agent: agentOf(other).identity };
  },
  "stream:give-back"({ domain }) {
    const stream = domain.createStream({ format: rawFormat(4), name: "camera" });
    const consumer = stream.frames();
    stream.loanSync()!.publish();
    consumer.nextSync()!.close();
    return { name: "camera", place: 0 };
  },
  "stream:drop"({ domain }) {
    const stream = domain.createStream({ format: rawFormat(4), name: "camera" });
    const consumer = stream.frames({ policy: "newest" });
    for (let i = 0; i < 4; i++) stream.loanSync()!.publish();
    consumer.nextSync()!.close();
    assert.equal(consumer.missed, 3);
    return { name: "camera", count: 3 };
  },
  "stream:close"({ domain }) {
    domain.createStream({ format: rawFormat(4), name: "camera" }).close();
    return { name: "camera" };
  },
  "validator:report"({ domain }) {
    domain.createFence(FENCE_OPS).setError(1);
    return { code: "fence-misuse", thing: "fence-misuse", text: domain.reports.at(-1)!.text };
  },
  "agent:join"({ t, domain }) {
    const { identity } = agentOf(joinDomain(t, domain, "newcomer"));
    return { thing: `${identity}`, agent: identity, name: "newcomer" };
  },
  "agent:leave"({ t, domain }) {
    const leaving = joinDomain(t, domain, "leaving");
    const { identity } = agentOf(leaving);
    leaving.close();
    return { thing: `${identity}`, agent: identity, name: "leaving" };
  },
  async "agent:recover"({ domain }) {
    const mortal = joinMortal(domain, "mortal");
    const { identity } = agentOf(mortal.domain);
    await mortal.die();
    return { thing: `${identity}`, name: "mortal", agent: agentOf(domain).identity };
  },
};

function withCallback(domain: Domain) {
  const fence = domain.createTimeline({ name: "gpu" }).createFence();
  fence.addCallback(() => {});
  return fence;
}

async function waitedFor(domain: Domain, other: Domain) {
  const fence = domain.createTimeline({ name: "gpu" }).createFence();
  assert.equal(await other.import(fence.handle()).wait({ timeout: 1 }), "timed-out");
  return fence;
}

function failure(): Error {
  return Object.assign(new Error("gone"), { code: "ENODEV" });
}

function tracedFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "traces-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Everything that the channels tell until the test is over. */
function listen(t: TestContext): TraceEvent[] {
  const told: TraceEvent[] = [];
  const listener = (message: unknown): void => {
    const { domain, ...event } = message as TraceMessage;
    assert.match(domain, /^[0-9a-f]{32}$/);
    told.push(event);
  };
  for (const point of TRACE_POINTS) {
    subscribe(`dmabuf:${point}`, listener);
    t.after(() => unsubscribe(`dmabuf:${point}`, listener));
  }
  return told;
}

test("there is a case for each point", () => {
  assert.deepEqual(Object.keys(CASES).sort(), [...TRACE_POINTS].sort());
});

for (const [point, run] of Object.entries(CASES) as [TracePoint, Case][]) {
  test(`${point} is told to its channel and to the ring (tracing.2)`, LIMIT, async (t) => {
    const told = listen(t);
    const folder = tracedFolder(t);
    const options = { trace: folder, validate: { onReport: () => {} } };
    const domain = createDomain(t, options);
    const other = joinDomain(t, domain, "other", options);
    const before = Date.now();
    const expected = await run({ t, domain, other });
    const event = told.findLast((each) => each.point === point);
    assert.ok(event !== undefined, "no event");
    const { at, ...fields } = event;
    assert.deepEqual(fields, { ...fields, ...without(expected, "at"), point });
    if (expected.at !== undefined) assert.equal(at, expected.at);
    else assert.ok(at <= domain.now() && at > domain.now() - (Date.now() - before + 10_000) * 1e6);
    // All that the two agents with a ring have told is in it, in its order.
    for (const { agent, events } of readTrace(folder)) {
      assert.deepEqual(
        events,
        told.filter((each) => each.agent === agent.identity),
      );
    }
    const traced = readTrace(folder).map(({ agent }) => agent.identity);
    assert.ok(traced.includes(agentOf(domain).identity) && traced.includes(agentOf(other).identity));
  });
}

function without<T extends object, K extends keyof T>(object: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = object;
  return rest;
}

test("a begin and its end have the same number, and no other", LIMIT, async (t) => {
  const told = listen(t);
  const domain = createDomain(t);
  const buffer = domain.allocate(4096);
  const first = await buffer.access("read");
  const second = await buffer.access("read");
  first.close();
  const attachment = await buffer.attach();
  second.close();
  const mapping = await attachment.map("read");
  mapping.close();
  attachment.close();
  const ids = (point: TracePoint): unknown[] => told.filter((each) => each.point === point).map(({ id }) => id);
  const [accesses, ends] = [ids("buffer:access-begin"), ids("buffer:access-end")];
  assert.deepEqual(ends, accesses);
  assert.deepEqual(ids("buffer:detach"), ids("buffer:attach"));
  assert.deepEqual(ids("buffer:unmap"), ids("buffer:map"));
  assert.equal(new Set([...accesses, ...ids("buffer:attach"), ...ids("buffer:map")]).size, 4);
});

test("a fence's events are in the order in which they happen, each once", LIMIT, async (t) => {
  const told = listen(t);
  const domain = createDomain(t);
  const timeline = domain.createTimeline({ name: "gpu" });
  {
    using fence = timeline.createFence();
    fence.handle();
    const wait = fence.wait();
    fence.signal();
    fence.signal();
    await wait;
  }
  const points = told.filter(({ context }) => context === timeline.context).map(({ point }) => point);
  const expected = ["init", "emit", "enable", "wait-start", "signaled", "wait-end", "destroy"];
  assert.deepEqual(
    points,
    expected.map((point) => `fence:${point}`),
  );
});

test("fences of all kinds tell once that they have signaled, and why they have failed", LIMIT, async (t) => {
  const told = listen(t);
  const domain = createDomain(t);
  const errors = (context: number): unknown[] =>
    told.filter((each) => each.point === "fence:signaled" && each.context === context).map(({ error }) => error);

  const local = domain.createFence(FENCE_OPS);
  local.setError("EIO");
  local.signal();
  const found = domain.createFence({ ...FENCE_OPS, signaled: () => true });
  assert.ok(found.isSignaled());
  const published = domain.createFence(FENCE_OPS);
  published.handle();
  published.signal();
  const promised = domain.fenceFrom(Promise.reject(failure()));
  await promised.wait();
  const closed = domain.createTimeline();
  closed.createFence();
  closed.close();
  const idle = domain.createTimeline();
  idle.close();
  const software = domain.createSoftwareTimeline();
  software.createFence(3);
  software.advance(2);
  software.close();
  const late = domain.createTimeline({ timeLimit: 1 });
  await late.createFence().wait();

  assert.deepEqual(errors(local.context), ["EIO"]);
  assert.deepEqual(errors(found.context), [undefined]);
  assert.deepEqual(errors(published.context), [undefined]);
  assert.deepEqual(errors(promised.context), ["ENODEV"]);
  assert.deepEqual(errors(closed.context), ["ECANCELED"]);
  assert.deepEqual(errors(idle.context), []);
  assert.deepEqual(errors(software.context), [undefined, "ENOENT"]);
  assert.deepEqual(errors(late.context), ["ETIMEDOUT"]);
});

test("a long-running job is pushed, runs and is done", LIMIT, async (t) => {
  const told = listen(t);
  const domain = createDomain(t);
  using queue = domain.createQueue<undefined>({ longRunning: true, name: "train", run: () => {} });
  using first = queue.submit({});
  using second = queue.submit({});
  await first.wait();
  await second.wait();
  const jobs = told.filter(({ name, point }) => name === "train" && point.startsWith("queue:"));
  assert.deepEqual(
    jobs.map(({ point, seqno }) => `${point} ${seqno}`),
    ["queue:push 1", "queue:push 2", "queue:run 1", "queue:done 1", "queue:run 2", "queue:done 2"],
  );
  assert.equal(new Set(jobs.map(({ context }) => context)).size, 1);
});

test("nothing is made, and no clock is read, for what no sink listens to (tracing.1)", (t) => {
  const domain = createDomain(t);
  const agent = agentOf(domain);
  for (const point of Object.values(POINT)) assert.equal(traces(agent, point), false);
  let reads = 0;
  t.mock.method(agent.host, "nowNs", () => ++reads);
  const timeline = domain.createTimeline();
  timeline.createFence();
  assert.equal(reads, 0);
  const listener = (): void => {};
  subscribe("dmabuf:fence:init", listener);
  assert.equal(traces(agent, POINT["fence:init"]), true);
  assert.equal(traces(agent, POINT["fence:emit"]), false);
  timeline.createFence();
  assert.equal(reads, 1);
  unsubscribe("dmabuf:fence:init", listener);
  timeline.createFence();
  assert.equal(reads, 1);
  assert.equal(channel("dmabuf:fence:init").hasSubscribers, false);
});

test("what a subscriber throws is reported by the runtime, and the call goes on (tracing.3)", LIMIT, async (t) => {
  const uncaught: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  const listener = (): void => {
    throw new Error("of the program");
  };
  subscribe("dmabuf:fence:init", listener);
  t.after(() => unsubscribe("dmabuf:fence:init", listener));
  const fence = createDomain(t).createTimeline().createFence();
  assert.equal(fence.seqno, 1);
  while (uncaught.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.match(String(uncaught[0]), /of the program/);
});
