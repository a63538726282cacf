import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinMortal, until } from "../../test/agents.js";
import { byteAt, counting, deferred, importPaged, PAGE, pinsOf, shared, SIZE } from "../../test/paged.js";
import { DmaBufError } from "../errors.js";

const LIMIT = { timeout: 30_000 };

describe("a fault", () => {
  test(
    "fills the pages of its range that are missing, adjacent ones in one call, and gives the bytes",
    LIMIT,
    async (t) => {
      const { calls, fill } = counting();
      const { own } = shared(t, { fill });
      {
        using range = await own.fault(PAGE + 10, 1);
        assert.deepEqual([range.bytes.length, range.bytes[0]], [1, 2]);
      }
      assert.deepEqual(calls, [[1, 1]]);
      using whole = await own.fault(0, SIZE);
      assert.deepEqual(
        [0, 1, 2, 3].map((page) => whole.bytes[page * PAGE]),
        [1, 2, 3, 4],
      );
      assert.deepEqual(calls, [
        [1, 1],
        [0, 1],
        [2, 2],
      ]);
    },
  );

  test(
    "of another agent asks the exporter's, and what is filled or written by one is seen by all (paged-buffer.1)",
    LIMIT,
    async (t) => {
      const { calls, fill } = counting();
      const { own, other } = shared(t, { fill });
      assert.equal(await byteAt(other, 2 * PAGE), 3);
      {
        using range = await own.fault(2 * PAGE, 1);
        range.bytes[0] = 77;
      }
      assert.equal(await byteAt(other, 2 * PAGE), 77);
      assert.deepEqual(calls, [[2, 1]]);
    },
  );

  test(
    "has whole pages of the size that was chosen filled, and the last one as far as the buffer goes",
    LIMIT,
    async (t) => {
      const lengths: (readonly [number, number])[] = [];
      const { other } = shared(t, {
        size: 3 * PAGE + 100,
        pageSize: 2 * PAGE,
        fill: (offset, bytes) => void lengths.push([offset, bytes.length]),
      });
      await byteAt(other, 0);
      await byteAt(other, PAGE);
      await byteAt(other, 3 * PAGE + 99);
      assert.deepEqual(lengths, [
        [0, 2 * PAGE],
        [2 * PAGE, PAGE + 100],
      ]);
      assert.throws(() => other.faultSync(3 * PAGE, 101), { code: "EINVAL" });
    },
  );

  test("of two agents at once has the page filled once, and both wait for that (paged-buffer.2)", LIMIT, async (t) => {
    const filled = deferred();
    let calls = 0;
    const { own, other } = shared(t, {
      async fill(_offset, bytes) {
        calls++;
        await filled.promise;
        bytes.fill(9);
      },
    });
    const faults = [own.fault(0, 1), other.fault(0, 1), other.fault(0, 2 * PAGE)];
    for (const fault of faults) assert.ok(await isPending(fault));
    filled.resolve();
    for (const fault of faults) {
      using range = await fault;
      assert.equal(range.bytes[0], 9);
    }
    assert.equal(calls, 2, "the page that both touch, and the one behind it");
  });

  test(
    "gets the error of what fills, in another agent its code, and the next one fills again (paged-buffer.2)",
    { ...LIMIT, skip: "process" in globalThis ? false : "a page has no process that warns" },
    async (t) => {
      const failures: Error[] = [
        new DmaBufError("ENODATA", "the first"),
        new DmaBufError("EREMOTEIO", "the second"),
        new TypeError("a mistake"),
      ];
      const warnings: string[] = [];
      const { owner, own, other } = shared(t, {
        fill(_offset, bytes) {
          const failure = failures.shift();
          if (failure !== undefined) throw failure;
          bytes.fill(5);
        },
      });
      t.mock.method(process, "emitWarning", (text: string) => void warnings.push(text));
      await assert.rejects(own.fault(0, 1), { code: "ENODATA", message: /the first/ });
      await assert.rejects(other.fault(0, 1), { code: "EREMOTEIO" });
      await assert.rejects(other.fault(0, 1), { code: "EIO" });
      assert.match(warnings.join(), /fills the pages of a buffer threw: .*a mistake/);
      assert.equal(await byteAt(other, 0), 5);
      assert.equal(pinsOf(owner), 0);
    },
  );

  test("that gives up lets the fill go on, which the next one finds done", LIMIT, async (t) => {
    const filled = deferred();
    let calls = 0;
    const { other } = shared(t, {
      async fill(_offset, bytes) {
        calls++;
        await filled.promise;
        bytes.fill(3);
      },
    });
    await assert.rejects(other.fault(0, 1, { timeout: 20 }), { code: "ETIMEDOUT", message: /agent "main"/ });
    await assert.rejects(other.fault(0, 1, { signal: AbortSignal.timeout(5) }), { name: "TimeoutError" });
    filled.resolve();
    assert.equal(await byteAt(other, 0), 3);
    assert.equal(calls, 1);
  });

  test("of pages that the call touches which fills them is EDEADLK, and no endless call", LIMIT, (t) => {
    const { own } = shared(t, { fill: () => void own.faultSync(0, 1) });
    assert.throws(() => own.faultSync(0, 1), { code: "EDEADLK" });
  });

  test(
    "ends with EBADF when its holder is closed, and the buffer is freed when the fill is over (paged-buffer.5)",
    LIMIT,
    async (t) => {
      const filled = deferred();
      let released = 0;
      const { owner, own, other } = shared(t, { fill: () => filled.promise, release: () => void released++ });
      const fault = other.fault(0, 1);
      await isPending(fault);
      own.close();
      other.close();
      await assert.rejects(fault, { code: "EBADF" });
      await until(() => owner.statistics().length <= 1);
      assert.equal(released, 0);
      filled.resolve();
      await until(() => released === 1);
      assert.equal(owner.statistics().length, 0);
    },
  );

  test("works when its exporter has closed the buffer, as long as the agent is there", LIMIT, async (t) => {
    const { fill } = counting();
    let released = 0;
    const { own, other } = shared(t, { fill, release: () => void released++ });
    own.close();
    assert.equal(await byteAt(other, PAGE), 2);
    other.close();
    await until(() => released === 1);
  });

  test(
    "keeps the storage where it is while it fills, and while the range is in use (paged-buffer.5)",
    LIMIT,
    async (t) => {
      const filled = deferred();
      const { own, other } = shared(t, { fill: () => filled.promise });
      const to = [{ memory: new SharedArrayBuffer(SIZE), offset: 0, length: SIZE }];
      const fault = own.fault(0, 1);
      await assert.rejects(own.move(to), { code: "EBUSY" });
      filled.resolve();
      const range = await fault;
      await assert.rejects(own.move(to), { code: "EBUSY", message: /pinned by this thread / });
      range.close();
      await own.move(to);
      assert.equal(await byteAt(other, 0), 0);
    },
  );

  test(
    "finds what was written also where the storage was moved, and fills the rest there, by segments",
    LIMIT,
    async (t) => {
      const { calls, fill } = counting();
      const { own, other } = shared(t, { fill });
      {
        using range = await own.fault(0, 1);
        range.bytes[0] = 50;
      }
      const [first, rest] = [PAGE + 2048, SIZE - PAGE - 2048].map((length) => ({
        memory: new SharedArrayBuffer(length),
        offset: 0,
        length,
      })) as [{ memory: SharedArrayBuffer; offset: number; length: number }, never];
      await own.move([first, rest]);
      assert.equal(await byteAt(other, 0), 50);
      assert.equal(await byteAt(other, PAGE + 3000), 2);
      assert.deepEqual(calls, [
        [0, 1],
        [1, 0.5],
        [1.5, 0.5],
      ]);
    },
  );
});

