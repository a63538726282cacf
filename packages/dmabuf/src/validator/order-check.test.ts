import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { Domain, type DmaBuf, type ValidationReport } from "../index.js";

const LIMIT = { timeout: 60_000 };

/** A validated domain with some buffers, and the codes of what is reported. */
function validated(t: TestContext) {
  const reports: ValidationReport[] = [];
  const domain = Domain.create({ validate: { onReport: (report) => reports.push(report) } });
  t.after(() => domain.close());
  const [a, b, c] = ["a", "b", "c"].map((name) => domain.allocate(4096, { name })) as [DmaBuf, DmaBuf, DmaBuf];
  return { domain, a, b, c, reports, codes: () => reports.map(({ code }) => code) };
}

/** Locks both, one inside the other. */
async function nested(outer: DmaBuf, inner: DmaBuf): Promise<void> {
  using _outer = await outer.reservation.lock();
  using _inner = await inner.reservation.lock();
}

test(
  "two locks that are taken in both orders are reported, although no task ever waits (order-check.1)",
  LIMIT,
  async (t) => {
    const { a, b, reports } = validated(t);
    await nested(a, b);
    assert.equal(reports.length, 0);
    await nested(b, a);
    const [report] = reports;
    assert.equal(report?.code, "lock-order");
    assert.deepEqual(report?.circle, ['the lock of buffer "b"', 'the lock of buffer "a"', 'the lock of buffer "b"']);
    assert.equal(report?.places.length, 4);
    for (const { where } of report?.places ?? []) assert.match(where, /nested .*order-check\.test\.js:\d+/);
  },
);

test("it is said once, and the same order again and again is none", LIMIT, async (t) => {
  const { a, b, reports } = validated(t);
  for (let i = 0; i < 3; i++) await nested(a, b);
  assert.equal(reports.length, 0);
  for (let i = 0; i < 3; i++) await nested(b, a);
  assert.equal(reports.length, 1);
});

test("a circle of three is drawn whole", LIMIT, async (t) => {
  const { a, b, c, reports } = validated(t);
  await nested(a, b);
  await nested(b, c);
  await nested(c, a);
  assert.equal(reports[0]?.circle?.length, 4);
  assert.equal(reports[0]?.places.length, 6);
});

test("blocking calls are looked at as well", LIMIT, (t) => {
  const { a, b, codes } = validated(t);
  for (const [outer, inner] of [
    [a, b],
    [b, a],
  ] as const) {
    using _outer = outer.reservation.lockSync();
    using _inner = inner.reservation.lockSync();
  }
  assert.deepEqual(codes(), ["lock-order"]);
});

test("what is taken by a try holds, and waits for nothing (order-check.3)", LIMIT, (t) => {
  const { a, b, codes } = validated(t);
  {
    using _outer = a.reservation.tryLock();
    using _inner = b.reservation.lockSync();
  }
  {
    using _outer = b.reservation.lockSync();
    using _inner = a.reservation.tryLock();
  }
  assert.deepEqual(codes(), []);
  {
    using _outer = b.reservation.tryLock();
    using _inner = a.reservation.lockSync();
  }
  assert.deepEqual(codes(), ["lock-order"]);
});

test(
  "two tasks that were begun one after the other do not hold each other's locks (async-context.2)",
  LIMIT,
  async (t) => {
    const { a, b, codes } = validated(t);
    const task = async (buffer: DmaBuf): Promise<void> => {
      using _lock = await buffer.reservation.lock();
      await sleep(2);
    };
    for (const order of [
      [a, b],
      [b, a],
    ]) {
      const tasks = order.map(task);
      await Promise.all(tasks);
      const started: Promise<void>[] = [];
      for (const buffer of order) {
        started.push(task(buffer));
        await sleep(1);
      }
      await Promise.all(started);
    }
    assert.deepEqual(codes(), []);
  },
);

test("a task that is begun under a lock, and that no code waits for, orders nothing", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  const background = async (): Promise<void> => {
    using _lock = await b.reservation.lock();
    await sleep(1);
  };
  let later: Promise<void>;
  {
    using _lock = await a.reservation.lock();
    later = background();
    await sleep(10);
  }
  await later;
  await nested(b, a);
  assert.deepEqual(codes(), []);
});

