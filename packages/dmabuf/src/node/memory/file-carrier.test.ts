import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { PAGE_SIZE, type DmaBuf, type StorageSegment } from "../../index.js";
import { ProcessDomain } from "../process-domain.js";

const LENGTH = 4 * PAGE_SIZE;

function create(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create({ agents: 4, buffers: 4 });
  t.after(() => domain.close());
  return domain;
}

function bytesOf({ memory, offset, length }: StorageSegment): Uint8Array {
  return new Uint8Array(memory, offset, length);
}

function firstByte(buffer: DmaBuf): number {
  using access = buffer.tryAccess("read")!;
  return access.bytes[0]!;
}

/** What this process has of memory made by createMemory(). */
function remains(): { readonly descriptors: number; readonly mappings: number } {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mappings = maps.filter((line) => line.includes("memfd:dmabuf memory")).length;
  return { descriptors: readdirSync("/proc/self/fd").length, mappings };
}

test("memory that was made is zeroed, and that of the buffer that is exported of it", (t) => {
  const domain = create(t);
  using memory = domain.createMemory(LENGTH);
  assert.deepEqual([memory.offset, memory.length], [0, LENGTH]);
  assert.deepEqual([...new Set(bytesOf(memory))], [0]);
  using buffer = domain.export([memory]);
  bytesOf(memory)[0] = 7;
  assert.equal(firstByte(buffer), 7);
});

test("disposing memory leaves nothing of it, and twice does nothing", (t) => {
  const domain = create(t);
  const before = remains();
  const memory = domain.createMemory(LENGTH);
  assert.deepEqual(remains(), { descriptors: before.descriptors + 1, mappings: before.mappings + 1 });
  memory[Symbol.dispose]();
  assert.deepEqual(remains(), before);
  const next = domain.createMemory(LENGTH);
  memory[Symbol.dispose]();
  bytesOf(next)[0] = 1;
  assert.equal(bytesOf(next)[0], 1);
});

test("a view of memory that is disposed can be touched, and shows nothing of it", (t) => {
  const domain = create(t);
  const memory = domain.createMemory(LENGTH);
  const view = bytesOf(memory).fill(5);
  memory[Symbol.dispose]();
  // Where the runtime can take it back, it has no bytes.
  assert.equal(view[0] ?? 0, 0);
});

test("a buffer keeps the memory that is disposed while it is exported", (t) => {
  const domain = create(t);
  const before = remains();
  const memory = domain.createMemory(LENGTH);
  bytesOf(memory)[0] = 8;
  const [whole, part] = [domain.export([memory]), domain.export([{ ...memory, offset: PAGE_SIZE, length: PAGE_SIZE }])];
  memory[Symbol.dispose]();
  assert.equal(firstByte(whole), 8);
  whole.tryAccess("write")![Symbol.dispose]();
  whole.close();
  assert.equal(firstByte(part), 0);
  part.close();
  assert.deepEqual(remains(), before);
});

test("memory outlives the buffer that was exported of it", (t) => {
  const domain = create(t);
  using memory = domain.createMemory(LENGTH);
  {
    using buffer = domain.export([memory]);
    using access = buffer.tryAccess("write")!;
    access.bytes[0] = 9;
  }
  assert.equal(bytesOf(memory)[0], 9);
  using again = domain.export([memory]);
  assert.equal(firstByte(again), 9);
});

test("memory that is disposed, or of another domain, or of no domain, is not exported", (t) => {
  const [domain, other] = [create(t), create(t)];
  const memory = domain.createMemory(LENGTH);
  const { memory: bytes } = memory;
  memory[Symbol.dispose]();
  for (const each of [
    { memory: bytes, offset: 0, length: LENGTH },
    other.createMemory(LENGTH),
    { memory: new ArrayBuffer(LENGTH), offset: 0, length: LENGTH },
  ]) {
    assert.throws(() => domain.export([each]), { code: "EINVAL" });
  }
});

test("leaving the domain disposes its memory, which is made no more then", (t) => {
  const domain = create(t);
  const before = remains().mappings;
  const memory = domain.createMemory(LENGTH);
  domain.close();
  assert.equal(remains().mappings, before);
  memory[Symbol.dispose]();
  assert.throws(() => domain.createMemory(LENGTH), { code: "EBADF" });
});

test("memory is whole pages", (t) => {
  const domain = create(t);
  for (const length of [0, -PAGE_SIZE, 1, PAGE_SIZE + 1, NaN, Infinity]) {
    assert.throws(() => domain.createMemory(length), RangeError);
  }
});
