import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, joinDomain, joinMortal, until } from "../../test/agents.js";
import type { ExporterOps } from "./exporter.js";
import { PAGE_SIZE, type StorageSegment } from "./storage.js";

const page = (): StorageSegment => ({ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE });

function exporter(ops: Partial<ExporterOps> = {}): { ops: ExporterOps } {
  return { ops: { map: () => [page()], unmap() {}, release() {}, ...ops } };
}

describe("allocate()", () => {
  test("rounds the size up to whole pages, and gives zeroed bytes", (t) => {
    const domain = createDomain(t, { buffers: 32 });
    for (const [asked, given] of [
      [1, 4096],
      [4095, 4096],
      [4096, 4096],
      [4097, 8192],
      [(1 << 20) + 1, (1 << 20) + 4096],
    ] as const) {
      const buffer = domain.allocate(asked);
      assert.equal(buffer.size, given);
      using access = buffer.tryAccess("read");
      assert.equal(access!.bytes.length, given);
      assert.ok(access!.bytes.every((byte) => byte === 0));
    }
  });

  test("refuses a size that is none with EINVAL, and takes no slot for it", (t) => {
    const domain = createDomain(t);
    for (const size of [0, -1, 0.5, NaN, Infinity, 2 ** 53]) {
      const expected = { code: "EINVAL", message: new RegExp(`size must be an integer from 1 to \\d+, not ${size}$`) };
      assert.throws(() => domain.allocate(size), expected);
    }
    assert.throws(() => domain.allocate("big" as never), /^TypeError: .*size must be an integer .*, not "big"$/);
    assert.deepEqual(domain.statistics(), []);
  });

  test("of more than there is is ENOMEM, and takes no slot", (t) => {
    const domain = createDomain(t);
    assert.throws(() => domain.allocate(2 ** 52), { code: "ENOMEM", message: /4503599627370496 bytes/ });
    assert.deepEqual(domain.statistics(), []);
  });

  test("is the system heap's, which names itself as the exporter", (t) => {
    const domain = createDomain(t);
    assert.equal(domain.heaps.get("system").name, "system");
    assert.deepEqual(
      [domain.allocate(1), domain.heaps.get("system").allocate(1)].map((buffer) => buffer.exporterName),
      ["system", "system"],
    );
  });
});

describe("export()", () => {
  test("refuses storage that does not lie in its memory, and names the segment", (t) => {
    const domain = createDomain(t);
    for (const bad of [
      { offset: 1, length: PAGE_SIZE },
      { offset: -1, length: 1 },
      { offset: 0, length: 0 },
      { offset: 0.5, length: 1 },
    ]) {
      const segments = [page(), { ...page(), ...bad }];
      assert.throws(() => domain.export(segments), { code: "EINVAL", message: /^EINVAL: Segment 1 / });
    }
    assert.deepEqual(domain.statistics(), []);
  });

  test("gives a buffer of the size of all segments, under the names it is told", (t) => {
    const domain = createDomain(t);
    const buffer = domain.export([page(), { ...page(), offset: 96, length: 1000 }], { name: "n", exporterName: "e" });
    assert.deepEqual([buffer.size, buffer.name, buffer.exporterName], [5096, "n", "e"]);
    assert.equal(domain.export([page()]).exporterName, "dmabuf");
  });
});

describe("the exporter's release", () => {
  test("runs once when the last reference goes, in whichever agent that is", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    let released = 0;
    const buffer = domain.export([page()], exporter({ release: () => void released++ }));
    const handle = buffer.handle();
    const workers = [joinDomain(t, domain), joinDomain(t, domain)];
    const [first, last] = workers.map((worker) => worker.import(handle));
    buffer.close();
    first!.close();
    await until(() => domain.statistics().length === 1);
    assert.equal(released, 0);
    last!.close();
    await until(() => released > 0);
    domain.allocate(1).close();
    for (const worker of workers) worker.close();
    assert.equal(released, 1);
  });

  test("runs when the agent with the last reference dies, and when a handle is lost", DIES, async (t) => {
    const domain = createDomain(t, { handleLimit: 10 });
    const released: string[] = [];
    const { domain: mortal, die } = joinMortal(domain);
    const held = domain.export([page()], exporter({ release: () => void released.push("held") }));
    mortal.import(held.handle());
    held.close();
    const lost = domain.export([page()], exporter({ release: () => void released.push("lost") }));
    lost.handle();
    lost.close();
    await until(() => released.length === 1);
    await die();
    await until(() => released.length === 2);
    assert.deepEqual(released, ["lost", "held"]);
  });

  test("runs for the old buffer although another has its slot at once", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const released: number[] = [];
    for (let i = 0; i < 3; i++) domain.export([page()], exporter({ release: () => void released.push(i) })).close();
    const last = domain.allocate(1);
    await until(() => released.length === 3);
    assert.equal(last.isClosed, false);
    assert.deepEqual(released.sort(), [0, 1, 2]);
  });

  test("that throws hurts no other wait of its agent", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const theirs = joinDomain(t, domain).import(domain.allocate(1).handle());
    const failing = domain.export(
      [page()],
      exporter({
        release: () => {
          throw new Error("release failed");
        },
      }),
    );
    const fence = domain.createTimeline().createFence();
    const waiting = fence.wait();
    failing.close();
    await until(() => domain.statistics().length === 1);
    fence.signal();
    await waiting;
    assert.equal(theirs.isClosed, false);
  });
});

