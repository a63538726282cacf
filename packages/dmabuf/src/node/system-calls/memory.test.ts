import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import { closeDescriptor, isClosedOnExec, reopenDescriptor } from "./descriptors.js";
import { addressOf, viewOf } from "./library.js";
import {
  addSeals,
  createMemoryFile,
  isWritable,
  mapMemory,
  pageSize,
  protectMemory,
  punchHole,
  reservePages,
  SEAL,
  sealsOf,
  setFileLength,
  unmapMemory,
} from "./memory.js";

const PAGE = pageSize();

test("two mappings of a memory file show the same bytes", () => {
  const fd = memoryFile(2);
  const first = mapMemory({ length: 2 * PAGE, protection: "read-write", fd });
  const second = mapMemory({ length: PAGE, protection: "read", fd, offset: PAGE });
  const bytes = new Uint8Array(viewOf(first, 2 * PAGE));
  bytes[PAGE + 5] = 77;
  assert.equal(new Uint8Array(viewOf(second, PAGE))[5], 77);
  assert.equal(addressOf(bytes.subarray(3)), first + 3n);
  unmapMemory(first, 2 * PAGE);
  unmapMemory(second, PAGE);
  closeDescriptor(fd);
});

test("a memory file is closed on exec", () => {
  const fd = createMemoryFile("exec");
  assert.ok(isClosedOnExec(fd));
  closeDescriptor(fd);
});

test("a file sealed against shrinking and growing keeps its length, and takes no seal after SEAL", () => {
  const fd = memoryFile(1);
  addSeals(fd, SEAL.SHRINK | SEAL.GROW | SEAL.SEAL);
  assert.equal(sealsOf(fd) & ~SEAL.EXECUTE, SEAL.SHRINK | SEAL.GROW | SEAL.SEAL);
  assert.throws(() => setFileLength(fd, 0), { code: "EPERM", errno: 1, syscall: "ftruncate" });
  assert.throws(() => setFileLength(fd, 2 * PAGE), { code: "EPERM" });
  assert.throws(() => addSeals(fd, SEAL.WRITE), { code: "EPERM", syscall: "fcntl" });
  closeDescriptor(fd);
});

test("a file sealed against future writers keeps the one that it has", () => {
  const fd = memoryFile(1);
  const address = mapMemory({ length: PAGE, protection: "read-write", fd });
  addSeals(fd, SEAL.FUTURE_WRITE);
  assert.throws(() => mapMemory({ length: PAGE, protection: "read-write", fd }), { code: "EPERM", syscall: "mmap" });
  new Uint8Array(viewOf(address, PAGE))[0] = 9;
  const reader = mapMemory({ length: PAGE, protection: "read", fd });
  assert.equal(new Uint8Array(viewOf(reader, PAGE))[0], 9);
  unmapMemory(address, PAGE);
  unmapMemory(reader, PAGE);
  closeDescriptor(fd);
});

test("a reading descriptor cannot be mapped to write, and such a mapping not be made writable", () => {
  const fd = memoryFile(1);
  const reader = reopenDescriptor(fd, "read");
  assert.deepEqual([isWritable(fd), isWritable(reader)], [true, false]);
  assert.throws(() => mapMemory({ length: PAGE, protection: "read-write", fd: reader }), { code: "EACCES" });
  const address = mapMemory({ length: PAGE, protection: "read", fd: reader });
  assert.throws(() => protectMemory(address, PAGE, "read-write"), { code: "EACCES", errno: 13, syscall: "mprotect" });
  unmapMemory(address, PAGE);
  closeDescriptor(reader);
  closeDescriptor(fd);
});

test("pages that are reserved are the file's from then on, and a hole gives them back", () => {
  const fd = memoryFile(16);
  const pages = (): number => (fstatSync(fd).blocks * 512) / PAGE;
  assert.equal(pages(), 0);
  reservePages(fd, 0, 16 * PAGE);
  assert.equal(pages(), 16);
  const address = mapMemory({ length: 16 * PAGE, protection: "read-write", fd });
  const bytes = new Uint8Array(viewOf(address, 16 * PAGE));
  bytes.fill(1);
  punchHole(fd, PAGE, PAGE);
  assert.equal(pages(), 15);
  assert.deepEqual([bytes[0], bytes[PAGE], bytes[2 * PAGE]], [1, 0, 1]);
  unmapMemory(address, 16 * PAGE);
  closeDescriptor(fd);
});

test("zero pages laid over a mapping take its place", () => {
  const fd = memoryFile(1);
  const address = mapMemory({ length: PAGE, protection: "read-write", fd });
  const bytes = new Uint8Array(viewOf(address, PAGE));
  bytes[0] = 5;
  assert.equal(mapMemory({ length: PAGE, protection: "read", over: address, noReserve: true }), address);
  assert.equal(bytes[0], 0);
  unmapMemory(address, PAGE);
  closeDescriptor(fd);
});

test("a mapping that cannot be is an error that says why", () => {
  const fd = memoryFile(1);
  assert.throws(() => mapMemory({ length: 0, protection: "read", fd }), { code: "EINVAL", syscall: "mmap" });
  assert.throws(() => mapMemory({ length: PAGE, protection: "read", fd, offset: 1 }), { code: "EINVAL" });
  assert.throws(() => mapMemory({ length: 2 ** 50, protection: "read", fd }), { code: "ENOMEM", errno: 12 });
  assert.throws(() => unmapMemory(1n, PAGE), { code: "EINVAL", syscall: "munmap" });
  assert.throws(() => reservePages(fd, 0, 0), { code: "EINVAL", syscall: "fallocate" });
  assert.throws(() => createMemoryFile("x".repeat(300)), { code: "EINVAL", syscall: "memfd_create" });
  closeDescriptor(fd);
});

function memoryFile(pages: number): number {
  const fd = createMemoryFile("test");
  setFileLength(fd, pages * PAGE);
  return fd;
}