test("a task that is begun under a lock and awaited there orders what it locks", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  const helper = async (): Promise<void> => {
    await sleep(1);
    using _lock = await b.reservation.lock();
    await sleep(1);
  };
  {
    using _lock = await a.reservation.lock();
    await helper();
  }
  await nested(b, a);
  assert.deepEqual(codes(), ["lock-order"]);
});

test("so does one of several that are awaited together, and one that is awaited later", LIMIT, async (t) => {
  const { a, b, c, codes } = validated(t);
  const locks = async (buffer: DmaBuf): Promise<void> => {
    using _lock = await buffer.reservation.lock();
  };
  {
    using _lock = await a.reservation.lock();
    await Promise.all([locks(b)]);
    const later = locks(c);
    await sleep(1);
    await later;
  }
  await nested(b, a);
  await nested(c, a);
  assert.deepEqual(codes(), ["lock-order", "lock-order"]);
});

test("a helper that returns a lock has it taken for its caller", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  const take = async (buffer: DmaBuf) => {
    await sleep(1);
    return buffer.reservation.lock();
  };
  for (const [outer, inner] of [
    [a, b],
    [b, a],
  ] as const) {
    using _outer = await take(outer);
    using _inner = await take(inner);
  }
  assert.deepEqual(codes(), ["lock-order"]);
});

test("a lock that is given back before the next is waited for orders nothing", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    const lock = await first.reservation.lock();
    lock.close();
    using _second = await second.reservation.lock();
  }
  assert.deepEqual(codes(), []);
});

test("locks that are given back hand over hand have an order", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    const one = await first.reservation.lock();
    const other = await second.reservation.lock();
    one.close();
    await sleep(1);
    other.close();
  }
  assert.deepEqual(codes(), ["lock-order"]);
});

test(
  "promise chains, timers and events belong to the flow that waits for them (async-context.1, flows.1)",
  LIMIT,
  async (t) => {
    const { a, b, c, codes } = validated(t);
    {
      using _lock = await a.reservation.lock();
      await b.reservation.lock().then((lock) => lock.close());
      const events = new EventEmitter();
      setTimeout(() => {
        c.reservation.lockSync().close();
        events.emit("done");
      }, 1);
      await once(events, "done");
    }
    await nested(b, a);
    await nested(c, a);
    assert.deepEqual(codes(), ["lock-order", "lock-order"]);
  },
);

test("what many tasks do at the same time stays apart", LIMIT, async (t) => {
  const { domain, codes } = validated(t);
  const buffers = Array.from({ length: 8 }, () => domain.allocate(4096));
  // Each locks in the order of the buffers, and waits for others all the time.
  const task = async (seed: number): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      const first = (seed * 7 + round * 3) % 7;
      using _one = await buffers[first]!.reservation.lock();
      if (round % 2 === 0) await sleep(0);
      using _two = await buffers[first + 1]!.reservation.lock();
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, i) => task(i)));
  // That others wait for so long is another matter.
  assert.ok(!codes().includes("lock-order"));
});

test(
  "locks of one acquire context have no order, and neither have those of lockAll() (order-check.4)",
  LIMIT,
  async (t) => {
    const { domain, a, b, codes } = validated(t);
    for (const order of [
      [a, b],
      [b, a],
    ]) {
      using context = domain.createAcquireContext();
      for (const buffer of order) await buffer.reservation.lock(context);
      context.close();
      using _all = await domain.lockAll(order);
    }
    assert.deepEqual(codes(), []);
    {
      using _lock = await a.reservation.lock();
      using _all = await domain.lockAll([b]);
    }
    await nested(b, a);
    assert.deepEqual(codes(), ["lock-order"]);
  },
);

test("accesses have an order with locks and with each other", LIMIT, async (t) => {
  const { a, b, c, codes } = validated(t);
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    using _one = await first.access("write");
    using _two = await second.access("read");
  }
  assert.deepEqual(codes(), ["lock-order"]);
  {
    using _lock = await a.reservation.lock();
    using _access = await c.access("write");
  }
  {
    using _access = await c.access("read");
    using _lock = await a.reservation.lock();
  }
  assert.deepEqual(codes(), ["lock-order", "lock-order"]);
});

