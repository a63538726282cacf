/** The kernel's fences and buffers behind the library's own contracts. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { Domain, PAGE_SIZE, SyncFile, waitAny } from "../../../src/index.js";
import {
  createSealedMemory,
  DmaHeap,
  DrmDevice,
  DrmSyncobj,
  handOver,
  handOverSync,
  importDescriptor,
  kernelFence,
  kernelSyncFile,
  SoftwareSyncTimeline,
  SyncFileDescriptor,
  UdmabufDevice,
  VgemFence,
} from "../../../src/linux/index.js";
import { publish } from "../../../src/fence/published-fence.js";
import { kernelTest } from "../cases/kernel-test.js";
import { fails, openDescriptors, until } from "../support.js";

const PATIENT = { timeout: 20_000 };

test("a sync_file is a fence: pending, then signaled, with the kernel's time and names", PATIENT, () => {
  using domain = Domain.create();
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const fence = kernelFence(domain, file);
  assert.deepEqual([fence.status, fence.driverName, fence.timestamp], [0, "sw_sync", undefined]);
  timeline.advance();
  assert.deepEqual([fence.status, fence.timestamp], [1, file.info().fences[0]!.timestamp]);
});

test("a kernel's fence that fails has the kernel's error", PATIENT, async () => {
  using domain = Domain.create();
  const timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const fence = kernelFence(domain, file);
  const waiting = fence.result();
  timeline.close();
  await assert.rejects(waiting, { code: "ENOENT" });
});

test(
  "a wait for a kernel's fence ends with its signal and not before, without blocking and with",
  PATIENT,
  async () => {
    using domain = Domain.create();
    using timeline = SoftwareSyncTimeline.create();
    using file = timeline.createFence(1);
    const fence = kernelFence(domain, file);
    assert.equal(fence.waitSync({ timeout: 20 }), "timed-out");
    assert.equal(await fence.wait({ timeout: 20 }), "timed-out");
    let signaled = false;
    const waiting = fence.wait().then(() => (signaled = true));
    await sleep(20);
    assert.equal(signaled, false);
    timeline.advance();
    await waiting;
    assert.equal(fence.waitSync(), "signaled");
  },
);

test("a kernel fence can be in arrays, in merges and beside the library's own (kernel-fence.1)", PATIENT, async () => {
  using domain = Domain.create();
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const own = domain.createTimeline().createFence();
  const theirs = kernelFence(domain, file);
  const both = domain.createFenceArray([own, theirs]);
  const merged = SyncFile.merge("both", domain.createSyncFile(own), kernelSyncFile(domain, file));
  assert.deepEqual(
    merged.info().fences.map(({ status }) => status),
    [0, 0],
  );
  const first = waitAny([own, theirs]);
  timeline.advance();
  assert.deepEqual(await first, { state: "signaled", index: 1 });
  assert.equal(both.isSignaled(), false);
  own.signal();
  assert.deepEqual([await both.wait(), await merged.wait()], ["signaled", "signaled"]);
});

// kernel-fence.3
test("a kernel's fence that others see may be dropped, and signals when the device has finished", PATIENT, async () => {
  using domain = Domain.create();
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const fence = kernelFence(domain, file);
  const view = domain.import(fence.handle());
  fence[Symbol.dispose]();
  assert.equal(view.status, 0);
  timeline.advance();
  assert.equal(await view.wait(), "signaled");
  assert.equal(view.status, 1);
});

// kernel-buffer.2, kernel-fence.4
test("a device that is late keeps its buffer from others until it has finished", PATIENT, async () => {
  using domain = Domain.create();
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  using buffer = domain.allocate(PAGE_SIZE);
  const fence = kernelFence(domain, file);
  publish(fence, 20);
  {
    using _lock = await buffer.reservation.lock();
    buffer.reservation.reserveFences(1);
    buffer.reservation.addFence(fence, "write");
  }
  await assert.rejects(fence.result(), { code: "ETIMEDOUT" });
  fence[Symbol.dispose]();
  await assert.rejects(buffer.access("read", { timeout: 20 }), {
    code: "ETIMEDOUT",
    message: /has not finished its work/,
  });
  using descriptor = udmabufOf("late", PAGE_SIZE);
  await assert.rejects(handOver(buffer, "read", descriptor, { timeout: 20 }), {
    code: "ETIMEDOUT",
    message: /has not finished its work/,
  });
  const reading = buffer.access("read");
  timeline.advance();
  (await reading)[Symbol.dispose]();
  await handOver(buffer, "read", descriptor);
  assert.equal(fence.error?.code, "ETIMEDOUT");
});

test("the name of merged sync files of the kernel is cut between two characters", PATIENT, () => {
  using timeline = SoftwareSyncTimeline.create();
  using a = timeline.createFence(1);
  using b = timeline.createFence(2);
  using merged = SyncFileDescriptor.merge("é".repeat(16), a, b);
  assert.equal(merged.name, "é".repeat(15));
});

test("a deadline reaches the kernel's fence", PATIENT, () => {
  using domain = Domain.create();
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  kernelFence(domain, file).setDeadline(123_456);
  assert.equal(timeline.deadline(file), 123_456n);
});

kernelTest("a kernel buffer in a domain: what is written through an access is in the buffer", async ({ heap }) => {
  using domain = Domain.create();
  using descriptor = heap.allocate(2 * PAGE_SIZE);
  descriptor.setName("frame");
  const { buffer } = importDescriptor(domain, descriptor);
  assert.deepEqual([buffer.size, buffer.name, buffer.exporterName], [2 * PAGE_SIZE, "frame", "system"]);
  {
    using access = await buffer.access("write");
    access.bytes.fill(0x5a);
  }
  await descriptor.access("read", (bytes) =>
    assert.equal(
      bytes.every((byte) => byte === 0x5a),
      true,
    ),
  );
  buffer.close();
  await eventually(() => descriptor.statistics().references === 1);
});

kernelTest("a device's late fence holds up our access exactly as long as the kernel's poll", async (world) => {
  using domain = Domain.create();
  using image = world.card.createDumbBuffer(64, 64);
  using descriptor = image.export();
  const { buffer } = importDescriptor(domain, descriptor);
  const reading = VgemFence.create(image, "read");
  buffer.accessSync("read")[Symbol.dispose]();
  fails("ETIMEDOUT", () => buffer.accessSync("write", { timeout: 20 }));
  await assert.rejects(buffer.access("write", { timeout: 20 }), { code: "ETIMEDOUT" });
  const [ours, theirs] = [until(buffer.access("write")), until(descriptor.ready("write"))];
  await sleep(30);
  assert.deepEqual([ours.isOver, theirs.isOver], [false, false]);
  reading.signal();
  (await ours.result)[Symbol.dispose]();
  await theirs.result;
  buffer.close();
});

kernelTest("a device's pending work is in our reservation once it was pulled", async ({ card }) => {
  using domain = Domain.create();
  using image = card.createDumbBuffer(64, 64);
  using descriptor = image.export();
  const { buffer, pullFences, pullFencesSync } = importDescriptor(domain, descriptor);
  const late = VgemFence.create(image, "write");
  await pullFences();
  assert.deepEqual([buffer.isReady("read"), buffer.isReady("write")], [false, false]);
  using file = buffer.exportSyncFile("read");
  const waiting = [buffer.ready("read"), buffer.ready("write"), file.wait()];
  late.signal();
  assert.deepEqual(await Promise.all(waiting), ["signaled", "signaled", "signaled"]);
  const reader = VgemFence.create(image, "read");
  pullFencesSync();
  assert.deepEqual([buffer.isReady("read"), buffer.isReady("write")], [true, false]);
  reader.signal();
  buffer.close();
});

kernelTest("fences are pulled to read too, for the holder that waits, and not once it is closed", async ({ card }) => {
  using domain = Domain.create({ buffers: 1 });
  using image = card.createDumbBuffer(64, 64);
  using descriptor = image.export();
  const { buffer, pullFences } = importDescriptor(domain, descriptor, { mode: "read" });
  const writing = VgemFence.create(image, "write");
  const lock = await buffer.reservation.lock();
  const pulling = pullFences();
  await sleep(10);
  lock[Symbol.dispose]();
  await pulling;
  assert.equal(buffer.isReady("read"), false);
  const again = await buffer.reservation.lock();
  const waiting = assert.rejects(pullFences(), { code: "EBADF" });
  buffer.close();
  const next = domain.allocate(PAGE_SIZE);
  again[Symbol.dispose]();
  await waiting;
  assert.deepEqual([next.reservation.isLocked, next.isReady("write")], [false, true]);
  writing.signal();
});

kernelTest("a holder's access waits for a device although the holder that was imported is closed", async ({ card }) => {
  using domain = Domain.create();
  using image = card.createDumbBuffer(64, 64);
  using descriptor = image.export();
  const { buffer } = importDescriptor(domain, descriptor);
  const other = buffer.duplicate();
  buffer.close();
  const writing = VgemFence.create(image, "write");
  const access = until(other.access("read"));
  await sleep(20);
  assert.equal(access.isOver, false);
  writing.signal();
  (await access.result)[Symbol.dispose]();
  other.close();
});

kernelTest("a late fence holds up poll, export, syncobj and our own waits alike", async ({ card }) => {
  using domain = Domain.create();
  using image = card.createDumbBuffer(64, 64);
  using descriptor = image.export();
  using timeline = SoftwareSyncTimeline.create();
  using point = timeline.createFence(1);
  descriptor.importSyncFile("write", point);
  using exported = descriptor.exportSyncFile("read");
  using syncobj = DrmSyncobj.create(card);
  syncobj.importSyncFile(exported);
  const { buffer } = importDescriptor(domain, descriptor);
  const all = [
    descriptor.ready("read"),
    exported.wait(),
    syncobj.wait(),
    kernelFence(domain, exported).wait(),
    buffer.access("read"),
  ].map((waiting) => until<unknown>(waiting));
  await sleep(30);
  assert.deepEqual(
    all.map(({ isOver }) => isOver),
    [false, false, false, false, false],
  );
  assert.deepEqual(
    [descriptor.isReady("read"), exported.isReady(), syncobj.waitSync({ timeout: 0 }).state],
    [false, false, "timed-out"],
  );
  timeline.advance();
  await Promise.all(all.map(({ result }) => result));
  buffer.close();
});

kernelTest("a hand-over gives the kernel its own fences and waits for ours", async ({ heap }) => {
  using domain = Domain.create();
  using descriptor = heap.allocate(PAGE_SIZE);
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const buffer = domain.allocate(PAGE_SIZE);
  const own = domain.createTimeline().createFence();
  await buffer.importSyncFile("write", SyncFile.merge("", domain.createSyncFile(own), kernelSyncFile(domain, file)));
  await assert.rejects(handOver(buffer, "write", descriptor, { timeout: 20 }), { code: "ETIMEDOUT" });
  fails("ETIMEDOUT", () => handOverSync(buffer, "write", descriptor, { timeout: 20 }));
  const handing = until(handOver(buffer, "write", descriptor));
  await sleep(20);
  assert.equal(handing.isOver, false);
  own.signal();
  assert.deepEqual(await handing.result, { imported: 1, waited: 1 });
  // The kernel's fence is pending still, and the device waits for it.
  assert.deepEqual([descriptor.isReady("read"), buffer.isReady("read")], [false, false]);
  timeline.advance();
  assert.equal(await descriptor.ready("write"), "signaled");
  assert.deepEqual(await handOver(buffer, "read", descriptor), { imported: 0, waited: 0 });
});

kernelTest("a hand-over waits for the accesses of others", async ({ heap }) => {
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  using descriptor = heap.allocate(PAGE_SIZE);
  const buffer = domain.allocate(PAGE_SIZE);
  const access = await other.import(buffer.handle()).access("write");
  await assert.rejects(handOver(buffer, "read", descriptor, { timeout: 20 }), { code: "ETIMEDOUT" });
  fails("ETIMEDOUT", () => handOverSync(buffer, "read", descriptor, { timeout: 20 }));
  const handing = handOver(buffer, "read", descriptor);
  access[Symbol.dispose]();
  assert.deepEqual(await handing, { imported: 0, waited: 0 });
  assert.deepEqual(handOverSync(buffer, "read", descriptor), { imported: 0, waited: 0 });
  {
    using _own = await buffer.access("write");
    fails("EDEADLK", () => handOverSync(buffer, "read", descriptor));
  }
});

// kernel-buffer.4
test("a handle to a kernel's buffer is refused in another thread's domain, and nothing is copied", PATIENT, () => {
  using domain = Domain.create();
  using other = Domain.join(domain.invite());
  const { buffer } = importDescriptor(domain, udmabufOf("shared", PAGE_SIZE));
  fails("EINVAL", () => other.import(structuredClone(buffer.handle())));
  buffer.close();
});

// kernel-buffer.1
test("a buffer in a domain and its udmabuf show the same bytes, and both are freed", PATIENT, async () => {
  using domain = Domain.create();
  using memory = createSealedMemory("shared", 4 * PAGE_SIZE);
  using udmabuf = UdmabufDevice.open();
  using descriptor = udmabuf.create({ memfd: memory.fd, offset: 0, size: 4 * PAGE_SIZE });
  const { buffer } = importDescriptor(domain, descriptor);
  {
    using access = await buffer.access("write");
    access.bytes.set([1, 2, 3], PAGE_SIZE);
  }
  using again = udmabuf.create({ memfd: memory.fd, offset: PAGE_SIZE, size: PAGE_SIZE });
  await again.access("read", (bytes) => assert.deepEqual([...bytes.subarray(0, 4)], [1, 2, 3, 0]));
  again.accessSync("read", (bytes) => assert.deepEqual([...bytes.subarray(0, 4)], [1, 2, 3, 0]));
  buffer.close();
  await eventually(() => descriptor.statistics().references === 1);
});

test("1,000 rounds of everything leave no descriptor behind (kernel-fence.2)", { timeout: 120_000 }, async () => {
  using heap = DmaHeap.open();
  using card = DrmDevice.find("vgem", "card")!;
  using domain = Domain.create();
  using udmabuf = UdmabufDevice.open();
  using timeline = SoftwareSyncTimeline.create();
  const round = async (value: number): Promise<void> => {
    using descriptor = heap.allocate(PAGE_SIZE);
    using file = timeline.createFence(value);
    descriptor.importSyncFile("write", file);
    using exported = descriptor.exportSyncFile("read");
    using syncobj = DrmSyncobj.create(card);
    syncobj.importSyncFile(exported);
    using shared = syncobj.export();
    using again = DrmSyncobj.import(card, shared);
    using imported = card.importBuffer(descriptor);
    using view = descriptor.map();
    using memory = createSealedMemory("round", PAGE_SIZE);
    using over = udmabuf.create({ memfd: memory.fd, offset: 0, size: PAGE_SIZE });
    const { buffer } = importDescriptor(domain, descriptor);
    const access = buffer.access("write");
    assert.equal(await kernelFence(domain, file).wait({ timeout: 0 }), "timed-out");
    timeline.advance();
    (await access).bytes[0] = 1;
    assert.deepEqual([view.bytes[0], again.waitSync({ timeout: 0 }).state], [1, "signaled"]);
    assert.equal(over.size + imported.handle > 0, true);
    buffer.close();
  };
  // The first make what stays: the poller, and the modules that are loaded late.
  for (let value = 1; value <= 10; value++) await round(value);
  await collected();
  const before = openDescriptors();
  for (let value = 11; value <= 1010; value++) await round(value);
  await collected();
  assert.equal(openDescriptors(), before);
});

/** The owner of a buffer hears from the event loop that it was freed. */
async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

/** Fences that were forgotten are collected, and their descriptors closed. */
async function collected(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await sleep(10);
  }
}

function udmabufOf(name: string, size: number) {
  using memory = createSealedMemory(name, size);
  using udmabuf = UdmabufDevice.open();
  return udmabuf.create({ memfd: memory.fd, offset: 0, size });
}
