import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { MemoryMapping } from "./memory-mapping.js";
import { MemoryObject } from "./memory-object.js";
import { ResourceLedger } from "../resources/resource-ledger.js";
import { addressOf, pageSize } from "../system-calls/index.js";

const PAGE = pageSize();
const takesBack = "transfer" in ArrayBuffer.prototype ? false : "this Node.js has no ArrayBuffer.prototype.transfer";
const ledger = new ResourceLedger();

test(
  "at the end of the last use every view has length 0, and the next use has the same bytes (memory-mapping.2)",
  { skip: takesBack },
  () => {
    using object = create("taken back", 4);
    using mapping = object.map();
    mapping.beginUse();
    mapping.beginUse();
    const bytes = new Uint8Array(mapping.buffer);
    bytes[PAGE] = 7;
    const address = addressOf(bytes);
    mapping.endUse();
    assert.equal(bytes.length, 4 * PAGE, "the second use goes on");
    mapping.endUse();
    assert.equal(bytes.length, 0);
    mapping.beginUse();
    const again = new Uint8Array(mapping.buffer);
    assert.deepEqual([again[PAGE], addressOf(again)], [7, address]);
    mapping.endUse();
  },
);

test("closing during a use empties the views too, and the mapping is gone", { skip: takesBack }, async () => {
  using object = create("closed early", 4);
  const mapping = object.map();
  mapping.beginUse();
  const bytes = new Uint8Array(mapping.buffer);
  mapping.close();
  assert.equal(bytes.length, 0);
  assert.equal(isMapped("closed early"), false);
  mapping.endUse();
  assert.throws(() => mapping.buffer, { code: "EBADF" });
  await nextTurn();
});

test("closing gives the memory back before it returns, also while views are left (memory-mapping.3)", () => {
  const object = create("given back", 256);
  const mapping = object.map();
  mapping.beginUse();
  const bytes = new Uint8Array(mapping.buffer).fill(1);
  const before = sharedMemory();
  mapping.close();
  object.close();
  assert.ok(sharedMemory() <= before - 256 * PAGE, "no collection of garbage was needed");
  if (bytes.length > 0) assert.equal(bytes[0], 0);
  mapping.endUse();
});

test("a view that was transferred away reads zeros after the close, can be written, and nothing crashes", async () => {
  using object = create("stolen", 4);
  const mapping = object.map();
  makeTransferable(mapping);
  mapping.beginUse();
  const { buffer } = mapping;
  new Uint8Array(buffer)[0] = 9;
  const stolen = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
  const isCopy = isCopied(stolen, object);
  mapping.endUse();
  mapping.close();
  await collectGarbage();
  if (!isCopy) assert.equal(stolen[0], 0);
  stolen.fill(3);
  assert.equal(stolen[4 * PAGE - 1], 3);
  assert.equal(isMapped("stolen"), false);
});

test("a mapping that was stolen from is whole for the next use", () => {
  using object = create("stolen from", 4);
  using mapping = object.map();
  makeTransferable(mapping);
  mapping.beginUse();
  const { buffer } = mapping;
  new Uint8Array(buffer)[5] = 55;
  structuredClone(buffer, { transfer: [buffer] });
  mapping.endUse();
  assert.equal(new Uint8Array(mapping.buffer)[5], 55);
});

test("addresses are given back once no view is left (memory-mapping.4)", { timeout: 20_000 }, async () => {
  const object = create("collected", 16);
  const addresses = (): number => {
    const mapping = object.map();
    mapping.beginUse();
    const address = addressOf(new Uint8Array(mapping.buffer));
    mapping.endUse();
    mapping.close();
    return Number(address);
  };
  const address = addresses();
  while (isTaken(address)) await collectGarbage();
  object.close();
});

test("a reading mapping shows what a writer writes", () => {
  using object = create("read only", 1);
  using mapping = object.map();
  using reader = object.openReadOnly();
  using readable = reader.map();
  new Uint8Array(mapping.buffer)[3] = 33;
  assert.equal(new Uint8Array(readable.buffer)[3], 33);
});

test("10,000 uses leave one mapping and no growth of it (memory-mapping.1)", () => {
  using object = create("many uses", 4);
  using mapping = object.map();
  for (let i = 0; i < 10_000; i++) {
    mapping.beginUse();
    new Uint8Array(mapping.buffer)[0] = i;
    mapping.endUse();
  }
  assert.equal(mapsOf("many uses").length, 1);
});

function create(name: string, pages: number): MemoryObject {
  return MemoryObject.create(ledger, { name, length: pages * PAGE });
}

/** Node.js 22 and later refuse to transfer the first view of some memory, and no later one. */
function makeTransferable(mapping: MemoryMapping): void {
  mapping.beginUse();
  assert.equal(mapping.buffer.byteLength, mapping.length);
  mapping.endUse();
}

/** Node.js 20 copies an external buffer that it is asked to transfer. */
function isCopied(stolen: Uint8Array, object: MemoryObject): boolean {
  using mapping = object.map();
  const bytes = new Uint8Array(mapping.buffer);
  bytes[1] = 1;
  return stolen[1] !== 1;
}

function mapsOf(name: string): string[] {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(`/memfd:${name} `));
}

function isMapped(name: string): boolean {
  return mapsOf(name).length > 0;
}

function isTaken(address: number): boolean {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .some((line) => {
      const [from, to] = line
        .split(" ")[0]!
        .split("-")
        .map((part) => parseInt(part, 16)) as [number, number];
      return from <= address && address < to;
    });
}

/** Shared memory of the whole process, in bytes. */
function sharedMemory(): number {
  const kilobytes = /RssShmem:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(kilobytes![1]) * 1024;
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  await nextTurn();
}
