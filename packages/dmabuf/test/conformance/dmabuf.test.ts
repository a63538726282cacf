/** Area H of the conformance cases: buffers. Those on mapping and moving are in attachment.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import type { ExporterOps } from "../../src/buffer/exporter.js";
import {
  Domain,
  PAGE_SIZE,
  type BufferHandleData,
  type DmaBuf,
  type DmaBufError,
  type Usage,
} from "../../src/index.js";
import { addFence, exportWith, fails, memoryOf, noOps } from "./buffers.js";

test("DBF-01 an exporter without map, unmap or release is refused, and the missing operation named", () => {
  using domain = Domain.create();
  for (const name of ["map", "unmap", "release"] as const) {
    const { [name]: _missing, ...ops } = noOps();
    const refused = (error: DmaBufError): boolean =>
      error.code === "EINVAL" && error.message.includes(`ops.${name} must be`);
    assert.throws(() => domain.export(memoryOf(1), { ops: ops as ExporterOps }), refused);
  }
});

test("DBF-02 an exporter with only one of pin and unpin is refused", () => {
  using domain = Domain.create();
  fails("EINVAL", () => exportWith(domain, { pin() {} }));
  fails("EINVAL", () => exportWith(domain, { unpin() {} }));
});

test("DBF-03 a buffer of page << 0..9 bytes ends exactly there", () => {
  using domain = Domain.create();
  for (let shift = 0; shift <= 9; shift++) {
    using buffer = domain.allocate(PAGE_SIZE << shift);
    assert.equal(buffer.seek(0, "end"), PAGE_SIZE << shift);
  }
});

test("DBF-04 no place but the start and the end can be sought", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(4 * PAGE_SIZE);
  fails("EINVAL", () => buffer.seek(-1, "end"));
  fails("EINVAL", () => buffer.seek(1, "set"));
  fails("EINVAL", () => buffer.seek(buffer.size, "set"));
  fails("EINVAL", () => buffer.seek(buffer.size - 1, "set"));
  fails("EINVAL", () => buffer.seek(0, "current"));
});

test("DBF-05 seeking to the end gives the size, to the start 0", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(4 * PAGE_SIZE);
  assert.equal(buffer.seek(0, "end"), 4 * PAGE_SIZE);
  assert.equal(buffer.seek(0, "set"), 0);
});

test("DBF-06 a range of pages maps only if it lies in the buffer", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(4 * PAGE_SIZE);
  using map = buffer.mmap({ length: 4 * PAGE_SIZE });
  assert.equal(map.bytes.length, 4 * PAGE_SIZE);
  fails("EINVAL", () => buffer.mmap({ length: 5 * PAGE_SIZE }));
  fails("EINVAL", () => buffer.mmap({ offset: 3 * PAGE_SIZE, length: 2 * PAGE_SIZE }));
});

test("DBF-07 a buffer whose exporter has no mmap is not mapped", () => {
  using domain = Domain.create();
  using buffer = exportWith(domain, {});
  fails("EINVAL", () => buffer.mmap());
});

test("DBF-08 a mapping outlives the holder it was made from, and frees the buffer at its end", () => {
  using domain = Domain.create();
  const buffer = domain.allocate(PAGE_SIZE);
  const map = buffer.mmap();
  map.bytes.fill(0x5a);
  buffer.close();
  assert.ok(map.bytes.every((byte) => byte === 0x5a));
  assert.equal(domain.statistics().length, 1);
  map[Symbol.dispose]();
  assert.equal(domain.statistics().length, 0);
});

test("DBF-09 a buffer that is mapped again has its contents still", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  {
    using map = buffer.mmap();
    map.bytes.fill(7);
  }
  using again = buffer.mmap();
  assert.ok(again.bytes.every((byte) => byte === 7));
});

test("DBF-11 a duplicate works after the original is closed", () => {
  using domain = Domain.create();
  const original = domain.allocate(PAGE_SIZE);
  using duplicate = original.duplicate();
  original.close();
  using map = duplicate.mmap();
  assert.equal(map.bytes.length, PAGE_SIZE);
});

test("DBF-12 what is no handle is EINVAL, and a closed buffer EBADF", () => {
  using domain = Domain.create();
  fails("EINVAL", () => domain.import({ fd: 3 } as never));
  const buffer = domain.allocate(PAGE_SIZE);
  buffer.close();
  fails("EBADF", () => buffer.handle());
});

test("DBF-13 an access of no known kind is refused; one for reading and writing begins and ends", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  assert.throws(() => buffer.beginCpuAccessSync("" as never), TypeError);
  assert.throws(() => buffer.beginCpuAccessSync("bookkeep" as never), TypeError);
  buffer.beginCpuAccessSync("write");
  buffer.endCpuAccess("write");
});

test("DBF-14 a name of 31 bytes and an empty one are taken, one of 32 is refused and changes nothing", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  buffer.name = "x".repeat(31);
  assert.equal(buffer.name, "x".repeat(31));
  fails("EINVAL", () => (buffer.name = "x".repeat(32)));
  assert.equal(buffer.name, "x".repeat(31));
  buffer.name = "";
  assert.equal(buffer.name, "");
});

test("DBF-15 a buffer with attachments can be named", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  using attachment = buffer.attachSync();
  buffer.name = "attached";
  assert.equal(attachment.buffer.name, "attached");
});

test("DBF-16 an access of an unknown kind is refused, and leaves nothing held", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const erase = "erase" as never;
  assert.throws(() => buffer.accessSync(erase), TypeError);
  assert.throws(() => buffer.tryAccess(erase), TypeError);
  await assert.rejects(buffer.access(erase), TypeError);
  assert.throws(() => buffer.isReady(erase), TypeError);
  using access = buffer.tryAccess("write");
  assert.equal(access?.bytes.length, PAGE_SIZE);
});

test("DBF-17 reading begins only when the pending writer has signaled", { timeout: 30_000 }, async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const fence = addFence(domain, buffer, "write");
  setTimeout(() => fence.signal(), 100);
  await buffer.beginCpuAccess("read");
  assert.equal(fence.status, 1);
});

test("DBF-18 with a pending reader, reading begins at once and writing waits", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  addFence(domain, buffer, "read");
  await buffer.beginCpuAccess("read", { timeout: 0 });
  await assert.rejects(buffer.beginCpuAccess("write", { timeout: 0 }), { code: "ETIMEDOUT" });
});

test("DBF-19 a pending bookkeeping fence holds up no writer", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  addFence(domain, buffer, "bookkeep");
  await buffer.beginCpuAccess("write", { timeout: 0 });
});

test("DBF-20 the end of an access waits for no fence", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  for (const usage of ["kernel", "write", "read"] satisfies Usage[]) addFence(domain, buffer, usage);
  buffer.endCpuAccess("write");
});

test("DBF-21 what the exporter's begin throws, the access throws, without waiting for a fence", async () => {
  using domain = Domain.create();
  const beginCpuAccess = (): never => {
    throw Object.assign(new Error("broken"), { code: "EIO" });
  };
  using buffer = exportWith(domain, { beginCpuAccess });
  addFence(domain, buffer, "write");
  await assert.rejects(buffer.beginCpuAccess("read"), { code: "EIO" });
  await assert.rejects(buffer.access("read"), { code: "EIO" });
  assert.deepEqual(domain.statistics()[0]!.readers, []);
});

test("DBF-31 an exporter may take the reservation lock when an access begins", async () => {
  using domain = Domain.create();
  let locked = 0;
  const lock = (): void => {
    using _held = buffer.reservation.lockSync();
    locked += 1;
  };
  using buffer: DmaBuf = exportWith(domain, { beginCpuAccess: lock });
  using access = await buffer.access("read");
  assert.equal(access.mode, "read");
  assert.equal(locked, 1);
});

test("a handle that crossed a message port is imported as the same buffer", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(buffer.handle("read"));
  using imported = domain.import((receiveMessageOnPort(port2) as { message: BufferHandleData }).message);
  assert.equal(imported.inode, buffer.inode);
  assert.equal(imported.mode, "read");
  port1.close();
});
