import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { Usage } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import { PAGE_SIZE, type StorageSegment } from "./storage.js";

const page = (): StorageSegment => ({ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE });

/** A buffer with a pending fence. */
function busy(t: Parameters<typeof createDomain>[0], usage: Usage) {
  const domain = createDomain(t);
  const buffer = domain.export([page()]);
  const fence = domain.createTimeline({ name: "gpu" }).createFence();
  using _lock = buffer.reservation.lockSync();
  buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, usage);
  return { domain, buffer, fence };
}

/** The first byte. */
function byteOf(buffer: DmaBuf): number {
  using access = buffer.accessSync("read");
  return access.bytes[0]!;
}

describe("a thread that blocks", () => {
  test("hears by readySync() whether the fences were done in time", BLOCKS, (t) => {
    const { buffer, fence } = busy(t, "write");
    assert.equal(buffer.readySync("read", { timeout: 1 }), "timed-out");
    assert.throws(() => buffer.readySync("read"), { code: "EDEADLK" });
    fence.signal();
    assert.equal(buffer.readySync("read"), "signaled");
  });

  test(
    "maps by mapSync() when the kernel's fences have signaled, and leaves nothing where they have not",
    BLOCKS,
    (t) => {
      const { buffer, fence } = busy(t, "kernel");
      using attachment = buffer.attachSync({ name: "camera" });
      assert.throws(() => attachment.mapSync("write", { timeout: 1 }), { code: "ETIMEDOUT" });
      assert.equal(buffer.reservation.isLocked, false);
      fence.signal();
      using mapping = attachment.mapSync("write");
      assert.equal(mapping.segments[0]!.length, PAGE_SIZE);
      assert.equal(buffer.reservation.isLocked, false);
    },
  );

  test("moves the storage by moveSync(), with its bytes", BLOCKS, (t) => {
    const { buffer, fence } = busy(t, "bookkeep");
    const [from, to] = [buffer.segments[0]!, page()];
    new Uint8Array(from.memory).fill(7);
    assert.throws(() => buffer.moveSync([to], { timeout: 1 }), { code: "ETIMEDOUT" });
    assert.equal(buffer.segments[0]!.memory, from.memory);
    fence.signal();
    buffer.moveSync([to]);
    assert.equal(buffer.segments[0]!.memory, to.memory);
    assert.equal(byteOf(buffer), 7);
  });

  test("does not move what would be brought later, in this same thread", BLOCKS, (t) => {
    const buffer = createDomain(t).export([page()]);
    const from = buffer.segments[0]!;
    const later = async (): Promise<{ segments: StorageSegment[] }> => Promise.resolve({ segments: [page()] });
    assert.throws(() => buffer.moveSync(later), { code: "EOPNOTSUPP" });
    assert.equal(buffer.segments[0]!.memory, from.memory);
    using _access = buffer.accessSync("write");
    assert.equal(buffer.reservation.isLocked, false);
  });

  test("does not move a buffer that it uses itself", BLOCKS, (t) => {
    const buffer = createDomain(t).export([page()]);
    using _access = buffer.accessSync("read");
    assert.throws(() => buffer.moveSync([page()]), { code: "EDEADLK" });
  });

  test("tells importers by moveNotifySync(), under the lock", BLOCKS, (t) => {
    const buffer = createDomain(t).export([page()]);
    let told = 0;
    using _attachment = buffer.attachSync({ moveNotify: () => void told++ });
    assert.throws(() => buffer.moveNotifySync(), { code: "EPERM" });
    using _lock = buffer.reservation.lockSync();
    buffer.moveNotifySync();
    assert.equal(told, 1);
  });
});
