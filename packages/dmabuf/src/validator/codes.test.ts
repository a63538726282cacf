/** What each mistake is reported as, where the library itself finds it; and that its right twin is not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCKS } from "../../test/blocking.js";
import { createValidated } from "../../test/validated.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { rawFormat } from "../stream/format.js";
import type { Domain } from "../threads.js";

const LIMIT = { timeout: 60_000 };

/** A mistake, and the same done rightly. */
interface Case {
  readonly code: string;
  readonly about: RegExp;
  readonly wrong: (domain: Domain) => unknown;
  readonly right: (domain: Domain) => unknown;
  readonly options?: { readonly skip?: string | boolean };
}

const FENCE = { driverName: "driver", timelineName: "line" };

/** Two contexts, an old one that has the lock of the first buffer, and a young one with that of the second. */
async function contended(domain: Domain) {
  const [a, b, c] = [1, 2, 3].map(() => domain.allocate(4096)) as [DmaBuf, DmaBuf, DmaBuf];
  const [old, young] = [domain.createAcquireContext(), domain.createAcquireContext()];
  // Two flows: each has one context.
  const [, error] = await Promise.all([
    a.reservation.lock(old),
    (async () => {
      await b.reservation.lock(young);
      return a.reservation.lock(young).catch((refusal: unknown) => refusal);
    })(),
  ]);
  assert.equal((error as { code: string }).code, "EDEADLK");
  return { a: a.reservation, b: b.reservation, c: c.reservation, old, young };
}

async function refused(code: string, run: () => unknown): Promise<void> {
  await assert.rejects(async () => run(), { code });
}

async function addFence(buffer: DmaBuf, fence: Parameters<DmaBuf["reservation"]["addFence"]>[0], reserve = true) {
  using _lock = await buffer.reservation.lock();
  if (reserve) buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, "write");
}

