import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending, joinDomain, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { imageFormat, rawFormat, tensorFormat } from "./format.js";
import type { Loan } from "./frame.js";
import type { JsonValue } from "./metadata.js";
import type { StreamOptions } from "./frame-stream.js";

type Context = Parameters<typeof createDomain>[0];

function createStream(t: Context, options: Partial<StreamOptions> = {}) {
  const domain = createDomain(t);
  return { domain, stream: domain.createStream({ format: rawFormat(8), ...options }) };
}

describe("createStream()", () => {
  test("refuses an option out of range and names it", (t) => {
    const domain = createDomain(t);
    const refused = (options: object, message: RegExp): void =>
      assert.throws(() => domain.createStream({ format: rawFormat(1), ...options }), { name: "RangeError", message });
    for (const buffers of [0, 33, 1.5, NaN]) refused({ buffers }, new RegExp(`"buffers".* 1 to 32, not ${buffers}`));
    for (const dataBytes of [-1, 0.5, NaN]) refused({ dataBytes }, new RegExp(`"dataBytes".*not ${dataBytes}`));
    assert.deepEqual(domain.statistics(), []);
  });

  test("allocates four buffers under the stream's name, or as many as it is told", (t) => {
    const { domain, stream } = createStream(t, { name: "camera" });
    assert.deepEqual(
      domain.statistics().map(({ name }) => name),
      ["camera", "camera", "camera", "camera"],
    );
    stream.close();
    assert.deepEqual(domain.statistics(), []);
    domain.createStream({ format: rawFormat(1), buffers: 7 });
    assert.equal(domain.statistics().length, 7);
  });
});

