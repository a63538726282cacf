import assert from "node:assert/strict";
import { test } from "node:test";
import { createReadOnlySubstrate } from "./read-only.js";
import type { Substrate } from "./substrate.js";

function words(): { readonly buffer: ArrayBuffer; readonly memory: ReturnType<typeof createReadOnlySubstrate> } {
  const buffer = new ArrayBuffer(64);
  new Int32Array(buffer).set([1, 2, -3, 4]);
  return { buffer, memory: createReadOnlySubstrate(buffer) };
}

const LOOKS = ["load", "load64", "pause", "words", "wasmMemory"];

const CHANGES: Record<string, (memory: Substrate) => unknown> = {
  store: (memory) => memory.store(0, 5),
  add: (memory) => memory.add(0, 5),
  or: (memory) => memory.or(0, 5),
  and: (memory) => memory.and(0, 5),
  exchange: (memory) => memory.exchange(0, 5),
  compareExchange: (memory) => memory.compareExchange(0, 1, 5),
  store64: (memory) => memory.store64(0, 5n),
  exchange64: (memory) => memory.exchange64(0, 5n),
  compareExchange64: (memory) => memory.compareExchange64(0, 0x2_0000_0001n, 5n),
  park: (memory) => memory.park(0, 1, 1),
  parkAsync: (memory) => memory.parkAsync(0, 1),
  wake: (memory) => memory.wake(0),
};

test("words that are only looked at can be read, and change with their memory", () => {
  const { buffer, memory } = words();
  assert.equal(memory.words, 16);
  assert.deepEqual([memory.load(0), memory.load(2), memory.load64(0)], [1, -3, 0x2_0000_0001n]);
  new Int32Array(buffer)[0] = 9;
  assert.equal(memory.load(0), 9);
});

test("nothing can be written to them, nor be woken there: read-only.1", () => {
  const { buffer, memory } = words();
  const before = [...new Int32Array(buffer)];
  for (const [name, change] of Object.entries(CHANGES)) {
    assert.throws(() => change(memory), { code: "EROFS", message: /only looked at/ }, name);
  }
  assert.deepEqual([...new Int32Array(buffer)], before);
});

test("there is no operation of theirs that the test before does not know: read-only.1", () => {
  const { memory } = words();
  const names = new Set<string>();
  for (let of: object = memory; of !== Object.prototype; of = Object.getPrototypeOf(of) as object) {
    for (const name of Object.getOwnPropertyNames(of)) names.add(name);
  }
  for (const name of ["constructor", "close", "moveTo", ...LOOKS]) names.delete(name);
  assert.deepEqual([...names].sort(), Object.keys(CHANGES).sort());
});

test("after the close they cannot be read: read-only.2", () => {
  const { memory } = words();
  memory.close();
  assert.throws(() => memory.load(0), RangeError);
  assert.throws(() => memory.load64(0), RangeError);
});
