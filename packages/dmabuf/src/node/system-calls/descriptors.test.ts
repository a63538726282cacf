import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import {
  closeDescriptor,
  createEventCounter,
  createPipe,
  duplicateDescriptor,
  findLockOnFile,
  ioctl,
  isClosedOnExec,
  openFile,
  poll,
  POLL,
  readDescriptor,
  reopenDescriptor,
  tryLockFile,
  unlockFile,
  writeDescriptor,
} from "./descriptors.js";
import { createMemoryFile } from "./memory.js";

const FIONREAD = 0x541b;

test("a pipe carries bytes, and says when it has none, and when its other end is closed", () => {
  const { reader, writer } = createPipe();
  const bytes = new Uint8Array(8);
  assert.equal(readDescriptor(reader, bytes), undefined);
  assert.equal(writeDescriptor(writer, Buffer.from("bell")), 4);
  assert.equal(readDescriptor(reader, bytes), 4);
  assert.equal(Buffer.from(bytes.subarray(0, 4)).toString(), "bell");
  closeDescriptor(writer);
  assert.equal(readDescriptor(reader, bytes), 0);
  closeDescriptor(reader);
});

test("a full pipe takes no more, and does not block", { timeout: 10_000 }, () => {
  const { reader, writer } = createPipe();
  const bytes = new Uint8Array(65_536);
  while (writeDescriptor(writer, bytes) !== undefined);
  assert.equal(poll([{ fd: writer, events: POLL.WRITABLE }])[0], 0);
  closeDescriptor(reader);
  assert.throws(() => writeDescriptor(writer, bytes), { code: "EPIPE", errno: 32, syscall: "write" });
  closeDescriptor(writer);
});

test("every descriptor is closed on exec", () => {
  const { reader, writer } = createPipe();
  const fds = [reader, writer, createEventCounter(), openFile("/dev/null"), duplicateDescriptor(0, 100)];
  fds.push(reopenDescriptor(reader));
  assert.ok(fds[4]! >= 100);
  for (const fd of fds) assert.ok(isClosedOnExec(fd));
  for (const fd of fds) closeDescriptor(fd);
});

test("calls on a descriptor that is not open fail with EBADF", () => {
  const bytes = new Uint8Array(8);
  const closed = createEventCounter();
  closeDescriptor(closed);
  assert.throws(() => closeDescriptor(closed), { code: "EBADF", errno: 9, syscall: "close" });
  assert.throws(() => readDescriptor(closed, bytes), { code: "EBADF", syscall: "read" });
  assert.throws(() => writeDescriptor(closed, bytes), { code: "EBADF", syscall: "write" });
  assert.throws(() => duplicateDescriptor(closed), { code: "EBADF", syscall: "fcntl" });
  assert.throws(() => ioctl(closed, FIONREAD, new Int32Array(1)), { code: "EBADF", syscall: "ioctl" });
  assert.equal(poll([{ fd: closed, events: POLL.READABLE }])[0], POLL.INVALID);
});

test("openFile() of nothing fails with ENOENT and names the path", () => {
  assert.throws(
    () => openFile("/no/such/file"),
    (error: Error & { code?: string; syscall?: string }) => {
      assert.match(error.message, /"\/no\/such\/file" to read/);
      assert.deepEqual([error.code, error.syscall], ["ENOENT", "open"]);
      return true;
    },
  );
});

test("a descriptor that was reopened to read cannot be written", () => {
  const fd = createMemoryFile("reopened");
  const reader = reopenDescriptor(fd, "read");
  assert.throws(() => writeDescriptor(reader, Buffer.from("x")), { code: "EBADF" });
  assert.equal(writeDescriptor(fd, Buffer.from("x")), 1);
  assert.equal(readDescriptor(reader, new Uint8Array(4)), 1);
  closeDescriptor(reader);
  closeDescriptor(fd);
});

test("ioctl() fills memory in place; an unknown request fails with ENOTTY", () => {
  const { reader, writer } = createPipe();
  writeDescriptor(writer, Buffer.from("12345"));
  const count = new Int32Array(1);
  assert.equal(ioctl(reader, FIONREAD, count), 0);
  assert.equal(count[0], 5);
  assert.throws(() => ioctl(reader, 0x6200, 7), { code: "ENOTTY", errno: 25, syscall: "ioctl" });
  closeDescriptor(reader);
  closeDescriptor(writer);
});

test("poll() tells which descriptors are ready", () => {
  const { reader, writer } = createPipe();
  const both = [
    { fd: reader, events: POLL.READABLE },
    { fd: writer, events: POLL.WRITABLE },
  ];
  assert.deepEqual(poll(both), [0, POLL.WRITABLE]);
  writeDescriptor(writer, Buffer.from("x"));
  assert.deepEqual(poll(both, 1_000), [POLL.READABLE, POLL.WRITABLE]);
  closeDescriptor(writer);
  assert.equal(poll(both)[0], POLL.READABLE | POLL.HANG_UP);
  closeDescriptor(reader);
});

test("poll() waits for its time", () => {
  const { reader, writer } = createPipe();
  const start = performance.now();
  assert.deepEqual(poll([{ fd: reader, events: POLL.READABLE }], 20), [0]);
  assert.ok(performance.now() - start >= 19);
  closeDescriptor(reader);
  closeDescriptor(writer);
});

test("an event counter is read once for all that was added", () => {
  const fd = createEventCounter();
  const one = new BigUint64Array([1n]);
  const bytes = new Uint8Array(one.buffer);
  assert.equal(readDescriptor(fd, new Uint8Array(8)), undefined);
  assert.equal(writeDescriptor(fd, bytes), 8);
  assert.equal(writeDescriptor(fd, bytes), 8);
  assert.equal(readDescriptor(fd, bytes), 8);
  assert.equal(one[0], 2n);
  closeDescriptor(fd);
});

test("a lock belongs to the open file description: another of the same process is refused until it is closed", () => {
  const fd = createMemoryFile("locked");
  const other = reopenDescriptor(fd, "read-write");
  assert.equal(tryLockFile(fd, "write", { start: 8, length: 8 }), true);
  assert.equal(tryLockFile(other, "write", { start: 0, length: 9 }), false);
  assert.equal(tryLockFile(other, "read", { start: 0, length: 8 }), true);
  const found = findLockOnFile(other, "read", { start: 0, length: 0 });
  assert.deepEqual(found, { kind: "write", start: 8, length: 8, pid: -1 });
  assert.equal(findLockOnFile(other, "read", { start: 16, length: 1 }), undefined);
  unlockFile(fd, { start: 8, length: 4 });
  assert.equal(tryLockFile(other, "write", { start: 8, length: 4 }), true);
  closeDescriptor(fd);
  assert.equal(tryLockFile(other, "write"), true);
  closeDescriptor(other);
});

test("no call leaks a descriptor, whether it fails or not", () => {
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 50; i++) {
    const { reader, writer } = createPipe();
    const fds = [reader, writer, createEventCounter(), openFile("/dev/null"), duplicateDescriptor(reader)];
    assert.throws(() => openFile("/no/such/file"));
    assert.throws(() => ioctl(reader, 0x6200));
    for (const fd of fds) closeDescriptor(fd);
  }
  assert.equal(readdirSync("/proc/self/fd").length, before);
});