describe("a producer", () => {
  test("without consumers never waits, and the oldest frames are lost", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { buffers: 3 });
    for (let i = 0; i < 10; i++) assert.equal((await stream.loan())!.publish(), i);
    const consumer = stream.frames();
    const sequences = [1, 2, 3].map(async () => (await consumer.next())!.sequence);
    assert.deepEqual(await Promise.all(sequences), [7, 8, 9]);
  });

  test("has published what it gave away, and all ends of the stream know how many frames", async (t) => {
    const { domain, stream } = createStream(t);
    const other = joinDomain(t, domain).import(stream.handle());
    for (let i = 0; i < 6; i++) (await stream.loan())!.publish();
    using loan = await stream.loan();
    assert.deepEqual([stream.published, other.published], [6, 6]);
    loan!.publish();
    stream.close();
    assert.equal(other.published, 7);
  });

  test(
    "waits while a holding consumer has not given back the frame it wants to use again",
    { timeout: 10_000 },
    async (t) => {
      const { stream } = createStream(t, { buffers: 2 });
      const consumer = stream.frames();
      for (let i = 0; i < 2; i++) (await stream.loan())!.publish();
      const loan = stream.loan();
      assert.equal(await isPending(loan), true);
      const frame = (await consumer.next())!;
      assert.equal(await isPending(loan), true);
      frame[Symbol.dispose]();
      (await loan)!.publish();
      assert.equal((await consumer.next())!.sequence, 1);
    },
  );

  test("goes on when the consumer that held it back leaves", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t, { buffers: 1 });
    const consumer = joinDomain(t, domain).import(stream.handle()).frames();
    (await stream.loan())!.publish();
    const loan = stream.loan();
    assert.equal(await isPending(loan), true);
    consumer[Symbol.dispose]();
    await loan;
  });

  test(
    "gets every buffer as a loan at once, and numbers the frames as they are published",
    { timeout: 10_000 },
    async (t) => {
      const { stream } = createStream(t, { buffers: 3 });
      const loans = [1, 2, 3].map(async (byte) => {
        const loan = (await stream.loan())!;
        loan.bytes[0] = byte;
        return loan;
      });
      const [one, two, three] = await Promise.all(loans);
      const enough = new AbortController();
      assert.equal(await isPending(stream.loan({ signal: enough.signal }).catch(() => {})), true);
      enough.abort();
      assert.deepEqual(
        [three, one, two].map((loan) => loan!.publish()),
        [0, 1, 2],
      );
      const consumer = stream.frames();
      const bytes = [1, 2, 3].map(async () => (await consumer.next())!.bytes[0]);
      assert.deepEqual(await Promise.all(bytes), [3, 1, 2]);
    },
  );

  test("that gives a loan back has published nothing", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { buffers: 1 });
    const consumer = stream.frames();
    for (let i = 0; i < 3; i++) (await stream.loan())![Symbol.dispose]();
    await assert.rejects(consumer.next({ timeout: 0 }), { code: "ETIMEDOUT" });
    assert.equal((await stream.loan())!.publish(), 0);
    assert.equal((await consumer.next())!.sequence, 0);
  });

  test("waits for fences of work that reads the buffer", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t, { buffers: 1 });
    const first = (await stream.loan())!;
    const fence = domain.createTimeline().createFence();
    {
      using _lock = await first.buffer.reservation.lock();
      first.buffer.reservation.reserveFences(1);
      first.buffer.reservation.addFence(fence, "read");
    }
    first.publish();
    await assert.rejects(stream.loan({ timeout: 10 }), { code: "ETIMEDOUT" });
    const loan = stream.loan();
    assert.equal(await isPending(loan), true);
    fence.signal();
    await loan;
  });

  test("gives up waiting for a loan after its time, or when told to", { ...BLOCKS, timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { buffers: 1 });
    const held = (await stream.loan())!;
    const expected = { code: "ETIMEDOUT", message: /No buffer of stream "stream" became free in 5 ms/ };
    await assert.rejects(stream.loan({ timeout: 5 }), expected);
    assert.throws(() => stream.loanSync({ timeout: 5 }), expected);
    const reason = new Error("enough");
    await assert.rejects(stream.loan({ signal: AbortSignal.abort(reason) }), reason);
    held[Symbol.dispose]();
    assert.notEqual(stream.loanSync(), undefined);
  });

  test("says for whom it waits", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t, { buffers: 2 });
    const slow = joinDomain(t, domain, "slow");
    const user = joinDomain(t, domain, "user");
    const used = user.import(stream.handle()).frames({ policy: "newest" });
    (await stream.loan())!.publish();
    using _frame = await used.next();
    assert.deepEqual(stream.waitsFor, ["user"]);
    slow.import(stream.handle()).frames({ policy: "block" });
    (await stream.loan())!.publish();
    assert.deepEqual(stream.waitsFor, ["user", "slow"]);
    await assert.rejects(stream.loan({ timeout: 5 }), { message: /it waits for agent "user", "slow"(;|$)/ });
  });

  test("waits until enough consumers have joined", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t);
    await stream.waitForConsumers(0);
    const joined = stream.waitForConsumers(2);
    stream.frames();
    await assert.rejects(stream.waitForConsumers(2, { timeout: 10 }), {
      code: "ETIMEDOUT",
      message: /Only 1 of 2 consumers have joined stream "stream"/,
    });
    joinDomain(t, domain).import(stream.handle()).frames();
    await joined;
    assert.equal(stream.consumers, 2);
  });

  test("waits for consumers in its blocked thread too", (t) => {
    const { stream } = createStream(t);
    stream.waitForConsumersSync(0);
    assert.throws(() => stream.waitForConsumersSync(1, { timeout: 0 }), { code: "ETIMEDOUT", message: /Only 0 of 1/ });
    using _consumer = stream.frames();
    stream.waitForConsumersSync(1);
    stream.end();
    assert.throws(() => stream.waitForConsumersSync(2), { code: "EPIPE" });
    stream.close();
    assert.throws(() => stream.waitForConsumersSync(0), { code: "EBADF" });
  });
});

