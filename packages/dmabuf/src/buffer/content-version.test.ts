import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, joinDomain } from "../../test/agents.js";
import type { Domain } from "../threads.js";
import type { Usage } from "../reservation/usage.js";
import { rawFormat } from "../stream/format.js";
import type { DmaBuf } from "./buffer.js";
import { PAGE_SIZE } from "./storage.js";

/** Whether the number of the content is another one afterwards, and for a second holder too. */
async function rises(buffer: DmaBuf, other: DmaBuf, action: () => unknown): Promise<boolean> {
  const before = buffer.contentVersion;
  await action();
  const after = buffer.contentVersion;
  assert.equal(other.contentVersion, after);
  assert.ok(after >= before);
  return after !== before;
}

function addFence(domain: Domain, buffer: DmaBuf, usage: Usage): () => void {
  const fence = domain.createTimeline().createFence();
  using _lock = buffer.reservation.tryLock()!;
  buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, usage);
  return () => fence.signal();
}

describe("content-version.2: the number of the content", { timeout: 60_000 }, () => {
  const WAYS: Record<string, [rises: boolean, (domain: Domain, buffer: DmaBuf) => unknown]> = {
    "an access to write": [true, async (_, buffer) => (await buffer.access("write")).close()],
    "an access to read": [false, async (_, buffer) => (await buffer.access("read")).close()],
    "a bare access to write": [
      true,
      async (_, buffer) => {
        await buffer.beginCpuAccess("write");
        buffer.endCpuAccess("write");
      },
    ],
    "a bare access to read": [
      false,
      async (_, buffer) => {
        await buffer.beginCpuAccess("read");
        buffer.endCpuAccess("read");
      },
    ],
    "an access to write that is not to be had": [
      false,
      (domain, buffer) => {
        const done = addFence(domain, buffer, "read");
        assert.equal(buffer.tryAccess("write"), undefined);
        done();
      },
    ],
    "a fence of usage kernel": [true, (domain, buffer) => addFence(domain, buffer, "kernel")()],
    "a fence of usage write": [true, (domain, buffer) => addFence(domain, buffer, "write")()],
    "a fence of usage read": [false, (domain, buffer) => addFence(domain, buffer, "read")()],
    "a fence of usage bookkeep": [false, (domain, buffer) => addFence(domain, buffer, "bookkeep")()],
    "a sync file that is imported for writing": [
      true,
      (domain, buffer) => {
        const timeline = domain.createTimeline();
        const fence = timeline.createFence();
        buffer.importSyncFileSync("write", domain.createSyncFile(fence));
        fence.signal();
      },
    ],
    "fences of a writer that are copied": [
      true,
      (domain, buffer) => {
        using other = domain.allocate(1);
        const done = addFence(domain, other, "write");
        using _lock = buffer.reservation.tryLock()!;
        buffer.reservation.copyFences(other.reservation);
        done();
      },
    ],
    "a job that writes": [
      true,
      async (domain, buffer) => {
        using queue = domain.createQueue({ run() {} });
        await (await queue.submit({ writes: [buffer] })).wait();
      },
    ],
    "a job that reads": [
      false,
      async (domain, buffer) => {
        using queue = domain.createQueue({ run() {} });
        await (await queue.submit({ reads: [buffer] })).wait();
      },
    ],
    "a move": [
      true,
      (_, buffer) => buffer.move([{ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE }]),
    ],
    "a memory fence that signals": [true, (_, buffer) => buffer.memoryFence({ value: 7 }).signal()],
    "another name": [false, (_, buffer) => (buffer.name = "another")],
  };
  for (const [name, [expected, way]] of Object.entries(WAYS)) {
    test(`${expected ? "rises" : "stays"} by ${name}`, async (t) => {
      const domain = createDomain(t);
      const memory = new SharedArrayBuffer(PAGE_SIZE);
      const buffer = domain.export([{ memory, offset: 0, length: PAGE_SIZE }]);
      const other = joinDomain(t, domain).import(buffer.handle());
      assert.equal(await rises(buffer, other, () => way(domain, buffer)), expected);
    });
  }
});

test("content-version.2: the number of a frame's buffer rises with each frame in it", { timeout: 60_000 }, (t) => {
  const domain = createDomain(t);
  const stream = domain.createStream({ format: rawFormat(8), buffers: 2 });
  const consumer = joinDomain(t, domain).import(stream.handle()).frames();
  const seen = new Map<number, number>();
  for (let i = 0; i < 6; i++) {
    stream.loanSync()!.publish();
    using frame = consumer.nextSync()!;
    const { inode, contentVersion } = frame.buffer;
    assert.notEqual(seen.get(inode), contentVersion);
    seen.set(inode, contentVersion);
  }
});

test("entries.5: a fence counts by the store that publishes it", { timeout: 60_000 }, (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(1);
  const before = buffer.contentVersion;
  for (let i = 1; i <= 3; i++) {
    addFence(domain, buffer, "write")();
    assert.equal(buffer.contentVersion, before + i);
  }
});

test("content-version.4: a buffer begins with 0, also in a slot that was used", { timeout: 60_000 }, async (t) => {
  const domain = createDomain(t, { buffers: 1 });
  for (let i = 0; i < 2; i++) {
    using buffer = domain.allocate(1);
    assert.equal(buffer.contentVersion, 0);
    addFence(domain, buffer, "write")();
    (await buffer.access("write")).close();
    assert.equal(domain.statistics()[0]!.contentVersion, 2);
  }
});
