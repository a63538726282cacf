/** A lock that is held across an await for others that need it is reported; nothing else is (lock-watch.1, lock-watch.2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pause } from "../../test/agents.js";
import { createValidated, joinValidated } from "../../test/validated.js";
import type { Fence } from "../fence/fence.js";
import { exported } from "../../test/waiting.js";

const LIMIT = { timeout: 60_000 };
const LONG = 200;

describe("a lock that is held across an await", () => {
  test(
    "is reported once another agent waits for it, with the place where it was taken (lock-watch.1)",
    LIMIT,
    async (t) => {
      const { domain, reports, takeCodes } = createValidated(t);
      const other = joinValidated(t, domain, "friend");
      const buffer = domain.allocate(1, { name: "mine" });
      const theirs = other.domain.import(buffer.handle());
      const lock = await buffer.reservation.lock();
      await pause(LONG);
      assert.deepEqual(takeCodes(), [], "no one needs it");
      const waiting = theirs.reservation.lock();
      await pause(LONG);
      lock.close();
      (await waiting).close();
      assert.deepEqual([takeCodes(), other.takeCodes()], [["lock-across-await"], []]);
      assert.match(
        reports[0]!.message,
        /of buffer "mine" is held over turns of the event loop, and agent "friend" waits for it/,
      );
      assert.match(reports[0]!.places[0]!.where, /lock-watch\.test/);
    },
  );

  test("is reported for another flow of the same thread", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const { reservation } = domain.allocate(1);
    const flow = async (): Promise<void> => {
      using _lock = await reservation.lock();
      await pause(LONG);
    };
    await Promise.all([flow(), flow()]);
    assert.deepEqual(takeCodes(), ["lock-across-await"]);
  });
});

describe("nothing is said of a lock", () => {
  test("that is held for a turn, however many wait for it", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const { reservation } = domain.allocate(1);
    const flow = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        using _lock = await reservation.lock();
        await Promise.resolve();
      }
    };
    await Promise.all([flow(), flow(), flow()]);
    assert.deepEqual(takeCodes(), []);
  });

  test(
    "that is held while its holder waits for a fence, or for another lock under its context (lock-watch.2)",
    LIMIT,
    async (t) => {
      const { domain, takeCodes } = createValidated(t);
      const other = joinValidated(t, domain);
      const [a, b] = [domain.allocate(1), domain.allocate(1)];
      const [theirs, theirB] = [a, b].map((buffer) => other.domain.import(buffer.handle()));
      const [fence, theirFence] = [domain, other.domain].map((each) => each.createTimeline().createFence()) as [
        Fence,
        Fence,
      ];
      setTimeout(() => fence.signal(), LONG);
      setTimeout(() => theirFence.signal(), 3 * LONG);
      const context = domain.createAcquireContext();
      await a.reservation.lock(context);
      const waiting = theirs!.reservation.lock();
      await fence.wait();
      const theirContext = other.domain.createAcquireContext();
      await theirB!.reservation.lock(theirContext);
      const theirWait = theirFence.wait().then(() => theirContext.close());
      await b.reservation.lock(context);
      await theirWait;
      context.close();
      (await waiting).close();
      assert.deepEqual([takeCodes(), other.takeCodes()], [[], []]);
    },
  );

  test("under which an exporter works that takes its time (lock-watch.2)", LIMIT, async (t) => {
    const { domain, takeCodes } = createValidated(t);
    const segments = [{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }];
    const buffer = exported(domain, { map: () => pause(LONG).then(() => segments) });
    const attachment = await buffer.attach();
    const mapping = attachment.map();
    const waiting = buffer.reservation.lock();
    (await mapping).close();
    (await waiting).close();
    assert.deepEqual(takeCodes(), []);
  });
});