describe("a loan", () => {
  test("shows the bytes and the planes of its buffer in place", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { format: imageFormat("NV12", 6, 4, { strideAlignment: 8 }) });
    const loan = (await stream.loan())!;
    loan.bytes.forEach((_, i) => (loan.bytes[i] = i));
    const [luma, chroma] = loan.planes;
    assert.deepEqual([luma.stride, luma.height, luma.bytes.length], [8, 4, 32]);
    assert.deepEqual([chroma!.offset, chroma!.bytes.length, chroma!.bytes[0]], [32, 16, 32]);
    assert.equal(luma.bytes.buffer, loan.buffer.segments[0]!.memory);
    loan.publish();
    const frame = (await stream.frames().next())!;
    assert.deepEqual(
      [...frame.planes[1]!.bytes],
      Array.from({ length: 16 }, (_, i) => 32 + i),
    );
  });

  test("of a tensor shows its elements in place", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { format: tensorFormat([2, 3], "float32") });
    const loan = (await stream.loan())!;
    loan.tensor.set([1, 2, 3, 4, 5, 6.5] as never);
    loan.publish();
    const frame = (await stream.frames().next())!;
    assert.deepEqual([...frame.tensor], [1, 2, 3, 4, 5, 6.5]);
    assert.equal(frame.format.type, "float32");
  });

  test("is gone when it is published or given back, and either twice does no harm", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { buffers: 1 });
    const published = (await stream.loan())!;
    published.publish();
    published[Symbol.dispose]();
    const given = (await stream.loan())!;
    given[Symbol.dispose]();
    given[Symbol.dispose]();
    const held = (await stream.loan())!;
    given[Symbol.dispose]();
    for (const loan of [published, given]) {
      for (const use of [() => loan.bytes, () => loan.planes, () => loan.publish()]) {
        assert.throws(use, { code: "EBADF", message: /was given back/ });
      }
    }
    await assert.rejects(stream.loan({ timeout: 0 }), { code: "ETIMEDOUT" });
    assert.equal(held.publish(), 1);
  });

  test("stays when its data are too long, and can be published with less", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t, { dataBytes: 8 });
    const loan = (await stream.loan())!;
    loan.bytes[0] = 9;
    const expected = { code: "EOVERFLOW", message: /9 bytes as JSON, 8 are allowed \(option "dataBytes"\)/ };
    assert.throws(() => loan.publish({ data: "1234567" }), expected);
    assert.equal(loan.publish({ data: "123456" }), 0);
    const frame = (await stream.frames().next())!;
    assert.deepEqual([frame.data, frame.bytes[0]], ["123456", 9]);
  });

  test("that the code of its data gives back, publishes, or ends the stream of, is not published", async (t) => {
    const { stream } = createStream(t);
    const within: [code: string, published: number, act: (loan: Loan) => void][] = [
      ["EBADF", 0, (loan) => loan[Symbol.dispose]()],
      ["EBADF", 1, (loan) => void loan.publish()],
      ["EPIPE", 1, () => stream.end()],
    ];
    for (const [expected, published, act] of within) {
      const loan = (await stream.loan())!;
      const data = { toJSON: () => (act(loan), 1) } as unknown as JsonValue;
      assert.throws(() => loan.publish({ data }), { code: expected });
      assert.equal(stream.published, published);
    }
  });

  test("gives its frame the time and the data it is published with", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t);
    const before = agentOf(domain).host.nowNs();
    (await stream.loan())!.publish();
    (await stream.loan())!.publish({ timestamp: 40, data: { key: true } });
    const consumer = stream.frames();
    const [plain, rich] = [(await consumer.next())!, (await consumer.next())!];
    assert.equal(plain.timestamp, plain.publishedAt);
    assert.ok(plain.publishedAt >= before && rich.publishedAt >= plain.publishedAt);
    assert.deepEqual([plain.data, rich.timestamp, rich.data], [undefined, 40, { key: true }]);
  });
});

