import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readdirSync, constants } from "node:fs";
import { test } from "node:test";
import { until } from "../../../test/agents.js";
import { MemoryObject } from "./memory-object.js";
import { ResourceLedger } from "../resources/resource-ledger.js";
import {
  createEventCounter,
  createMemoryFile,
  isClosedOnExec,
  pageSize,
  setFileLength,
} from "../system-calls/index.js";

const PAGE = pageSize();
const ledger = new ResourceLedger();

test("a memory object has its pages from the start, or lazily none", () => {
  using object = MemoryObject.create(ledger, { name: "eager", length: 8 * PAGE });
  using lazy = MemoryObject.create(ledger, { name: "lazy", length: 8 * PAGE, lazy: true });
  assert.deepEqual([pagesOf(object), pagesOf(lazy)], [8, 0]);
  assert.equal(fstatSync(object.fd).mode & 0o777, 0o600);
  assert.ok(isClosedOnExec(object.fd));
});

test("no process can change its length or add seals", () => {
  using object = MemoryObject.create(ledger, { name: "fixed", length: PAGE });
  assert.throws(() => setFileLength(object.fd, 0), { code: "EPERM" });
  assert.throws(() => object.sealWriters(), { code: "EPERM" });
  assert.equal(object.isSealed, false);
});

test("more than there is fails with ENOMEM at once, and leaves no descriptor", () => {
  const before = openDescriptors();
  assert.throws(() => MemoryObject.create(ledger, { name: "huge", length: 2 ** 45 }), { code: "ENOMEM", errno: 12 });
  assert.equal(openDescriptors(), before);
  assert.throws(() => MemoryObject.create(ledger, { name: "none", length: 0 }), RangeError);
});

test("a reading descriptor cannot be mapped to write; the same user can open it again to write", () => {
  using object = MemoryObject.create(ledger, { name: "reader", length: PAGE });
  using reader = object.openReadOnly();
  assert.equal(reader.isWritable, false);
  assert.throws(() => ledger.map({ fd: reader.fd, length: PAGE, isWritable: true }), { code: "EACCES" });
  // Against a hostile process of the same user only sealing helps.
  closeSync(openSync(`/proc/self/fd/${reader.fd}`, constants.O_RDWR));
});

test("a sealed object's producer goes on writing, and no other process can begin to, by no way through /proc", () => {
  using object = MemoryObject.create(ledger, { name: "sealed", length: PAGE, sealed: true });
  using mapping = object.map();
  object.sealWriters();
  assert.ok(object.isSealed);
  new Uint8Array(mapping.buffer)[0] = 4;
  using reader = object.openReadOnly();
  using readable = reader.map();
  assert.equal(new Uint8Array(readable.buffer)[0], 4);
  for (const fd of [object.fd, reader.fd]) {
    const again = openSync(`/proc/self/fd/${fd}`, constants.O_RDWR);
    assert.throws(() => ledger.map({ fd: again, length: PAGE, isWritable: true }), { code: "EPERM", syscall: "mmap" });
    closeSync(again);
  }
  assert.equal(object.giveBack(), false);
});

test("giveBack() frees the pages while others still map them, and they read zeros", () => {
  using object = MemoryObject.create(ledger, { name: "given", length: 8 * PAGE });
  using mapping = object.map();
  const bytes = new Uint8Array(mapping.buffer).fill(1);
  assert.equal(pagesOf(object), 8);
  assert.equal(object.giveBack(), true);
  assert.deepEqual([pagesOf(object), bytes[0]], [0, 0]);
  using reader = object.openReadOnly();
  assert.equal(reader.giveBack(), false);
});

test("adopt() takes memory of sealed length only, and closes what it refuses", async () => {
  const before = openDescriptors();
  assert.throws(() => MemoryObject.adopt(ledger, ledger.open(createEventCounter)), { code: "EPROTO" });
  const unsealed = createMemoryFile("unsealed");
  setFileLength(unsealed, PAGE);
  assert.throws(
    () =>
      MemoryObject.adopt(
        ledger,
        ledger.open(() => unsealed),
      ),
    { code: "EPROTO" },
  );
  await until(() => openDescriptors() === before);
});

test("a closed object has no descriptor, and closing twice closes nothing else", () => {
  const object = MemoryObject.create(ledger, { name: "closed", length: PAGE });
  const { fd } = object;
  object.close();
  const other = createEventCounter();
  assert.equal(other, fd, "the number is given again");
  object.close();
  assert.ok(isClosedOnExec(other));
  assert.throws(() => object.fd, { code: "EBADF" });
  closeSync(other);
});

function pagesOf(object: MemoryObject): number {
  return (fstatSync(object.fd).blocks * 512) / PAGE;
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
