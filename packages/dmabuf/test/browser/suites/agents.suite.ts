/** What a page, or a worker, shares with a browser's own workers at length, and all the ways in which those end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as dmabuf from "../../../src/index.js";
import {
  Domain,
  rawFormat,
  type FenceHandle,
  type BufferHandleData,
  type StreamHandleData,
} from "../../../src/index.js";
import { until } from "../../agents.js";
import { hire } from "./worker-party.js";

const PATIENT = { timeout: 30_000 };

/** Options of a test that shows what a page may not do. */
const ON_A_PAGE = { ...PATIENT, skip: "document" in globalThis ? false : "a worker may block its thread" };

function createDomain(): Domain {
  return Domain.create({ agents: 8, buffers: 32, timelines: 16, oneShots: 32, streams: 4 });
}

test("the package loads without a bundler, and lacks nothing that it exports", () => {
  const missing = Object.entries(dmabuf).filter(([, value]) => value === undefined);
  assert.deepEqual(missing, []);
  for (const name of ["Domain", "DmaBufError", "waitAll", "imageFormat"]) assert.ok(name in dmabuf, name);
});

describe("with workers", () => {
  test("buffers are shared both ways, without a copy", PATIENT, async () => {
    using domain = createDomain();
    const buffer = domain.allocate(1);
    (await buffer.access("write")).bytes.fill(4);
    const before = dmabuf.copiedBytes();
    using adder = hire(domain, "adder", { buffer: buffer.handle() });
    buffer.close();
    const answer = domain.import(await adder.says<BufferHandleData>());
    assert.equal(answer.name, "answer");
    assert.equal(new Uint32Array((await answer.access("read")).bytes.buffer)[0], 4096 * 5);
    assert.equal(dmabuf.copiedBytes(), before);
    adder.tell("enough");
    assert.equal(await adder.says(), "left");
    assert.deepEqual(domain.agents, ["main"]);
    assert.deepEqual(
      domain.statistics().map(({ holders }) => holders),
      [["main"]],
    );
  });

  test("a stream reaches all of them, whether they block or not", PATIENT, async () => {
    const COUNT = 200;
    using domain = createDomain();
    const stream = domain.createStream({ format: rawFormat(1000), buffers: 3 });
    const join = (blocking: boolean, policy: "block" | "newest") =>
      hire(domain, "consumer", { stream: stream.handle(), policy, blocking });
    using blocking = join(true, "block");
    using waiting = join(false, "block");
    using newest = join(false, "newest");
    for (const hand of [blocking, waiting, newest]) assert.equal(await hand.says(), "joined");
    for (let sequence = 0; sequence < COUNT; sequence++) {
      const loan = (await stream.loan())!;
      loan.bytes.fill(sequence & 0xff);
      assert.equal(loan.publish(), sequence);
    }
    stream.end();
    const all = { sequences: Array.from({ length: COUNT }, (_, i) => i), end: "ended" };
    assert.deepEqual(await blocking.says(), all);
    assert.deepEqual(await waiting.says(), all);
    const { sequences, end } = await newest.says<typeof all>();
    assert.deepEqual([sequences.at(-1), end], [COUNT - 1, "ended"]);
  });

  test("a worker that blocks is woken by a signal", PATIENT, async () => {
    using domain = createDomain();
    const fence = domain.createTimeline().createFence();
    using blocker = hire(domain, "blocker", { fence: fence.handle() });
    assert.equal(await blocker.says(), "blocking");
    fence.signal();
    assert.equal(await blocker.says(), 1);
  });
});