const CASES: Record<string, Case> = {
  "FEN-30 a comparison of fences of two contexts": {
    code: "fence-misuse",
    about: /no order/,
    wrong: (domain) => domain.createFence(FENCE).isLater(domain.createFence(FENCE)),
    right(domain) {
      const timeline = domain.createTimeline();
      timeline.createFence().isLater(timeline.createFence());
    },
  },
  "FEN-35 a fence that is dropped while a callback waits": {
    code: "fence-dropped",
    about: /was released while something waits for it/,
    wrong(domain) {
      const fence = domain.createFence(FENCE);
      fence.addCallback(() => {});
      fence[Symbol.dispose]();
    },
    right(domain) {
      const fence = domain.createFence(FENCE);
      fence.addCallback(() => {});
      fence.signal();
      fence[Symbol.dispose]();
    },
  },
  "FEN-38 an error that is no errno": {
    code: "fence-misuse",
    about: /must be an errno/,
    wrong: (domain) => domain.createFence(FENCE).setError(1),
    right: (domain) => domain.createFence(FENCE).setError("EIO"),
  },
  "FEN-38 an error that comes too late": {
    code: "fence-misuse",
    about: /can no longer be set/,
    wrong(domain) {
      const fence = domain.createFence(FENCE);
      fence.signal();
      fence.setError("EIO");
    },
    right(domain) {
      const fence = domain.createFence(FENCE);
      fence.setError("EIO");
      fence.signal();
    },
  },
  "ARR-07 a container in an array": {
    code: "fence-misuse",
    about: /takes plain fences/,
    wrong: (domain) => domain.createFenceArray([domain.createFenceArray([domain.createFence(FENCE)])]),
    right: (domain) => domain.createFenceArray([domain.createFence(FENCE)]),
  },
  "CHN-13 a link over a chain": {
    code: "fence-misuse",
    about: /holds a plain fence or an array/,
    wrong: (domain) =>
      domain.createFenceChain(undefined, domain.createFenceChain(undefined, domain.createFence(FENCE), 1), 2),
    right: (domain) =>
      domain.createFenceChain(
        domain.createFenceChain(undefined, domain.createFence(FENCE), 1),
        domain.createFence(FENCE),
        2,
      ),
  },
  "RSV-24 a container in a reservation": {
    code: "container-in-reservation",
    about: /takes plain fences/,
    wrong: (domain) => addFence(domain.allocate(1), domain.createFenceArray([domain.createFence(FENCE)])),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE)),
  },
  "RSV-24 a container in the place of fences": {
    code: "container-in-reservation",
    about: /takes plain fences/,
    async wrong(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      reservation.replaceFences(7, domain.createFenceArray([domain.createFence(FENCE)]), "read");
    },
    async right(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      reservation.replaceFences(7, domain.createFence(FENCE), "read");
    },
  },
  "RSV-14 a fence without a reserved place": {
    code: "room-not-reserved",
    about: /no room was reserved/,
    wrong: (domain) => assert.rejects(addFence(domain.allocate(1), domain.createFence(FENCE), false), RangeError),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE)),
  },
  "RSV-15 a place that was reserved in an earlier section": {
    code: "room-not-reserved",
    about: /no room was reserved/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      buffer.reservation.lockSync();
      buffer.reservation.reserveFences(1);
      buffer.reservation.tryLock();
      const other = domain.allocate(1);
      {
        using _lock = await other.reservation.lock();
        other.reservation.reserveFences(1);
      }
      await assert.rejects(addFence(other, domain.createFence(FENCE), false), RangeError);
    },
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE)),
  },
  "a fence that is added without the lock": {
    code: "exporter-lock",
    about: /is not locked/,
    wrong: (domain) =>
      refused("EPERM", () => domain.allocate(1).reservation.addFence(domain.createFence(FENCE), "write")),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE)),
  },
  "DBF-30 a mapping without the lock": {
    code: "exporter-lock",
    about: /is not locked/,
    async wrong(domain) {
      const attachment = await domain.allocate(1).attach();
      await refused("EPERM", () => attachment.mapLocked());
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach();
      using _lock = await buffer.reservation.lock();
      await attachment.mapLocked();
    },
  },
  "an access that begins with the lock held": {
    code: "exporter-lock",
    about: /Do not begin an access/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      using _lock = await buffer.reservation.lock();
      using _access = await buffer.access("read");
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      (await buffer.reservation.lock()).close();
      using _access = await buffer.access("read");
    },
  },
  "WW-10 another lock first after EDEADLK": {
    code: "back-off",
    about: /must unlock all, and lock that of/,
    async wrong(domain) {
      const { c, young } = await contended(domain);
      young.backOff();
      await refused("EINVAL", () => c.lock(young));
    },
    async right(domain) {
      const { a, b, old, young } = await contended(domain);
      young.backOff();
      old.close();
      await a.lock(young);
      await b.lock(young);
    },
  },
  "WW-11 the contended lock with others held": {
    code: "back-off",
    about: /holds others still/,
    async wrong(domain) {
      const { a, young } = await contended(domain);
      await refused("EDEADLK", () => a.lock(young));
    },
    async right(domain) {
      const { a, old, young } = await contended(domain);
      young.backOff();
      old.close();
      await a.lock(young);
    },
  },
  "WW-14 a lock after the context is done": {
    code: "back-off",
    about: /its acquire context is done/,
    async wrong(domain) {
      const [a, b] = [domain.allocate(1), domain.allocate(1)];
      const context = domain.createAcquireContext();
      await a.reservation.lock(context);
      context.done();
      await refused("EINVAL", () => b.reservation.lock(context));
    },
    async right(domain) {
      const [a, b] = [domain.allocate(1), domain.allocate(1)];
      const context = domain.createAcquireContext();
      await a.reservation.lock(context);
      await b.reservation.lock(context);
      context.done();
    },
  },
  "WW-15 a context that is done twice": {
    code: "back-off",
    about: /is done, but it was done before/,
    wrong(domain) {
      const context = domain.createAcquireContext();
      context.done();
      context.done();
    },
    right: (domain) => domain.createAcquireContext().done(),
  },
  "a thread that blocks for its own fence": {
    code: "own-fence",
    about: /only this thread can signal/,
    wrong: (domain) => refused("EDEADLK", () => domain.createTimeline().createFence().waitSync()),
    right(domain) {
      const fence = domain.createTimeline().createFence();
      fence.signal();
      fence.waitSync();
      domain.createTimeline().createFence().waitSync({ timeout: 0 });
    },
    options: BLOCKS,
  },
  "a thread that blocks for a buffer that carries its own fence": {
    code: "own-fence",
    about: /only this thread can signal/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      await addFence(buffer, domain.createTimeline().createFence());
      await refused("EDEADLK", () => buffer.accessSync("read"));
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const fence = domain.createTimeline().createFence();
      await addFence(buffer, fence);
      fence.signal();
      buffer.accessSync("read").close();
    },
    options: BLOCKS,
  },
  "a wait for an own fence that lasts until its time limit": {
    code: "own-fence",
    about: /in its 50 ms, and this thread itself waited for it/,
    async wrong(domain) {
      const fence = domain.createTimeline({ timeLimit: 50 }).createFence();
      await fence.wait();
      fence.signal();
    },
    async right(domain) {
      const fence = domain.createTimeline({ timeLimit: 20_000 }).createFence();
      setTimeout(() => fence.signal(), 20);
      await fence.wait();
    },
  },
  "a thread that blocks for a lock of its own": {
    code: "deadlock",
    about: /this thread holds it itself/,
    async wrong(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      await refused("EDEADLK", () => reservation.lockSync());
    },
    right(domain) {
      const { reservation } = domain.allocate(1);
      reservation.lockSync().close();
      reservation.lockSync().close();
    },
    options: BLOCKS,
  },
  "a job's bytes that are used after the job": {
    code: "work-after-fence",
    about: /goes on after its fence has signaled/,
    async wrong(domain) {
      const buffer = domain.allocate(4096);
      let late: Promise<void> | undefined;
      const queue = domain.createQueue({
        run(job) {
          const access = job.access(buffer);
          late = new Promise((resolve) => setTimeout(resolve, 20)).then(() => void access.bytes.fill(1));
        },
      });
      await (await queue.submit({ writes: [buffer] })).wait();
      await refused("EBADF", () => late);
    },
    async right(domain) {
      const buffer = domain.allocate(4096);
      const queue = domain.createQueue({
        async run(job) {
          const access = job.access(buffer);
          await new Promise((resolve) => setTimeout(resolve, 20));
          access.bytes.fill(1);
        },
      });
      await (await queue.submit({ writes: [buffer] })).wait();
    },
  },
  "an importer that pins without being dynamic": {
    code: "exporter-lock",
    about: /Only a dynamic importer may pin/,
    async wrong(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach();
      using _lock = await buffer.reservation.lock();
      await attachment.pin();
    },
    async right(domain) {
      const buffer = domain.allocate(1);
      const attachment = await buffer.attach({ moveNotify() {} });
      using _lock = await buffer.reservation.lock();
      await attachment.pin();
      attachment.unpin();
    },
  },
};

