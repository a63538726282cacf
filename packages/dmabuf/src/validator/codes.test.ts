/** What each mistake with fences, reservations and acquire contexts is reported as; and that its right twin is not. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { joinDomain } from "../../test/agents.js";
import { addFence, FENCE_OPS, mistakes, OVER_AWAITS, refused } from "../../test/mistakes.js";
import { createValidated } from "../../test/validated.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { rawFormat } from "../stream/format.js";
import type { Domain } from "../threads.js";

const LIMIT = { timeout: 60_000 };

/** An older context of another agent has the lock of the first buffer, and a young one here that of the second. */
async function contended(domain: Domain, t: TestContext) {
  const [a, b, c] = [1, 2, 3].map(() => domain.allocate(4096)) as [DmaBuf, DmaBuf, DmaBuf];
  const other = joinDomain(t, domain);
  const old = other.createAcquireContext();
  await other.import(a.handle()).reservation.lock(old);
  const young = domain.createAcquireContext();
  await b.reservation.lock(young);
  await refused("EDEADLK", () => a.reservation.lock(young));
  return { a: a.reservation, b: b.reservation, c: c.reservation, old, young };
}

mistakes({
  "FEN-30 a comparison of fences of two contexts": {
    code: "fence-misuse",
    about: /no order/,
    wrong: (domain) => domain.createFence(FENCE_OPS).isLater(domain.createFence(FENCE_OPS)),
    right(domain) {
      const timeline = domain.createTimeline();
      timeline.createFence().isLater(timeline.createFence());
    },
  },
  "FEN-35 a fence that is dropped while a callback waits": {
    code: "fence-dropped",
    about: /was released while something waits for it/,
    wrong(domain) {
      const fence = domain.createFence(FENCE_OPS);
      fence.addCallback(() => {});
      fence[Symbol.dispose]();
    },
    right(domain) {
      const fence = domain.createFence(FENCE_OPS);
      fence.addCallback(() => {});
      fence.signal();
      fence[Symbol.dispose]();
    },
  },
  "FEN-38 an error that is no errno": {
    code: "fence-misuse",
    about: /must be an errno/,
    wrong: (domain) => domain.createFence(FENCE_OPS).setError(1),
    right: (domain) => domain.createFence(FENCE_OPS).setError("EIO"),
  },
  "FEN-38 an error that comes too late": {
    code: "fence-misuse",
    about: /can no longer be set/,
    wrong(domain) {
      const fence = domain.createFence(FENCE_OPS);
      fence.signal();
      fence.setError("EIO");
    },
    right(domain) {
      const fence = domain.createFence(FENCE_OPS);
      fence.setError("EIO");
      fence.signal();
    },
  },
  "ARR-07 a container in an array": {
    code: "fence-misuse",
    about: /takes plain fences/,
    wrong: (domain) => domain.createFenceArray([domain.createFenceArray([domain.createFence(FENCE_OPS)])]),
    right: (domain) => domain.createFenceArray([domain.createFence(FENCE_OPS)]),
  },
  "CHN-13 a link over a chain": {
    code: "fence-misuse",
    about: /holds a plain fence or an array/,
    wrong: (domain) =>
      domain.createFenceChain(undefined, domain.createFenceChain(undefined, domain.createFence(FENCE_OPS), 1), 2),
    right: (domain) =>
      domain.createFenceChain(
        domain.createFenceChain(undefined, domain.createFence(FENCE_OPS), 1),
        domain.createFence(FENCE_OPS),
        2,
      ),
  },
  "RSV-24 a container in a reservation": {
    code: "container-in-reservation",
    about: /takes plain fences/,
    wrong: (domain) => addFence(domain.allocate(1), domain.createFenceArray([domain.createFence(FENCE_OPS)])),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE_OPS)),
  },
  "RSV-24 a container in the place of fences": {
    code: "container-in-reservation",
    about: /takes plain fences/,
    async wrong(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      reservation.replaceFences(7, domain.createFenceArray([domain.createFence(FENCE_OPS)]), "read");
    },
    async right(domain) {
      const { reservation } = domain.allocate(1);
      using _lock = await reservation.lock();
      reservation.replaceFences(7, domain.createFence(FENCE_OPS), "read");
    },
  },
  "RSV-14 a fence without a reserved place": {
    code: "room-not-reserved",
    about: /no room was reserved/,
    wrong: (domain) => assert.rejects(addFence(domain.allocate(1), domain.createFence(FENCE_OPS), false), RangeError),
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE_OPS)),
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
      await assert.rejects(addFence(other, domain.createFence(FENCE_OPS), false), RangeError);
    },
    right: (domain) => addFence(domain.allocate(1), domain.createFence(FENCE_OPS)),
  },
  "WW-10 another lock first after EDEADLK": {
    code: "back-off",
    about: /must unlock all, and lock that of/,
    async wrong(domain, t) {
      const { c, young } = await contended(domain, t);
      young.backOff();
      await refused("EINVAL", () => c.lock(young));
    },
    async right(domain, t) {
      const { a, b, old, young } = await contended(domain, t);
      young.backOff();
      old.close();
      await a.lock(young);
      await b.lock(young);
    },
  },
  "WW-11 the contended lock with others held": {
    code: "back-off",
    about: /holds others still/,
    async wrong(domain, t) {
      const { a, young } = await contended(domain, t);
      await refused("EDEADLK", () => a.lock(young));
    },
    async right(domain, t) {
      const { a, old, young } = await contended(domain, t);
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
  "WW-16 a second context in the same code (lock-watch.3)": {
    code: "back-off",
    about: /was taken under another acquire context than/,
    async wrong(domain) {
      const [a, b] = [domain.allocate(1), domain.allocate(1)];
      const [one, other] = [domain.createAcquireContext(), domain.createAcquireContext()];
      await a.reservation.lock(one);
      await b.reservation.lock(other);
      one.close();
      other.close();
    },
    async right(domain) {
      const [a, b] = [domain.allocate(1), domain.allocate(1)];
      const [one, other] = [domain.createAcquireContext(), domain.createAcquireContext()];
      await a.reservation.lock(one);
      one.close();
      await b.reservation.lock(other);
    },
    options: OVER_AWAITS,
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
});

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