describe("an exporter that is gone", () => {
  test(
    "leaves what is filled to those that know it, and other faults fail with ESRCH (paged-buffer.6)",
    DIES,
    async (t) => {
      const user = createDomain(t);
      const { domain: owner, die } = joinMortal(user, "owner");
      const { fill } = counting();
      const other = importPaged(user, owner.createPagedBuffer({ size: SIZE, fill }));
      assert.equal(await byteAt(other, 0), 1);
      await die();
      assert.equal(await byteAt(other, 0), 1);
      await assert.rejects(other.fault(PAGE, 1), { code: "ESRCH" });
      await assert.rejects(other.pin(), { code: "ESRCH" });
    },
  );

  test("while it fills ends the fault that waits with ESRCH (paged-buffer.6)", DIES, async (t) => {
    const user = createDomain(t);
    const { domain: owner, die } = joinMortal(user, "owner");
    const other = importPaged(user, owner.createPagedBuffer({ size: SIZE, fill: () => new Promise(() => {}) }));
    const fault = other.fault(0, 1);
    assert.ok(await isPending(fault));
    await die();
    await assert.rejects(fault, { code: "ESRCH" });
  });

  test("leaves a buffer that was pinned to all accesses", DIES, async (t) => {
    const user = createDomain(t);
    const { domain: owner, die } = joinMortal(user, "owner");
    const other = importPaged(user, owner.createPagedBuffer({ size: SIZE, fill: counting().fill }));
    using _pin = await other.pin();
    await die();
    using access = await other.access("read");
    assert.equal(access.bytes[PAGE], 2);
  });
});