test("a wait that would block a page is EOPNOTSUPP, and leaves nothing behind", ON_A_PAGE, async () => {
  using domain = createDomain();
  const buffer = domain.allocate(1);
  using writer = hire(domain, "writer", { buffer: buffer.handle() });
  assert.equal(await writer.says(), "writing");
  const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
  const consumer = stream.frames();
  const loan = (await stream.loan())!;
  using other = Domain.join(domain.invite());
  const fence = domain.import(other.createTimeline().createFence().handle());
  const theirs = other.import(buffer.handle());
  using lock = await theirs.reservation.lock();
  const waits: (() => unknown)[] = [
    () => buffer.accessSync("read"),
    () => buffer.accessSync("write", { timeout: 1 }),
    () => buffer.reservation.lockSync(),
    () => fence.waitSync(),
    () => fence.waitSync({ timeout: 1 }),
    () => stream.loanSync({ timeout: 1 }),
    () => consumer.nextSync({ timeout: 1 }),
  ];
  const expected = { code: "EOPNOTSUPP", message: /use the asynchronous form/ };
  for (const wait of waits) assert.throws(wait, expected, wait.toString());
  // In no form would these two ever end.
  for (const wait of [() => stream.loanSync(), () => consumer.nextSync()]) assert.throws(wait, { code: "EDEADLK" });
  lock[Symbol.dispose]();
  loan.publish();
  writer.tell("enough");
  (await buffer.access("write"))[Symbol.dispose]();
  // What need not wait need not be asynchronous.
  buffer.accessSync("write")[Symbol.dispose]();
  buffer.reservation.lockSync()[Symbol.dispose]();
  consumer.nextSync()![Symbol.dispose]();
  stream.loanSync()!.publish();
  assert.equal(fence.waitSync({ timeout: 0 }), "timed-out");
});

describe("a worker that ends", () => {
  for (const [how, then] of [
    ["is terminated while it waits", "waits"],
    ["is terminated while it blocks", "blocks"],
    ["closes itself", "closes"],
  ] as const) {
    test(`and ${how} gives back its locks, accesses, fences and references`, PATIENT, async () => {
      using domain = createDomain();
      const [locked, written, read] = [domain.allocate(1), domain.allocate(1), domain.allocate(1)];
      const estate = { locked: locked.handle(), written: written.handle(), read: read.handle() };
      using keeper = hire(domain, "keeper", { ...estate, then });
      const fence = domain.import(await keeper.says<FenceHandle>());
      assert.deepEqual([locked.reservation.isLocked, written.tryAccess("read"), fence.status], [true, undefined, 0]);
      const waits = [locked.reservation.lock(), written.access("read"), read.access("write")];
      const failed = assert.rejects(fence.result(), { code: "ESRCH" });
      keeper.tell("now");
      if (then !== "closes") keeper.terminate();
      await Promise.all([...waits, failed]);
      await until(() => domain.agents.length === 1);
      for (const { holders } of domain.statistics()) assert.deepEqual(holders, ["main"]);
    });
  }

  test("in the middle of a frame gives it back, and the others go on", PATIENT, async () => {
    using domain = createDomain();
    const stream = domain.createStream({ format: rawFormat(8), buffers: 1 });
    using keeper = hire(domain, "frameKeeper", { stream: stream.handle() });
    using other = hire(domain, "consumer", { stream: stream.handle(), policy: "block", blocking: false });
    assert.equal(await other.says(), "joined");
    await stream.waitForConsumers(2);
    (await stream.loan())!.publish();
    assert.equal(await keeper.says(), 0);
    await assert.rejects(stream.loan({ timeout: 50 }), { code: "ETIMEDOUT" });
    keeper.terminate();
    const loan = (await stream.loan())!;
    loan.bytes.fill(1);
    loan.publish();
    stream.end();
    assert.deepEqual(await other.says(), { sequences: [0, 1], end: "ended" });
  });

  test("while it produces ends its consumers with ESRCH, here and in another worker", PATIENT, async () => {
    using domain = createDomain();
    using producer = hire(domain, "producer", undefined);
    const handle = await producer.says<StreamHandleData>();
    using other = hire(domain, "consumer", { stream: handle, policy: "block", blocking: true });
    assert.equal(await other.says(), "joined");
    let frames = 0;
    const consuming = (async () => {
      for await (using _frame of domain.import(handle).frames()) {
        if (++frames === 20) producer.terminate();
      }
    })();
    await assert.rejects(consuming, { code: "ESRCH", message: /its producer died/ });
    assert.ok(frames >= 20);
    const { sequences, end } = await other.says<{ sequences: number[]; end: string }>();
    assert.equal(end, "ESRCH");
    assert.deepEqual(sequences, [...sequences.keys()]);
  });

  test("leaves its place to the next one", PATIENT, async () => {
    using domain = Domain.create({ agents: 2, buffers: 4, timelines: 2, oneShots: 2, streams: 2 });
    const buffer = domain.allocate(1);
    for (let i = 0; i < 3; i++) {
      using writer = hire(domain, "writer", { buffer: buffer.handle() });
      assert.equal(await writer.says(), "writing");
      writer.terminate();
      await until(() => domain.agents.length === 1);
    }
    assert.notEqual(buffer.tryAccess("write"), undefined);
  });
});
