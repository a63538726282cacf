/** Area J of the conformance cases: heaps, and buffers made of memory that is there already. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, PAGE_SIZE, type DmaBuf, type StorageSegment } from "../../src/index.js";
import { createDomain, joinDomain } from "../agents.js";
import { fails } from "./buffers.js";

const MEBIBYTE = 1 << 20;

test("HEP-01 a heap's buffer is written here, imported elsewhere, and written there", async (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  using buffer = domain.heaps.get("system").allocate(MEBIBYTE);
  {
    using access = await buffer.access("write");
    access.bytes.fill(0xff);
  }
  using imported = other.import(buffer.handle());
  {
    using access = await imported.access("write");
    assert.ok(access.bytes.every((byte) => byte === 0xff));
    access.bytes.fill(0x11);
  }
  using access = await buffer.access("read");
  assert.ok(access.bytes.every((byte) => byte === 0x11));
});

test("HEP-02 memory that was written and freed comes back as zeros", (t) => {
  const domain = createDomain(t, { buffers: 32 });
  const heap = domain.heaps.get("system");
  for (const size of [PAGE_SIZE, MEBIBYTE]) {
    const filled = Array.from({ length: 32 }, () => heap.allocate(size));
    for (const buffer of filled) {
      bytesOf(buffer)[0]!.fill(0xff);
      buffer.close();
    }
    const fresh = Array.from({ length: 32 }, () => heap.allocate(size));
    for (const buffer of fresh) {
      assert.ok(bytesOf(buffer)[0]!.every((byte) => byte === 0));
      buffer.close();
    }
  }
});

test("HEP-03 a heap allocates without options", (t) => {
  const heap = createDomain(t).heaps.get("system");
  assert.equal(heap.allocate(PAGE_SIZE).size, PAGE_SIZE);
  assert.equal(heap.allocate(PAGE_SIZE, { name: "no flags" }).name, "no flags");
});

test("HEP-04 a heap does not look at options that it does not know", (t) => {
  const heap = createDomain(t).heaps.get("system");
  const fromTheFuture = { name: "later", colour: 0xdeadbeef };
  assert.equal(heap.allocate(PAGE_SIZE, fromTheFuture).name, "later");
});

test("HEP-05 nothing but a heap allocates, and a closed domain's does not", () => {
  const domain = Domain.create();
  const heap = domain.heaps.get("system");
  const buffer = heap.allocate(PAGE_SIZE);
  const mistaken = Object.create(heap, { name: { value: buffer.name } }) as typeof heap;
  assert.throws(() => mistaken.allocate(PAGE_SIZE), TypeError);
  fails("ENODEV", () => domain.heaps.get("none"));
  domain.close();
  fails("EBADF", () => heap.allocate(PAGE_SIZE));
});

test("HEP-06 a heap refuses flags", (t) => {
  const domain = createDomain(t);
  fails("EINVAL", () => domain.heaps.get("system").allocate(PAGE_SIZE, { flags: 0x11_1111 }));
  assert.deepEqual(domain.statistics(), []);
  assert.equal(domain.heaps.get("system").allocate(PAGE_SIZE, { flags: 0 }).size, PAGE_SIZE);
});

test("HEP-07 the first holder may read or read and write, and nothing else", (t) => {
  const domain = createDomain(t);
  const heap = domain.heaps.get("system");
  for (const mode of ["write", "append", 2]) {
    fails("EINVAL", () => heap.allocate(PAGE_SIZE, { mode: mode as never }));
  }
  assert.deepEqual(domain.statistics(), []);
  const reader = heap.allocate(PAGE_SIZE, { mode: "read" });
  fails("EACCES", () => reader.accessSync("write"));
  assert.equal(heap.allocate(PAGE_SIZE, { mode: "read-write" }).mode, "read-write");
});

test("HEP-08 a buffer cannot be put in the place of one that is there", (t) => {
  const domain = createDomain(t);
  const heap = domain.heaps.get("system");
  const first = heap.allocate(PAGE_SIZE, { name: "same" });
  const second = heap.allocate(PAGE_SIZE, { name: "same" });
  assert.notEqual(first.inode, second.inode);
});

test("HEP-09 a size is rounded up to whole pages, and 0 is none", (t) => {
  const heap = createDomain(t).heaps.get("system");
  for (const none of [0, -1, NaN, Infinity]) fails("EINVAL", () => heap.allocate(none));
  assert.equal(heap.allocate(1).size, PAGE_SIZE);
  assert.equal(heap.allocate(PAGE_SIZE).size, PAGE_SIZE);
  assert.equal(heap.allocate(PAGE_SIZE + 1).size, 2 * PAGE_SIZE);
});

test("HEP-10 a heap has one call, to allocate", (t) => {
  const heap = createDomain(t).heaps.get("system");
  assert.deepEqual(Object.getOwnPropertyNames(Object.getPrototypeOf(heap)), ["constructor", "allocate"]);
});

test("UDM-01 a range that begins inside a page is refused", (t) => {
  const domain = createDomain(t);
  fails("EINVAL", () => domain.createUdmabuf([{ memory: pages(4), offset: PAGE_SIZE / 2, length: PAGE_SIZE }]));
});

test("UDM-02 a range that ends inside a page, or is empty, is refused", (t) => {
  const domain = createDomain(t);
  fails("EINVAL", () => domain.createUdmabuf([{ memory: pages(4), offset: 0, length: PAGE_SIZE / 2 }]));
  fails("EINVAL", () => domain.createUdmabuf([{ memory: pages(4), offset: 0, length: 0 }]));
  fails("EINVAL", () => domain.createUdmabuf([]));
});

test("UDM-03 memory that threads cannot share is refused", (t) => {
  const domain = createDomain(t);
  for (const memory of [new ArrayBuffer(PAGE_SIZE), 0, undefined]) {
    fails("EBADFD", () => domain.createUdmabuf([{ memory: memory as never, offset: 0, length: PAGE_SIZE }]));
  }
  assert.deepEqual(domain.statistics(), []);
});

test("UDM-04 four pages of shared memory become a buffer of four pages", (t) => {
  const domain = createDomain(t);
  const buffer = domain.createUdmabuf([{ memory: pages(4), offset: 0, length: 4 * PAGE_SIZE }], { name: "mine" });
  assert.equal(buffer.size, 4 * PAGE_SIZE);
  assert.equal(buffer.exporterName, "udmabuf");
  assert.equal(buffer.name, "mine");
});

test("UDM-05 memory that can shrink is refused, and memory that can grow is not", (t) => {
  const domain = createDomain(t);
  const range = { offset: 0, length: PAGE_SIZE };
  const [shrinks, grows] = resizable(2 * PAGE_SIZE);
  fails("EBADFD", () => domain.createUdmabuf([{ memory: shrinks, ...range }]));
  const buffer = domain.createUdmabuf([{ memory: grows, ...range }]);
  grows.grow(2 * PAGE_SIZE);
  assert.equal(buffer.size, PAGE_SIZE);
});

test("UDM-06 pieces of one memory are one buffer in the order of the list, and stay the same memory", async (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const memory = pages(40);
  const bytes = new Uint8Array(memory);
  const starts = [30, 2, 20, 9];
  const list: StorageSegment[] = starts.map((page) => ({ memory, offset: page * PAGE_SIZE, length: 4 * PAGE_SIZE }));
  for (const start of starts) bytes.fill(start, start * PAGE_SIZE, (start + 4) * PAGE_SIZE);
  using buffer = domain.createUdmabuf(list);
  using imported = other.import(buffer.handle());
  const shown = (): (number | undefined)[] => bytesOf(imported).map((piece) => piece[5]);
  assert.deepEqual(shown(), starts);
  bytes.fill(0x77, 20 * PAGE_SIZE, 24 * PAGE_SIZE);
  assert.deepEqual(shown(), [30, 2, 0x77, 9]);
  using access = await imported.access("write");
  access.segments[3]!.fill(0x66);
  assert.equal(bytes[9 * PAGE_SIZE], 0x66);
});

test("UDM-07 more ranges or more bytes than the limits are refused", (t) => {
  const domain = createDomain(t);
  const memory = pages(1);
  const range = { memory, offset: 0, length: PAGE_SIZE };
  fails("EINVAL", () => domain.createUdmabuf(Array<StorageSegment>(1025).fill(range)));
  assert.equal(domain.createUdmabuf(Array<StorageSegment>(1024).fill(range)).size, 1024 * PAGE_SIZE);
  fails("EINVAL", () => domain.createUdmabuf([{ memory, offset: 0, length: 65 * MEBIBYTE }]));
  fails("EINVAL", () => domain.createUdmabuf([{ memory: pages(2), offset: PAGE_SIZE, length: 2 * PAGE_SIZE }]));
});

test("UDM-08 the end of an access that never began changes nothing", (t) => {
  const domain = createDomain(t);
  const buffer = domain.createUdmabuf([{ memory: pages(1), offset: 0, length: PAGE_SIZE }]);
  const [before] = domain.statistics();
  buffer.endCpuAccess("write");
  const [after] = domain.statistics();
  // All that it says is that the content may be another now.
  assert.deepEqual(after, { ...before!, contentVersion: before!.contentVersion + 1 });
});

test("UDM-09 a mapping is the memory itself, and a copy is a copy", async (t) => {
  const domain = createDomain(t);
  const memory = pages(1);
  using buffer = domain.createUdmabuf([{ memory, offset: 0, length: PAGE_SIZE }]);
  using map = buffer.mmap();
  map.bytes[0] = 1;
  assert.equal(new Uint8Array(memory)[0], 1);
  using access = await buffer.access("read");
  access.copy()[0] = 2;
  assert.equal(new Uint8Array(memory)[0], 1);
});

function pages(count: number): SharedArrayBuffer {
  return new SharedArrayBuffer(count * PAGE_SIZE);
}

function bytesOf(buffer: DmaBuf): Uint8Array[] {
  return buffer.segments.map(({ memory, offset, length }) => new Uint8Array(memory, offset, length));
}

/** One page of memory that can shrink, and one that can grow, as newer JavaScript has them. */
function resizable(maxByteLength: number): [ArrayBuffer, SharedArrayBuffer & { grow(size: number): void }] {
  type Resizable<T> = new (size: number, options: { maxByteLength: number }) => T;
  const Shrinking = ArrayBuffer as unknown as Resizable<ArrayBuffer>;
  const Growing = SharedArrayBuffer as unknown as Resizable<SharedArrayBuffer & { grow(size: number): void }>;
  return [new Shrinking(PAGE_SIZE, { maxByteLength }), new Growing(PAGE_SIZE, { maxByteLength })];
}
