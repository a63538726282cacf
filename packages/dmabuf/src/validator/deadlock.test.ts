import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { createValidated } from "../../test/validated.js";
import { Domain, type DmaBuf, type ValidationReport } from "../index.js";

const LIMIT = { timeout: 60_000 };

/** A validated domain with two buffers, and the codes of what is reported. */
function buffers(t: TestContext) {
  const { domain, reports } = createValidated(t);
  const [a, b] = [domain.allocate(4096, { name: "a" }), domain.allocate(4096, { name: "b" })];
  return { domain, a, b, codes: () => reports.map(({ code }) => code) };
}

test(
  "a deadlock that happens is reported with its circle, in one agent and between two (order-check.5)",
  LIMIT,
  async (t) => {
    const { domain, a, b, codes } = buffers(t);
    const reports: ValidationReport[] = [];
    using other = Domain.join(domain.invite(), { validate: { onReport: (report) => reports.push(report) } });
    using theirA = other.import(a.handle());
    using theirB = other.import(b.handle());
    const crossed = async (one: [DmaBuf, DmaBuf], two: [DmaBuf, DmaBuf]): Promise<void> => {
      const task = async ([outer, inner]: [DmaBuf, DmaBuf]): Promise<void> => {
        using _outer = await outer.reservation.lock();
        await sleep(20);
        // The first one that gives up lets the other go on.
        await inner.reservation.lock(undefined, { timeout: 3000 }).then(
          (lock) => lock.close(),
          (error: unknown) => assert.equal((error as { code: string }).code, "ETIMEDOUT"),
        );
      };
      await Promise.all([task(one), task(two)]);
    };
    await crossed([a, b], [b, a]);
    assert.ok(codes().includes("deadlock"), codes().join());
    const before = codes().length;
    await crossed([a, b], [theirB, theirA]);
    const after = [...codes().slice(before), ...reports.map(({ code }) => code)];
    assert.ok(after.includes("deadlock"), after.join());
  },
);

test("long waits that are no circle are no deadlock", LIMIT, async (t) => {
  const { a, b, codes } = buffers(t);
  const order = async (ms: number): Promise<void> => {
    using _outer = await a.reservation.lock();
    using _inner = await b.reservation.lock();
    await sleep(ms);
  };
  await Promise.all([order(1500), order(10), order(10)]);
  assert.ok(!codes().includes("deadlock") && !codes().includes("lock-order"), codes().join());
});

test("a lock that its own flow has already is waited for without end", LIMIT, async (t) => {
  const { a, codes } = buffers(t);
  using _lock = await a.reservation.lock();
  await assert.rejects(a.reservation.lock(undefined, { timeout: 2000 }), { code: "ETIMEDOUT" });
  assert.ok(codes().includes("deadlock"), codes().join());
});
