import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending, joinDomain, pause } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { Domain } from "../threads.js";
import type { Fence } from "../fence/fence.js";
import type { Usage } from "../reservation/usage.js";
import { copiedBytes } from "./copies.js";
import type { DmaBuf } from "./buffer.js";
import type { ExporterOps } from "./exporter.js";
import { PAGE_SIZE, type StorageSegment } from "./storage.js";

/** Adds a pending fence of the domain's to a buffer. */
function addFence(domain: Domain, buffer: DmaBuf, usage: Usage, timeline = domain.createTimeline()): Fence {
  const fence = timeline.createFence();
  using _lock = buffer.reservation.tryLock()!;
  buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, usage);
  return fence;
}

/** A buffer of two pages in two segments of one memory, the second page first. */
function segmented(domain: Domain, ops: Partial<ExporterOps> = {}): { buffer: DmaBuf; memory: SharedArrayBuffer } {
  const memory = new SharedArrayBuffer(2 * PAGE_SIZE);
  const segments: StorageSegment[] = [
    { memory, offset: PAGE_SIZE, length: PAGE_SIZE },
    { memory, offset: 0, length: PAGE_SIZE },
  ];
  const buffer = domain.export(segments, { ops: { map: () => segments, unmap() {}, release() {}, ...ops } });
  return { buffer, memory };
}

describe("an access waits for the fences of", () => {
  const waits: Record<Usage, readonly ("read" | "write")[]> = {
    kernel: ["read", "write"],
    write: ["read", "write"],
    read: ["write"],
    bookkeep: [],
  };
  for (const usage of ["kernel", "write", "read", "bookkeep"] as const) {
    test(`usage ${usage}: ${waits[usage].join(" and ") || "none"}`, { timeout: 10_000 }, async (t) => {
      const domain = createDomain(t);
      const buffer = domain.allocate(1);
      const theirs = joinDomain(t, domain).import(buffer.handle());
      for (const mode of ["read", "write"] as const) {
        const fence = addFence(domain, buffer, usage);
        const mustWait = waits[usage].includes(mode);
        const bare = theirs.beginCpuAccess(mode);
        assert.equal(await isPending(bare), mustWait);
        const access = theirs.access(mode);
        assert.equal(await isPending(access), mustWait);
        if (mustWait) assert.equal(buffer.tryAccess(mode), undefined);
        fence.signal();
        await bare;
        (await access)[Symbol.dispose]();
        buffer.tryAccess(mode)![Symbol.dispose]();
      }
    });
  }

  test("a thread that blocks, too", { ...BLOCKS, timeout: 10_000 }, (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const theirs = joinDomain(t, domain).import(buffer.handle());
    addFence(domain, buffer, "write");
    for (const begin of [
      () => theirs.accessSync("read", { timeout: 5 }),
      () => theirs.beginCpuAccessSync("read", { timeout: 5 }),
    ])
      assert.throws(begin, { code: "ETIMEDOUT", message: /read the buffer in 5 ms/ });
  });
});

describe("an access that waits for a fence", () => {
  for (const mode of ["read", "write"] as const) {
    test(`to ${mode} begins although a later one is always pending (reservation.8)`, { timeout: 10_000 }, async (t) => {
      const domain = createDomain(t);
      const buffer = domain.allocate(1);
      const theirs = joinDomain(t, domain).import(buffer.handle());
      const timeline = domain.createTimeline();
      let last = addFence(domain, buffer, "write", timeline);
      let begun = 0;
      for (const waiting of [theirs.access(mode), theirs.beginCpuAccess(mode)]) void waiting.then(() => begun++);
      for (let turn = 0; turn < 1000 && begun < 2; turn++) {
        const next = addFence(domain, buffer, "write", timeline);
        last.signal();
        last = next;
        await pause(0);
      }
      assert.equal(begun, 2);
    });
  }

  test("keeps others out until it ends", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const theirs = joinDomain(t, domain).import(buffer.handle());
    const fence = addFence(domain, buffer, "read");
    const writing = theirs.access("write");
    assert.equal(buffer.tryAccess("read"), undefined);
    fence.signal();
    (await writing)[Symbol.dispose]();
    assert.notEqual(buffer.tryAccess("read"), undefined);
  });

  for (const [end, options] of Object.entries({
    "gives up after its time": () => ({ timeout: 10 }),
    "is aborted": () => ({ signal: AbortSignal.timeout(10) }),
  })) {
    test(`lets others in when it ${end}`, { timeout: 10_000 }, async (t) => {
      const domain = createDomain(t);
      const buffer = domain.allocate(1);
      const theirs = joinDomain(t, domain).import(buffer.handle());
      addFence(domain, buffer, "read");
      await assert.rejects(theirs.access("write", options()));
      assert.notEqual(buffer.tryAccess("read"), undefined);
    });
  }

  test("fails with EBADF when its holder is closed during the wait", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const other = buffer.duplicate();
    const fence = addFence(domain, buffer, "write");
    const reading = other.access("read");
    other.close();
    fence.signal();
    await assert.rejects(reading, { code: "EBADF" });
    assert.notEqual(buffer.tryAccess("write"), undefined);
  });

  test("goes on when the fence has failed", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const fence = addFence(domain, buffer, "write");
    const reading = buffer.access("read");
    fence.setError("EIO");
    fence.signal();
    await reading;
  });

  test("has one time limit for the others' accesses and for the fences", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const theirs = joinDomain(t, domain).import(buffer.handle());
    const writing = buffer.tryAccess("write")!;
    const fence = addFence(domain, buffer, "write");
    const start = performance.now();
    const reading = theirs.access("read", { timeout: 200 });
    setTimeout(() => writing[Symbol.dispose](), 150);
    // Late enough for a wait that begins anew when the other access ends, too late for the whole.
    setTimeout(() => fence.signal(), 300);
    await assert.rejects(reading, { code: "ETIMEDOUT" });
    assert.ok(performance.now() - start >= 199);
  });
});

