import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { UserFenceHandleData } from "../fence/user-fence-handle.js";
import type { DmaBuf } from "./buffer.js";
import { MemoryFence } from "./memory-fence.js";

const PATIENT = { timeout: 20_000 };

function sent(fence: MemoryFence): UserFenceHandleData {
  return structuredClone(fence.handle());
}

/** What a device does: it rings no agent. */
function write(buffer: DmaBuf, offset: number, value: bigint): void {
  using map = buffer.mmap();
  new BigUint64Array(map.bytes.buffer, map.bytes.byteOffset + offset, 1)[0] = value;
}

test("memory-fence.1: whatever writes the word signals each fence that waits for as much or less", (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(4096, { name: "progress" });
  const fences = [0, 3, 5n].map((value) => buffer.memoryFence({ offset: 16, value }));
  const signaled = (): boolean[] => fences.map((fence) => fence.isSignaled());
  assert.deepEqual(signaled(), [true, false, false]);
  write(buffer, 8, 9n);
  assert.deepEqual(signaled(), [true, false, false]);
  write(buffer, 16, 4n);
  assert.deepEqual(signaled(), [true, true, false]);
  // It has been seen signaled, and stays so.
  write(buffer, 16, 0n);
  assert.deepEqual(signaled(), [true, true, false]);
  assert.equal(buffer.memoryFence({ offset: 16, value: 3 }).isSignaled(), false);
  assert.deepEqual([fences[1]!.name, fences[1]!.offset, fences[1]!.value], ["progress+16", 16, 3n]);
});

test("memory-fence.2: signal() raises the word and never lowers it; numbers are unsigned, of 64 bits", (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(4096);
  const [low, high, most] = [3, 2n ** 63n, 2n ** 64n - 1n].map((value) => buffer.memoryFence({ value }));
  assert.equal(high!.signal(), true);
  assert.deepEqual([low!.signal(), low!.isSignaled(), most!.isSignaled()], [false, true, false]);
  assert.equal(most!.signal(), true);
  using access = buffer.tryAccess("read")!;
  assert.deepEqual([...access.bytes.subarray(0, 9)], [...Array<number>(8).fill(255), 0]);
});

test("the word is in little-endian order", (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(16);
  buffer.memoryFence({ offset: 8, value: 0x0102 }).signal();
  using access = buffer.tryAccess("read")!;
  assert.deepEqual([...access.bytes.subarray(8, 11)], [2, 1, 0]);
});

test(
  "memory-fence.3: a wait ends with a signal of another agent, and with a write that rings none",
  PATIENT,
  async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(4096);
    const mine = buffer.memoryFence({ offset: 8, value: 1 });
    const theirs = joinDomain(t, domain).import(sent(mine));
    assert.ok(theirs instanceof MemoryFence);
    const wait = theirs.wait({ timeout: 10_000 });
    assert.ok(await isPending(wait));
    assert.equal(mine.signal(), true);
    assert.equal(await wait, "signaled");
    const next = buffer.memoryFence({ offset: 8, value: 2 });
    const written = next.wait({ timeout: 10_000 });
    assert.ok(await isPending(written));
    write(buffer, 8, 2n);
    assert.equal(await written, "signaled");
  },
);

test("a thread may block for a word without a limit that it alone has, for a device may write it", BLOCKS, (t) => {
  const domain = createDomain(t);
  const fence = domain.allocate(8).memoryFence({ value: 1 });
  assert.equal(fence.waitSync({ timeout: 3 }), "timed-out");
  fence.signal();
  assert.equal(fence.waitSync(), "signaled");
});

test("memory-fence.4: the storage cannot be moved while a fence or a wait needs it", PATIENT, async (t) => {
  const domain = createDomain(t);
  const segment = (): { memory: SharedArrayBuffer; offset: number; length: number } => ({
    memory: new SharedArrayBuffer(4096),
    offset: 0,
    length: 4096,
  });
  const buffer = domain.export([segment()]);
  const fence = buffer.memoryFence({ value: 1 });
  const again = fence.duplicate();
  const abort = new AbortController();
  const wait = fence.wait({ signal: abort.signal });
  fence.close();
  await assert.rejects(buffer.move([segment()]), { code: "EBUSY" });
  again.close();
  await assert.rejects(buffer.move([segment()]), { code: "EBUSY" });
  abort.abort(new Error("enough"));
  await assert.rejects(wait, /enough/);
  await buffer.move([segment()]);
});

