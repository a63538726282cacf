/** What is pending on a kernel's dma-buf, as the library's fences, however often an agent looks. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Domain, PAGE_SIZE } from "../../../src/index.js";
import { handOver, importDescriptor, SoftwareSyncTimeline } from "../../../src/linux/index.js";
import { kernelTest } from "../cases/kernel-test.js";
import { fails, openDescriptors, until } from "../support.js";

kernelTest(
  "kernel-buffer.3, kernel-fence.5: however often an agent looks, a working device is one entry for readers and one for writers",
  async ({ heap }) => {
    // There is room for two fences.
    using domain = Domain.create({ agents: 1 });
    using descriptor = heap.allocate(PAGE_SIZE);
    using timeline = SoftwareSyncTimeline.create();
    using file = timeline.createFence(1);
    descriptor.importSyncFile("write", file);
    const { buffer, pullFences } = importDescriptor(domain, descriptor);
    // What is opened once is open from then on.
    await assert.rejects(buffer.access("read", { timeout: 50 }), { code: "ETIMEDOUT" });
    const before = openDescriptors();
    let most = 0;
    for (let n = 0; n < 100; n++) {
      const mode = n % 2 === 0 ? "read" : "write";
      await assert.rejects(buffer.access(mode, { timeout: 1 }), { code: "ETIMEDOUT" });
      fails("ETIMEDOUT", () => buffer.accessSync(mode, { timeout: 1 }));
      await pullFences();
      most = Math.max(most, openDescriptors() - before);
      assert.ok(buffer.reservation.getFences("bookkeep").length <= 2);
    }
    // One for each kind of access, and some of a poller that is only starting; not one for each look.
    assert.ok(most <= 12, `${most} descriptors more`);
    timeline.advance();
    for (const mode of ["read", "write"] as const) (await buffer.access(mode))[Symbol.dispose]();
    assert.deepEqual(buffer.reservation.getFences("bookkeep"), []);
    buffer.close();
  },
);

kernelTest(
  "kernel-fence.5: a look waits for what the device has begun until then, and not for what it begins later",
  async ({ heap }) => {
    using domain = Domain.create();
    using descriptor = heap.allocate(PAGE_SIZE);
    const timelines = [1, 2, 3].map(() => SoftwareSyncTimeline.create());
    const begin = (n: number): void => {
      using file = timelines[n]!.createFence(1);
      descriptor.importSyncFile("write", file);
    };
    const { buffer, pullFences } = importDescriptor(domain, descriptor);
    begin(0);
    await pullFences();
    const first = until(buffer.reservation.wait("write"));
    begin(1);
    await pullFences();
    const second = until(buffer.reservation.wait("write"));
    timelines[0]!.advance();
    await first.result;
    await sleep(30);
    assert.equal(second.isOver, false);
    // What begins after the second look was taken is the third's.
    begin(2);
    await pullFences();
    const third = until(buffer.reservation.wait("write"));
    timelines[1]!.advance();
    await second.result;
    await sleep(30);
    assert.equal(third.isOver, false);
    timelines[2]!.advance();
    await third.result;
    buffer.close();
    for (const timeline of timelines) timeline.close();
  },
);

kernelTest("kernel-fence.5: a thread that blocks sees a look through, without its event loop", async ({ heap }) => {
  using domain = Domain.create();
  using descriptor = heap.allocate(PAGE_SIZE);
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  descriptor.importSyncFile("write", file);
  const { buffer } = importDescriptor(domain, descriptor);
  for (let n = 0; n < 3; n++) fails("ETIMEDOUT", () => buffer.accessSync("read", { timeout: 1 }));
  timeline.advance();
  buffer.accessSync("read")[Symbol.dispose]();
  buffer.accessSync("write")[Symbol.dispose]();
  buffer.close();
});

kernelTest("a hand-over gives the kernel what a second look stands for", async ({ heap }) => {
  using domain = Domain.create();
  using descriptor = heap.allocate(PAGE_SIZE);
  using other = heap.allocate(PAGE_SIZE);
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  descriptor.importSyncFile("write", file);
  const { buffer, pullFencesSync } = importDescriptor(domain, descriptor);
  pullFencesSync();
  pullFencesSync();
  const before = openDescriptors();
  assert.deepEqual(await handOver(buffer, "read", other), { imported: 1, waited: 0 });
  assert.equal(openDescriptors(), before);
  assert.equal(other.isReady("read"), false);
  timeline.advance();
  assert.equal(other.isReady("read"), true);
  buffer.close();
});
