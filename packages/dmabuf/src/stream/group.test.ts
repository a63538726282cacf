import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { publish, streamed, takeAll } from "../../test/streams.js";
import type { Consumer } from "./consumer.js";
import { rawFormat } from "./format.js";
import type { Frame } from "./frame.js";
import type { FrameStream } from "./frame-stream.js";

const LIMITED = { timeout: 10_000 };

function members(stream: FrameStream, count: number, options = {}): Consumer[] {
  return Array.from({ length: count }, () => stream.frames({ group: "workers", ...options }));
}

async function work(consumer: Consumer): Promise<number[]> {
  const sequences: number[] = [];
  for await (using frame of consumer) sequences.push(frame.sequence);
  return sequences;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function sorted(lists: readonly number[][]): number[] {
  return lists.flat().sort((a, b) => a - b);
}

describe("a group", () => {
  test("gets each frame once, beside other groups and consumers, which get all", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const workers = [...members(theirs, 2), ...members(stream, 1)].map(work);
    const others = [...members(theirs, 2, { group: "others" })].map(work);
    const plain = work(stream.frames());
    assert.equal(stream.consumers, 6);
    await publish(stream, 50);
    stream.end();
    const done = await Promise.all(workers);
    assert.deepEqual(sorted(done), upTo(50));
    assert.deepEqual(sorted(await Promise.all(others)), upTo(50));
    assert.deepEqual(await plain, upTo(50));
    for (const sequences of done) assert.deepEqual(sequences, sorted([sequences]), "in order of arrival");
  });

  test("gives its frames in the order in which they were published", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 4);
    const [one, two] = members(theirs, 2) as [Consumer, Consumer];
    await publish(stream, 4);
    const taken: Frame[] = [];
    for (const consumer of [one, two, two, one]) taken.push((await consumer.next())!);
    assert.deepEqual(
      taken.map(({ sequence }) => sequence),
      upTo(4),
    );
  });

  test("holds the producer until its frames are given back, and is named then", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [one, two] = members(theirs, 2) as [Consumer, Consumer];
    assert.deepEqual([one.group, one.policy], ["workers", "block"]);
    await publish(stream, 2);
    assert.deepEqual(stream.waitsFor, ["worker"]);
    const [first, second] = [(await one.next())!, (await two.next())!];
    const loan = stream.loan();
    assert.equal(await isPending(loan), true);
    second.close();
    (await loan)!.publish();
    assert.equal((await two.next())!.sequence, 2);
    await assert.rejects(stream.loan({ timeout: 0 }), { code: "ETIMEDOUT", message: /agent "worker"/ });
    first.close();
    assert.deepEqual(await takeAll(two), []);
    await publish(stream);
    assert.deepEqual([one.missed, two.missed], [0, 0]);
  });

  test("has one policy, and a stream has room for 8 groups", (t) => {
    const { stream, theirs } = streamed(t);
    members(theirs, 1)[0]!.close();
    assert.throws(() => theirs.frames({ group: "workers", policy: "newest" }), {
      code: "EINVAL",
      message: /group "workers" with policy "newest"/,
    });
    for (let i = 1; i < 8; i++) stream.frames({ group: `group ${i}` });
    assert.throws(() => stream.frames({ group: "one more" }), { code: "ENOSPC", message: /8 others/ });
    assert.throws(() => stream.frames({ group: 7 as never }), TypeError);
    assert.throws(() => stream.frames({ group: "x".repeat(32) }), { code: "EINVAL" });
    assert.equal(stream.consumers, 7, "who was refused has left");
    members(stream, 1);
  });

  test("is told from others by its whole name", (t) => {
    const { stream } = streamed(t);
    const names = ["", "work", "worker", "workers", "x".repeat(28), "x".repeat(31), "\u{1f600}", "work\u00ff"];
    for (const group of names) stream.frames({ group });
    for (const group of names) stream.frames({ group });
    assert.throws(() => stream.frames({ group: "wor" }), { code: "ENOSPC" });
  });

  test("is forgotten with its stream, whose slot the next one has", LIMITED, async (t) => {
    const domain = createDomain(t, { streams: 1 });
    const other = joinDomain(t, domain);
    const old = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const theirs = other.import(old.handle());
    const frames = theirs.frames({ group: "workers", policy: "newest" });
    await publish(old);
    const held = (await frames.next())!;
    for (let i = 1; i < 8; i++) old.frames({ group: `group ${i}` });
    old.close();
    frames.close();
    held.close();
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const mine = other.import(stream.handle()).frames({ group: "workers" });
    await publish(stream);
    assert.equal((await mine.next())!.sequence, 0);
  });
});

describe("a group that may lose frames", () => {
  test("does not hold the producer, and counts what none of it has got", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [one, two] = members(theirs, 2, { policy: "drop-oldest" }) as [Consumer, Consumer];
    await publish(stream, 6);
    assert.equal((await one.next())!.sequence, 4);
    assert.equal((await two.next())!.sequence, 5);
    assert.deepEqual([one.missed, two.missed], [4, 4]);
    assert.equal(members(theirs, 1, { policy: "drop-oldest" })[0]!.missed, 0);
  });

  test("takes the newest frame, and then none that is older", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const [one, two] = members(theirs, 2, { policy: "newest" }) as [Consumer, Consumer];
    await publish(stream, 3);
    using frame = (await one.next())!;
    assert.equal(frame.sequence, 2);
    assert.deepEqual(await takeAll(two), []);
    await publish(stream);
    assert.deepEqual(await takeAll(two), [3]);
    await publish(stream, 2);
    assert.equal(two.missed, 2);
    stream.end();
    assert.deepEqual(await takeAll(two), [5]);
  });
});

