import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinMortal, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { byteAt, counting, deferred, importPaged, PAGE, pinsOf, shared, SIZE } from "../../test/paged.js";
import { DmaBufError } from "../errors.js";
import { PagedBuffer } from "./paged-buffer.js";

const LIMIT = { timeout: 30_000 };

describe("a paged buffer that is not pinned", () => {
  const refused = { code: "EFAULT", message: /pin\(\) it first/ };

  test(
    "is refused wherever others wait by fences, in each agent, and nothing is left of that (paged-buffer.3)",
    LIMIT,
    async (t) => {
      const { owner, user, own, other } = shared(t, { fill: counting().fill });
      const attachment = await other.attach({ name: "camera" });
      for (const [domain, buffer] of [
        [owner, own],
        [user, other],
      ] as const) {
        using queue = domain.createQueue({ run() {} });
        await assert.rejects(buffer.access("read"), refused);
        assert.throws(() => buffer.accessSync("write"), refused);
        assert.throws(() => buffer.tryAccess("write"), refused);
        await assert.rejects(buffer.beginCpuAccess("read"), refused);
        assert.throws(() => buffer.mmap(), refused);
        assert.throws(() => buffer.segments, refused);
        await assert.rejects(queue.submit({ reads: [buffer] }), refused);
        assert.throws(() => queue.submitSync({ writes: [buffer] }), refused);
        assert.throws(() => queue.trySubmit({ writes: [buffer] }), refused);
        assert.throws(() => domain.createModuleWindow(new WebAssembly.Memory({ initial: 1 }), buffer), refused);
      }
      await assert.rejects(attachment.map("read"), refused);
      assert.equal(pinsOf(owner), 0);
      using _pin = await other.pin();
      for (const buffer of [own, other]) {
        using access = await buffer.access("write");
        assert.equal(access.bytes[0], 1);
      }
    },
  );

  test("is used as any other while it is pinned, by whichever agent (paged-buffer.4)", LIMIT, async (t) => {
    const { owner, user, own, other } = shared(t, { fill: counting().fill });
    const pins = [await own.pin(), await other.pin()];
    assert.deepEqual([own.isPinned, other.isPinned, pins[1]!.bytes[3 * PAGE]], [true, true, 4]);
    using queue = user.createQueue({
      run(job) {
        for (const buffer of job.writes) job.access(buffer).bytes[0] = 60;
      },
    });
    await (await queue.submit({ writes: [other] })).result();
    using attachment = await other.attach();
    (await attachment.map("read")).close();
    own.mmap().close();
    assert.equal((await own.access("read")).bytes[0], 60);
    pins[0]!.close();
    assert.equal(other.isPinned, true);
    pins[1]!.close();
    await until(() => !own.isPinned);
    await assert.rejects(other.access("read"), refused);
    assert.equal(pinsOf(owner), 0);
    assert.equal(await byteAt(own, 0), 60);
  });

  test("can be named by a long-running job, which faults what it needs (paged-buffer.3)", LIMIT, async (t) => {
    const { user, other } = shared(t, { fill: counting().fill });
    const seen: unknown[] = [];
    using queue = user.createQueue({
      longRunning: true,
      async run(job) {
        const [buffer] = job.buffers;
        assert.ok(buffer instanceof PagedBuffer);
        assert.throws(() => job.access(buffer), refused);
        using range = await job.safePoint(buffer.fault(2 * PAGE, 1));
        seen.push(range.bytes[0]);
        using _pin = await buffer.pin();
        seen.push(job.access(other).bytes[3 * PAGE]);
      },
    });
    using end = queue.submit({ buffers: [other] });
    await end.wait();
    assert.deepEqual(seen, [3, 4]);
  });

  test("is a paged buffer for each holder of it", LIMIT, async (t) => {
    const { own, other } = shared(t, { fill: counting().fill });
    using reader = other.duplicate("read");
    assert.throws(() => reader.duplicate("read-write"), { code: "EACCES" });
    own.close();
    other.close();
    assert.equal(await byteAt(reader, 0), 1);
  });
});

describe("a pin", () => {
  test("that fails to fill is none", LIMIT, async (t) => {
    let fails = true;
    const { owner, own, other } = shared(t, {
      fill(offset) {
        if (fails && offset > 0) throw new DmaBufError("ENODATA", "not yet");
      },
    });
    await byteAt(other, 0);
    await assert.rejects(other.pin(), { code: "ENODATA" });
    assert.throws(() => own.pinSync(), { code: "ENODATA" });
    assert.deepEqual([own.isPinned, pinsOf(owner)], [false, 0]);
    fails = false;
    own.pinSync().close();
    assert.equal(own.isPinned, false);
  });

  test("of an agent that dies is given back, and one that it only waits for (paged-buffer.4)", DIES, async (t) => {
    const owner = createDomain(t);
    const filled = deferred();
    let isSlow = false;
    const make = (): PagedBuffer =>
      owner.createPagedBuffer({ size: SIZE, fill: () => (isSlow ? filled.promise : undefined) });
    const [quick, slow] = [make(), make()];
    const { domain: user, die } = joinMortal(owner, "user");
    await importPaged(user, quick).pin();
    assert.equal(quick.isPinned, true);
    isSlow = true;
    const waits = importPaged(user, slow).pin();
    assert.ok(await isPending(waits));
    await die();
    await until(() => !quick.isPinned);
    filled.resolve();
    using _range = await slow.fault(0, SIZE);
    await until(() => !slow.isPinned);
    waits.catch(() => {});
  });

  test("that gives up while it is filled is given back when that is over", LIMIT, async (t) => {
    const filled = deferred();
    const { own, other } = shared(t, { fill: () => filled.promise });
    await assert.rejects(own.pin({ timeout: 5 }), { code: "ETIMEDOUT" });
    await assert.rejects(other.pin({ timeout: 5 }), { code: "ETIMEDOUT" });
    filled.resolve();
    using _range = await own.fault(0, SIZE);
    await until(() => !own.isPinned);
  });

  test(
    "needs no answer of what blocks: it blocks itself, but for what answers later in its own thread",
    BLOCKS,
    (t) => {
      const owner = createDomain(t);
      using quick = owner.createPagedBuffer({ size: SIZE, fill: counting().fill });
      using pin = quick.pinSync({ timeout: 30_000 });
      assert.equal(pin.bytes[PAGE], 2);
      using later = owner.createPagedBuffer({ size: SIZE, fill: async () => {} });
      assert.throws(() => later.faultSync(0, 1), { code: "EOPNOTSUPP" });
    },
  );
});