describe("a holder", () => {
  test("that is closed is EBADF in every use, and closing it twice does nothing", async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const other = buffer.duplicate();
    buffer.close();
    buffer.close();
    buffer[Symbol.dispose]();
    assert.deepEqual([buffer.isClosed, buffer.size, buffer.mode], [true, 4096, "read-write"]);
    const uses: (() => unknown)[] = [
      () => buffer.name,
      () => (buffer.name = "x"),
      () => buffer.exporterName,
      () => buffer.inode,
      () => buffer.reservation,
      () => buffer.segments,
      () => buffer.handle(),
      () => buffer.duplicate(),
      () => buffer.accessSync("read"),
      () => buffer.tryAccess("read"),
      () => buffer.beginCpuAccessSync("read"),
      () => buffer.endCpuAccess("read"),
      () => buffer.attachSync(),
    ];
    for (const use of uses) assert.throws(use, { code: "EBADF" }, use.toString());
    await assert.rejects(buffer.access("read"), { code: "EBADF" });
    await assert.rejects(buffer.beginCpuAccess("read"), { code: "EBADF" });
    assert.equal(other.tryAccess("read")!.bytes.length, 4096);
  });

  test("is one of several in its agent, and the buffer lives until the last is closed", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const holders = [buffer, buffer.duplicate("read"), buffer.duplicate(), domain.import(buffer.handle())];
    assert.equal(new Set(holders.map(({ inode }) => inode)).size, 1);
    for (const holder of holders) {
      assert.equal(domain.statistics().length, 1);
      holder.close();
    }
    assert.equal(domain.statistics().length, 0);
  });

  test("that closes detaches its importers and no other's", async (t) => {
    const domain = createDomain(t);
    const detached: string[] = [];
    const ops = exporter({ detach: ({ importer }) => void detached.push(importer.name!) });
    const buffer = domain.export([page()], ops);
    const other = buffer.duplicate();
    const attachment = buffer.attachSync({ name: "mine" });
    const mapping = await attachment.map();
    other.attachSync({ name: "other" });
    buffer.close();
    assert.deepEqual([detached, domain.statistics()[0]!.attachments], [["mine"], 1]);
    await assert.rejects(attachment.map());
    mapping[Symbol.dispose]();
  });
});

describe("a buffer's", () => {
  test("name has at most 31 bytes of UTF-8; a longer one is refused and changes nothing", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1, { name: "first" });
    const theirs = joinDomain(t, domain).import(buffer.handle("read"));
    for (const name of ["", "a".repeat(31), "é".repeat(15), "𝄞".repeat(7)]) {
      buffer.name = name;
      assert.equal(theirs.name, name);
    }
    const kept = theirs.name;
    for (const name of ["a".repeat(32), "é".repeat(16), "𝄞".repeat(8), "\ud834", "a\0b"]) {
      const expected = { code: "EINVAL", message: /the name must be a string of at most 31 bytes of UTF-8/ };
      assert.throws(() => (buffer.name = name), expected);
    }
    assert.equal(theirs.name, kept);
  });

  test("inode stays its own, also when the slot is used again", (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const inodes = [1, 2, 3].map(() => {
      using buffer = domain.allocate(1);
      return buffer.inode;
    });
    assert.equal(new Set(inodes).size, 3);
  });

  test("fences and holds are not those of the buffer that had its slot before", (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const old = domain.allocate(1);
    const fence = domain.createTimeline().createFence();
    {
      using _lock = old.reservation.tryLock();
      old.reservation.reserveFences(1);
      old.reservation.addFence(fence, "write");
    }
    old.close();
    const buffer = domain.allocate(1);
    assert.deepEqual(buffer.reservation.getFences("bookkeep"), []);
    assert.notEqual(buffer.tryAccess("write"), undefined);
  });
});

test("the statistics are the same in all agents and tell of all live buffers", async (t) => {
  const domain = createDomain(t);
  const worker = joinDomain(t, domain, "worker");
  const first = domain.allocate(10_000, { name: "first" });
  const second = worker.export([page()], { name: "second", exporterName: "camera" });
  domain.import(second.handle());
  second.attachSync();
  const fence = worker.createTimeline().createFence();
  {
    using _lock = await second.reservation.lock();
    second.reservation.reserveFences(1);
    second.reservation.addFence(fence, "read");
  }
  first.handle();
  const none = {
    readers: [],
    writer: undefined,
    attachments: 0,
    pendingFences: 0,
    overdueFences: 0,
    contentVersion: 0,
  };
  const expected = [
    { ...none, inode: 1, name: "first", size: 12288, exporterName: "system", holders: ["main"] },
    { ...none, inode: 2, name: "second", size: 4096, exporterName: "camera", holders: ["main", "worker"] },
  ];
  Object.assign(expected[1]!, { attachments: 1, pendingFences: 1 });
  for (const agent of [domain, worker]) assert.deepEqual(agent.statistics(), expected);
  fence.signal();
  assert.equal(domain.statistics()[1]!.pendingFences, 0);
});