describe("a stream that has ended", () => {
  for (const [how, end] of Object.entries({
    "end()": (stream: { end(): void }) => stream.end(),
    "fail()": (stream: { fail(code: "EIO"): void }) => stream.fail("EIO"),
    "close()": (stream: { close(): void }) => stream.close(),
  })) {
    test(`by ${how} gives no loan, also not to one who waits for it already`, { timeout: 10_000 }, async (t) => {
      const { stream } = createStream(t, { buffers: 1 });
      const held = (await stream.loan())!;
      const waiting = stream.loan();
      const looping = (async () => {
        for await (const _ of stream.loans()) return "a loan";
        return "the end";
      })();
      assert.equal(await isPending(waiting), true);
      end(stream);
      assert.equal(await waiting, undefined);
      assert.equal(await looping, "the end");
      assert.throws(() => held.publish(), { code: "EPIPE", message: /stream "stream" has ended/ });
      held[Symbol.dispose]();
    });
  }

  test("keeps its first reason", { timeout: 10_000 }, async (t) => {
    const { stream } = createStream(t);
    stream.fail("EIO");
    stream.end();
    await assert.rejects(stream.frames().next(), { code: "EIO" });
  });
});

describe("a stream in an agent that does not produce", () => {
  test("refuses to produce with EPERM, and everything with EBADF once it is closed there", async (t) => {
    const { domain, stream } = createStream(t);
    const theirs = joinDomain(t, domain).import(stream.handle());
    assert.deepEqual([theirs.isProducer, theirs.name, theirs.format], [false, "stream", stream.format]);
    const expected = { code: "EPERM", message: /belongs to another agent/ };
    await assert.rejects(theirs.loan(), expected);
    await assert.rejects(theirs.loans().next(), expected);
    await assert.rejects(theirs.waitForConsumers(0), expected);
    assert.throws(() => theirs.waitForConsumersSync(0), expected);
    for (const produce of [() => theirs.loanSync(), () => theirs.end(), () => theirs.fail("EIO")])
      assert.throws(produce, expected);
    theirs.close();
    theirs.close();
    for (const use of [() => theirs.frames(), () => theirs.handle()]) assert.throws(use, { code: "EBADF" });
  });

  test("can be handed on from there", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t);
    const middle = joinDomain(t, domain);
    const last = joinDomain(t, domain);
    const consumer = last.import(structuredClone(middle.import(stream.handle()).handle())).frames();
    (await stream.loan())!.publish();
    assert.equal((await consumer.next())!.sequence, 0);
  });
});

describe("openStream()", () => {
  test("refuses a handle of another domain", (t) => {
    const { stream } = createStream(t);
    assert.throws(() => createDomain(t).import(stream.handle()), {
      code: "EINVAL",
      message: /Cannot import the stream/,
    });
  });

  test("of a stream that is gone is ESTALE, and holds none of its buffers", (t) => {
    const { domain, stream } = createStream(t, { buffers: 2 });
    const handle = stream.handle();
    const kept = domain.import(handle.buffers[0]!);
    handle.close();
    stream.close();
    const worker = joinDomain(t, domain);
    assert.throws(() => worker.import(handle), { code: "ESTALE" });
    assert.deepEqual(
      domain.statistics().map(({ holders }) => holders),
      [["main"]],
    );
    kept.close();
  });

  test("of a stream whose producer has left still gives what it published", { timeout: 10_000 }, async (t) => {
    const { domain, stream } = createStream(t);
    const handle = stream.handle();
    (await stream.loan())!.publish();
    stream.close();
    const consumer = joinDomain(t, domain).import(handle).frames();
    assert.equal((await consumer.next())?.sequence, 0);
    assert.equal(await consumer.next(), undefined);
  });
});

test("a stream's buffers are free when all who had it have closed it", { timeout: 10_000 }, async (t) => {
  const { domain, stream } = createStream(t);
  const theirs = joinDomain(t, domain).import(stream.handle());
  const frames = theirs.frames();
  (await stream.loan())!.publish();
  const frame = (await frames.next())!;
  stream.close();
  assert.equal(domain.statistics().length, 4);
  theirs.close();
  assert.throws(() => frame.bytes, { code: "EBADF" });
  await until(() => domain.statistics().length === 0);
});