test("readers are not in each other's way", LIMIT, async (t) => {
  const { a, b, codes } = validated(t);
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    using _one = await first.access("read");
    using _two = await second.access("read");
  }
  assert.deepEqual(codes(), []);
});

test(
  "a fence that is waited for under a lock, and whose maker takes that lock before it signals, closes a circle",
  LIMIT,
  async (t) => {
    const { domain, a, codes } = validated(t);
    const timeline = domain.createTimeline({ name: "gpu" });
    const work = async (takesLock: boolean) => {
      const fence = timeline.createFence();
      void fence.handle();
      if (takesLock) (await a.reservation.lock()).close();
      return fence;
    };
    (await work(true)).signal();
    assert.deepEqual(codes(), []);
    const fence = await work(false);
    {
      using _lock = await a.reservation.lock();
      setTimeout(() => fence.signal(), 1);
      await fence.wait();
    }
    assert.deepEqual(codes(), ["lock-order"]);
  },
);

test("a job that takes a lock which is held while the job is waited for closes a circle", LIMIT, async (t) => {
  const { domain, a, reports, codes } = validated(t);
  using queue = domain.createQueue<boolean>({
    name: "jobs",
    async run(job) {
      await sleep(1);
      if (job.data) (await a.reservation.lock()).close();
    },
  });
  await (await queue.submit({ data: true })).wait();
  {
    using _lock = await a.reservation.lock();
    await (await queue.submit({ data: false })).wait();
  }
  assert.deepEqual(codes(), ["lock-order"]);
  assert.deepEqual(reports[0]?.circle, ['the lock of buffer "a"', 'the fences of "jobs"', 'the lock of buffer "a"']);
});

test(
  "two flows that wait for each other's fences in turn, as a ping-pong does, are no circle (order-check.2)",
  LIMIT,
  async (t) => {
    const { domain, codes } = validated(t);
    const [ping, pong] = [domain.createTimeline(), domain.createTimeline()];
    let last = pong.createFence();
    last.signal();
    for (let i = 0; i < 5; i++) {
      const [there, back] = [ping.createFence(), pong.createFence()];
      void there.handle();
      void back.handle();
      await last.wait();
      there.signal();
      await there.wait();
      back.signal();
      last = back;
    }
    assert.deepEqual(codes(), []);
  },
);

test("an order that is learned by one member of the domain is known to the others", LIMIT, async (t) => {
  const { domain, a, b, codes } = validated(t);
  const reports: ValidationReport[] = [];
  using other = Domain.join(domain.invite({ name: "other" }), {
    validate: { onReport: (report) => reports.push(report) },
  });
  using theirA = other.import(a.handle());
  using theirB = other.import(b.handle());
  await nested(a, b);
  await nested(theirB, theirA);
  assert.deepEqual(codes(), []);
  assert.equal(reports[0]?.code, "lock-order");
  assert.match(reports[0]?.places[0]?.what ?? "", /agent "other"/);
  assert.match(reports[0]?.places[2]?.what ?? "", /agent "main"/);
  assert.match(reports[0]?.places[2]?.where ?? "", /nested .*order-check\.test\.js/);
});

test("the program's own asynchronous contexts are left alone", LIMIT, async (t) => {
  const { a, b } = validated(t);
  const own = new AsyncLocalStorage<number>();
  await own.run(1, async () => {
    await nested(a, b);
    assert.equal(own.getStore(), 1);
  });
  assert.equal(own.getStore(), undefined);
});

test("buffers that are gone take their orders with them: the table does not fill", LIMIT, async (t) => {
  const domain = Domain.create({ validate: true, orders: 4 });
  t.after(() => domain.close());
  for (let i = 0; i < 20; i++) {
    using a = domain.allocate(4096);
    using b = domain.allocate(4096);
    await nested(a, b);
  }
  assert.equal(domain.reports.length, 0);
});