test("it keeps the buffer alive, and needs no holder of it", async (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(8);
  const fence = buffer.memoryFence({ value: 1 });
  buffer.close();
  assert.equal(domain.statistics().length, 1);
  const again = domain.import(sent(fence));
  assert.equal(again.signal(), true);
  assert.equal(await fence.wait(), "signaled");
  fence.close();
  again.close();
  assert.equal(domain.statistics().length, 0);
});

test("a holder that may only read waits, and signals nothing", (t) => {
  const domain = createDomain(t);
  const buffer = domain.allocate(8);
  const reader = joinDomain(t, domain).import(structuredClone(buffer.handle("read")));
  const fence = reader.memoryFence({ value: 1 });
  assert.throws(() => fence.signal(), { code: "EACCES" });
  assert.throws(() => domain.import(sent(fence)).signal(), { code: "EACCES" });
  buffer.memoryFence({ value: 1 }).signal();
  assert.equal(fence.isSignaled(), true);
});

test(
  "user-fence.2: the death of the agent that signals, or of the buffer's exporter, ends no fence",
  DIES,
  async (t) => {
    const domain = createDomain(t);
    const exporter = joinMortal(domain, "exporter");
    const buffer = exporter.domain.allocate(8);
    const mine = domain.import(sent(buffer.memoryFence({ value: 2 })));
    const wait = mine.wait({ timeout: 10_000 });
    await exporter.die();
    assert.ok(await isPending(wait));
    mine.signal();
    assert.equal(await wait, "signaled");
  },
);

test("an agent that has left uses no word any more", (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const theirs = other.import(sent(domain.allocate(8).memoryFence({ value: 1 })));
  other.close();
  for (const call of [() => theirs.signal(), () => theirs.isSignaled(), () => theirs.handle()]) {
    assert.throws(call, { code: "EBADF" });
  }
  theirs.close();
});

const WRONG: [what: string, options: object, error: object][] = [
  ["an offset that is no multiple of 8", { offset: 4, value: 1 }, { code: "EINVAL", message: /a multiple of 8/ }],
  ["a word behind the end", { offset: 4096, value: 1 }, { code: "EINVAL", message: /the buffer has 4096 bytes/ }],
  ["a negative value", { value: -1 }, { name: "RangeError" }],
  ["half a number", { value: 1.5 }, { name: "RangeError" }],
  ["a value of more than 64 bits", { value: 2n ** 64n }, { name: "RangeError" }],
  ["no value", {}, { name: "TypeError" }],
];

for (const [what, options, error] of WRONG) {
  test(`${what} is refused`, (t) => {
    const buffer = createDomain(t).allocate(4096);
    assert.throws(() => buffer.memoryFence(options as never), error);
  });
}

test("a word that is in two segments, or not at a multiple of 8 in its memory, is refused", (t) => {
  const domain = createDomain(t);
  const memory = new SharedArrayBuffer(64);
  const buffer = domain.export([
    { memory, offset: 0, length: 12 },
    { memory, offset: 16, length: 24 },
  ]);
  assert.equal(buffer.memoryFence({ value: 0 }).isSignaled(), true);
  for (const offset of [8, 16]) {
    assert.throws(() => buffer.memoryFence({ offset, value: 1 }), { code: "EINVAL", message: /no whole word/ });
  }
  assert.doesNotThrow(() => buffer.close());
});

test("a handle that is damaged is refused", (t) => {
  const domain = createDomain(t);
  const handle = sent(domain.allocate(8).memoryFence({ value: 1 }));
  const damages = [
    { offset: 4 },
    { value: "-1" },
    { value: 1 },
    { value: String(2n ** 64n) },
    { buffer: undefined },
    { buffer: {} },
  ];
  for (const damage of damages) {
    assert.throws(() => domain.import({ ...handle, ...damage }), { code: "EINVAL" });
  }
  assert.throws(() => createDomain(t).import(handle), { code: "EINVAL", message: /belongs to domain/ });
});