describe("the bytes of an access", () => {
  test("are those of the storage, in place", (t) => {
    const buffer = createDomain(t).allocate(1);
    using writing = buffer.tryAccess("write");
    writing!.bytes[5] = 6;
    assert.equal(writing!.bytes.buffer, buffer.segments[0]!.memory);
    assert.equal(writing!.bytes, writing!.bytes);
    assert.deepEqual([writing!.bytes[5], writing!.mode], [6, "write"]);
  });

  test("are EBADF after its end, and ending it twice does nothing", (t) => {
    const buffer = createDomain(t).allocate(1);
    const [first, second] = [buffer.tryAccess("read")!, buffer.tryAccess("read")!];
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    for (const use of [() => first.bytes, () => first.segments, () => first.copy()]) {
      assert.throws(use, { code: "EBADF", message: /access to them has ended/ });
    }
    assert.equal(buffer.tryAccess("write"), undefined);
    assert.equal(second.bytes.length, PAGE_SIZE);
  });

  test("of several segments are shown one by one, and refused as one array", (t) => {
    const { buffer, memory } = segmented(createDomain(t));
    new Uint8Array(memory).fill(1, 0, PAGE_SIZE).fill(2, PAGE_SIZE);
    using access = buffer.tryAccess("read");
    assert.throws(() => access!.bytes, { code: "EOPNOTSUPP", message: /2 segments/ });
    assert.deepEqual(
      access!.segments.map((bytes) => [bytes.length, bytes[0]]),
      [
        [PAGE_SIZE, 2],
        [PAGE_SIZE, 1],
      ],
    );
  });

  test("are copied into memory of their own, and counted", (t) => {
    const domain = createDomain(t);
    const { buffer, memory } = segmented(domain);
    new Uint8Array(memory).fill(1, 0, PAGE_SIZE).fill(2, PAGE_SIZE);
    const before = copiedBytes();
    using access = buffer.tryAccess("read");
    const copy = access!.copy();
    assert.deepEqual([copy.length, copy[0], copy[PAGE_SIZE]], [2 * PAGE_SIZE, 2, 1]);
    assert.ok(copy.buffer instanceof ArrayBuffer);
    using whole = domain.allocate(1).tryAccess("read");
    assert.notEqual(whole!.copy().buffer, whole!.bytes.buffer);
    assert.equal(copiedBytes() - before, 3 * PAGE_SIZE);
  });
});

describe("an exporter's operations on CPU access", () => {
  test("run once at the begin and the end of every access", async (t) => {
    const calls: string[] = [];
    const { buffer } = segmented(createDomain(t), {
      beginCpuAccess: (mode) => void calls.push(`begin ${mode}`),
      endCpuAccess: (mode) => void calls.push(`end ${mode}`),
    });
    (await buffer.access("write"))[Symbol.dispose]();
    buffer.accessSync("read")[Symbol.dispose]();
    buffer.tryAccess("read")![Symbol.dispose]();
    await buffer.beginCpuAccess("write");
    buffer.endCpuAccess("write");
    assert.deepEqual(
      calls,
      ["write", "read", "read", "write"].flatMap((mode) => [`begin ${mode}`, `end ${mode}`]),
    );
  });

  test("that throw at the begin refuse the access and leave no hold", async (t) => {
    const { buffer } = segmented(createDomain(t), {
      beginCpuAccess: () => {
        throw new Error("no read-back");
      },
    });
    await assert.rejects(buffer.access("read"), /no read-back/);
    assert.throws(() => buffer.accessSync("write"), /no read-back/);
    assert.throws(() => buffer.tryAccess("write"), /no read-back/);
    assert.throws(() => buffer.tryAccess("read"), /no read-back/);
  });
});

test("beginCpuAccess() excludes no agent", async (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(1);
  const theirs = joinDomain(t, domain).import(buffer.handle());
  await buffer.beginCpuAccess("write");
  await theirs.beginCpuAccess("write");
  using writing = theirs.tryAccess("write");
  assert.notEqual(writing, undefined);
  theirs.endCpuAccess("write");
  buffer.endCpuAccess("write");
});

test("closing a buffer ends its accesses", (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(1);
  const theirs = joinDomain(t, domain).import(buffer.handle());
  const writing = theirs.tryAccess("write")!;
  theirs.close();
  assert.throws(() => writing.bytes, { code: "EBADF" });
  assert.notEqual(buffer.tryAccess("write"), undefined);
});
