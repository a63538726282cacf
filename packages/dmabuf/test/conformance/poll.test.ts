/** Area I of the conformance cases, the part on poll: when a buffer is safe to read and to write. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, PAGE_SIZE, type DmaBuf, type Usage } from "../../src/index.js";
import { addFence } from "./buffers.js";

function readiness(buffer: DmaBuf): { read: boolean; write: boolean } {
  return { read: buffer.isReady("read"), write: buffer.isReady("write") };
}

const READY = { read: true, write: true };

test("IMP-01 an idle buffer is ready to be read and written", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  assert.deepEqual(readiness(buffer), READY);
  assert.equal(await buffer.ready("write", { timeout: 0 }), "signaled");
});

const POLLED: readonly (readonly [id: string, usage: Usage, pending: { read: boolean; write: boolean }])[] = [
  [
    "IMP-02 a pending reader keeps a buffer from being written, not from being read",
    "read",
    { read: true, write: false },
  ],
  ["IMP-03 a pending writer keeps a buffer from being read and written", "write", { read: false, write: false }],
];

for (const [name, usage, pending] of POLLED) {
  test(name, async () => {
    using domain = Domain.create();
    using buffer = domain.allocate(PAGE_SIZE);
    const fence = addFence(domain, buffer, usage);
    assert.deepEqual(readiness(buffer), pending);
    const waiting = buffer.ready("write");
    assert.equal(await buffer.ready("write", { timeout: 0 }), "timed-out");
    fence.signal();
    assert.equal(await waiting, "signaled");
    assert.deepEqual(readiness(buffer), READY);
  });

  test(`IMP-04 as ${name.slice(0, 6)} for a handle that was made after the fence was added`, () => {
    using domain = Domain.create();
    using buffer = domain.allocate(PAGE_SIZE);
    const fence = addFence(domain, buffer, usage);
    using imported = domain.import(buffer.handle("read"));
    assert.deepEqual(readiness(imported), pending);
    fence.signal();
    assert.deepEqual(readiness(imported), READY);
  });
}

test("IMP-17 a wait goes on although its holder is closed, and only then the buffer is freed", async () => {
  using domain = Domain.create();
  const buffer = domain.allocate(PAGE_SIZE);
  const fence = addFence(domain, buffer, "write");
  const waiting = buffer.ready("read");
  buffer.close();
  assert.equal(domain.statistics().length, 1);
  fence.signal();
  assert.equal(await waiting, "signaled");
  assert.equal(domain.statistics().length, 0);
});

test("IMP-18 a wait that has waited for two fences, one after the other, has one time limit", async () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const first = addFence(domain, buffer, "write");
  const waiting = buffer.ready("read", { timeout: 50 });
  addFence(domain, buffer, "write");
  first.signal();
  assert.equal(await waiting, "timed-out");
  await assert.rejects(buffer.ready("read", { timeout: -1 }), { code: "EINVAL" });
});

test("a buffer whose bookkeeping fence is pending is ready", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  addFence(domain, buffer, "bookkeep");
  assert.deepEqual(readiness(buffer), READY);
});

test("a failed fence leaves the buffer ready", () => {
  using domain = Domain.create();
  using buffer = domain.allocate(PAGE_SIZE);
  const fence = addFence(domain, buffer, "write");
  fence.setError("EIO");
  fence.signal();
  assert.deepEqual(readiness(buffer), READY);
});
