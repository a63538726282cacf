import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { agentOf } from "../domain-base.js";
import { DmaBufError } from "../errors.js";
import type { Domain } from "../threads.js";
import type { DmaBuf } from "./buffer.js";
import { pinners } from "./storage-slot.js";
import { PagedBuffer, type PagedBufferOptions } from "./paged-buffer.js";

const LIMIT = { timeout: 30_000 };
const PAGE = 4096;
const SIZE = 4 * PAGE;

/** Fills each page with its number + 1, and keeps what it was asked for: first page and how many. */
function counting(): { readonly calls: (readonly [page: number, pages: number])[]; readonly fill: Fill } {
  const calls: (readonly [number, number])[] = [];
  const fill: Fill = (offset, bytes) => {
    calls.push([offset / PAGE, bytes.length / PAGE]);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor((offset + i) / PAGE) + 1;
  };
  return { calls, fill };
}

type Fill = PagedBufferOptions["fill"];

/** A promise that the test settles. */
function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = (): void => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((settle, refuse) => {
    resolve = settle;
    reject = refuse;
  });
  return { promise, resolve, reject };
}

function importPaged(domain: Domain, buffer: DmaBuf): PagedBuffer {
  const imported = domain.import(buffer.handle());
  assert.ok(imported instanceof PagedBuffer);
  return imported;
}

/** The buffer in its exporter's agent, and in another. */
function shared(t: TestContext, options: Partial<PagedBufferOptions> & { fill: Fill }, requests = 8) {
  const owner = createDomain(t, { requests });
  const user = joinDomain(t, owner, "user");
  const own = owner.createPagedBuffer({ size: SIZE, name: "paged", ...options });
  return { owner, user, own, other: importPaged(user, own) };
}

/** How many agents have pinned the storage of the first buffer. */
function pinsOf(domain: Domain): number {
  return pinners(agentOf(domain), 0).length;
}

async function byteAt(buffer: PagedBuffer, offset: number): Promise<number> {
  using range = await buffer.fault(offset, 1);
  return range.bytes[0]!;
}

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
    LIMIT,
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
      using pin = quick.pinSync({ timeout: 1000 });
      assert.equal(pin.bytes[PAGE], 2);
      using later = owner.createPagedBuffer({ size: SIZE, fill: async () => {} });
      assert.throws(() => later.faultSync(0, 1), { code: "EOPNOTSUPP" });
    },
  );
});