for (const [name, { code, about, wrong, right, options = {} }] of Object.entries(CASES)) {
  describe(name, () => {
    test(`is reported as "${code}", once, and with its page`, { ...LIMIT, ...options }, async (t) => {
      const { domain, reports } = createValidated(t);
      for (let i = 0; i < 2; i++) await wrong(domain);
      assert.deepEqual([...new Set(reports.map((report) => report.code))], [code]);
      assert.match(reports[0]!.message, about);
      assert.match(reports[0]!.url, new RegExp(`docs/validator\\.md#${code}$`));
      assert.notEqual(reports[0]!.places.length, 0);
    });

    test("is no mistake where it is done rightly", { ...LIMIT, ...options }, async (t) => {
      const { domain, reports } = createValidated(t);
      await right(domain);
      assert.deepEqual(
        reports.map(({ text }) => text),
        [],
      );
    });
  });
}

test(
  "an injected deadlock makes a context back off, again and again, and it still gets all locks",
  LIMIT,
  async (t) => {
    const { domain, reports } = createValidated(t, {}, { injectDeadlocks: true });
    const buffers = Array.from({ length: 4 }, () => domain.allocate(1));
    const context = domain.createAcquireContext();
    let backedOff = 0;
    const all = buffers.map(({ reservation }) => reservation);
    const order = [...all];
    while (context.acquired < all.length) {
      try {
        for (const reservation of order.slice(context.acquired)) await reservation.lock(context);
      } catch (error) {
        assert.equal((error as { code: string }).code, "EDEADLK");
        backedOff++;
        context.backOff();
        const { reservation } = error as { readonly reservation: (typeof all)[number] };
        order.sort((a, b) => Number(b === reservation) - Number(a === reservation));
      }
    }
    context.done();
    assert.ok(backedOff > 0);
    context.close();
    (await domain.lockAll(buffers)).close();
    assert.deepEqual(reports, []);
  },
);

test("nothing is injected and nothing reported where no one asks for it", LIMIT, async (t) => {
  const { domain, reports } = createValidated(t);
  const buffers = Array.from({ length: 4 }, () => domain.allocate(1));
  const context = domain.createAcquireContext();
  for (const { reservation } of buffers) await reservation.lock(context);
  context.close();
  const stream = domain.createStream({ format: rawFormat(1) });
  stream.frames().close();
  assert.deepEqual(reports, []);
});