describe("a frame of a group", () => {
  test("goes to another member if its own leaves without giving it back", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 3);
    const [one, two] = members(theirs, 2) as [Consumer, Consumer];
    await publish(stream, 3);
    const [first] = [(await one.next())!, (await one.next())!];
    first.close();
    const other = stream.frames({ group: "workers" });
    assert.deepEqual(await takeAll(other), [2]);
    const next = two.next();
    assert.equal(await isPending(next), true);
    one.close();
    assert.equal((await next)!.sequence, 1);
  });

  test("goes to another member if its own agent dies, which no stream's end prevents", DIES, async (t) => {
    const domain = createDomain(t);
    const stream = domain.createStream({ format: rawFormat(8), buffers: 3 });
    const mortal = joinMortal(domain);
    const [doomed] = members(mortal.domain.import(stream.handle()), 1) as [Consumer];
    const [mine] = members(stream, 1) as [Consumer];
    await publish(stream, 2);
    assert.equal((await doomed.next())!.sequence, 0);
    assert.deepEqual(await takeAll(mine), [1]);
    stream.end();
    const last = mine.next();
    assert.equal(await isPending(last), true);
    await mortal.die();
    using frame = await last;
    assert.equal(frame!.sequence, 0);
    assert.equal(await mine.next(), undefined, "no member waits for what it has itself");
  });

  test("is awaited when the stream has ended, until it is given back", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [one, two] = members(theirs, 2) as [Consumer, Consumer];
    await publish(stream);
    const frame = (await one.next())!;
    stream.end();
    const last = two.next();
    assert.equal(await isPending(last), true);
    frame.close();
    assert.equal(await last, undefined);
  });

  test("stays while its group has no member, and the group goes on where it was", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [one] = members(theirs, 1) as [Consumer];
    await publish(stream, 2);
    (await one.next())!.close();
    await one.next();
    one.close();
    const [next] = members(theirs, 1) as [Consumer];
    assert.deepEqual(await takeAll(next), [1]);
    next.close();
    await publish(stream, 5);
    const [late] = members(theirs, 1) as [Consumer];
    assert.deepEqual(await takeAll(late), [5, 6]);
    assert.equal(late.missed, 0);
  });
});

describe("a member that waits", () => {
  test("gets a frame before another gets its second", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [fast, ...waiting] = members(theirs, 4) as [Consumer, ...Consumer[]];
    const got: string[] = [];
    const taking = waiting.map(async (consumer, i) => {
      using _frame = (await consumer.next())!;
      got.push(`waiting ${i}`);
    });
    await isPending(Promise.all(taking));
    const again = (async () => {
      for (let i = 0; i < 2; i++) {
        using _frame = (await fast.next())!;
        got.push("fast");
      }
    })();
    await publish(stream, 5);
    await Promise.all([...taking, again]);
    assert.deepEqual(got, ["waiting 0", "waiting 1", "waiting 2", "fast", "fast"]);
  });

  test("loses its turn if it does not come, and the others go on", BLOCKS, (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [stopped, other] = members(theirs, 2) as [Consumer, Consumer];
    // This thread blocks: what waits in its event loop does not come.
    const waits = stopped.next();
    stream.loanSync()!.publish();
    assert.equal(other.tryNext(), undefined);
    other.nextSync({ timeout: 30_000 })!.close();
    // Fifty frames that each wait take longer than 200 ms; others do so when the machine is busy, but not each time.
    const fifty = (): number => {
      const start = performance.now();
      for (let i = 0; i < 50; i++) {
        stream.loanSync()!.publish();
        other.nextSync()!.close();
      }
      return performance.now() - start;
    };
    assert.ok(
      Array.from({ length: 20 }).some(() => fifty() < 200),
      "each frame has waited",
    );
    stopped.close();
    return waits.then(() => {});
  });

  test("is no longer waited for when its time is over", LIMITED, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [one, two] = members(theirs, 2) as [Consumer, Consumer];
    await assert.rejects(one.next({ timeout: 1 }), { code: "ETIMEDOUT" });
    const abort = new AbortController();
    const aborted = one.next({ signal: abort.signal });
    abort.abort();
    await assert.rejects(aborted);
    await publish(stream);
    assert.equal(two.tryNext()!.sequence, 0);
  });

  test("and blocks the thread that alone could publish is refused", BLOCKS, async (t) => {
    const { stream, theirs } = streamed(t, 2);
    const [own] = members(stream, 1) as [Consumer];
    assert.throws(() => own.nextSync(), { code: "EDEADLK" });
    await publish(stream);
    using _frame = own.nextSync()!;
    assert.throws(() => own.nextSync(), { code: "EDEADLK" });
    await publish(stream);
    assert.throws(() => stream.loanSync(), { code: "EDEADLK" });
    members(theirs, 1);
    assert.throws(() => stream.loanSync({ timeout: 1 }), { code: "ETIMEDOUT", message: /agent "worker"/ });
  });
});
