import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, joinDomain } from "../../test/agents.js";
import { DmaBufError } from "../errors.js";
import type { HeapStorage } from "./heap.js";
import { PAGE_SIZE } from "./storage.js";

function memoryOf(size: number): HeapStorage {
  return { segments: [{ memory: new SharedArrayBuffer(size), offset: 0, length: size }] };
}

describe("a heap that was added", () => {
  test("is found by its name, after the system heap", (t) => {
    const { heaps } = createDomain(t);
    const added = heaps.add("card", { allocate: memoryOf });
    assert.equal(heaps.get("card"), added);
    assert.deepEqual(heaps.names, ["system", "card"]);
  });

  test("is asked for whole pages, and names itself as the exporter of its buffers", (t) => {
    const domain = createDomain(t);
    const sizes: number[] = [];
    const allocate = (size: number): HeapStorage => {
      sizes.push(size);
      return memoryOf(size);
    };
    const buffer = domain.heaps.add("card", { allocate }).allocate(PAGE_SIZE + 1, { name: "texture" });
    assert.deepEqual(sizes, [2 * PAGE_SIZE]);
    assert.deepEqual([buffer.size, buffer.exporterName, buffer.name], [2 * PAGE_SIZE, "card", "texture"]);
  });

  test("gives buffers that other agents import, and hears when the last of them is closed", (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    let released = 0;
    const ops = { map: () => memoryOf(PAGE_SIZE).segments, unmap() {}, release: () => void released++ };
    const heap = domain.heaps.add("card", { allocate: (size) => ({ ...memoryOf(size), ops }) });
    const buffer = heap.allocate(1);
    const imported = other.import(buffer.handle());
    buffer.close();
    assert.deepEqual([imported.exporterName, released], ["card", 0]);
    imported.close();
    domain.close();
    assert.equal(released, 1);
  });

  test("must give as many bytes as it was asked for", (t) => {
    const domain = createDomain(t);
    const heap = domain.heaps.add("card", { allocate: () => memoryOf(PAGE_SIZE) });
    assert.throws(() => heap.allocate(2 * PAGE_SIZE), { code: "EINVAL", message: /4096 bytes.*8192/ });
    assert.deepEqual(domain.statistics(), []);
  });

  test("fails with its own error", (t) => {
    const allocate = (): never => {
      throw new DmaBufError("ENOMEM", "The card is full");
    };
    const heap = createDomain(t).heaps.add("card", { allocate });
    assert.throws(() => heap.allocate(1), { code: "ENOMEM", message: /The card is full/ });
  });

  test("is not asked for what it could not give, or after its domain was closed", (t) => {
    const domain = createDomain(t);
    let asked = 0;
    const allocate = (size: number): HeapStorage => {
      asked++;
      return memoryOf(size);
    };
    const heap = domain.heaps.add("card", { allocate });
    assert.throws(() => heap.allocate(0), { code: "EINVAL" });
    assert.throws(() => heap.allocate(1, { flags: 1 }), { code: "EINVAL", message: /option "flags" must be 0, not 1/ });
    domain.close();
    assert.throws(() => heap.allocate(1), { code: "EBADF" });
    assert.equal(asked, 0);
  });
});

describe("heaps.add() refuses", () => {
  for (const [why, name] of [
    ["an empty name", ""],
    ["a name that is in use", "system"],
    ["a name of more than 31 bytes", "é".repeat(16)],
  ] as const) {
    test(why, (t) => {
      const { heaps } = createDomain(t);
      assert.throws(() => heaps.add(name, { allocate: memoryOf }), { code: "EINVAL" });
      assert.deepEqual(heaps.names, ["system"]);
    });
  }

  test("a heap that cannot allocate", (t) => {
    const { heaps } = createDomain(t);
    assert.throws(() => heaps.add("card", {} as never), { code: "EINVAL", message: /allocate/ });
  });

  test("more than 128 heaps", (t) => {
    const { heaps } = createDomain(t);
    for (let i = 1; i < 128; i++) heaps.add(`heap ${i}`, { allocate: memoryOf });
    assert.throws(() => heaps.add("one more", { allocate: memoryOf }), { code: "ENOSPC" });
  });
});

test("a name that no heap has is ENODEV", (t) => {
  assert.throws(() => createDomain(t).heaps.get("cma"), { code: "ENODEV", message: /"cma"/ });
});
