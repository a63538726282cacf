/** What can be said of the kernel's descriptors alone: requests with wrong arguments give the kernel's errno. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { PAGE_SIZE } from "../../../src/index.js";
import {
  descriptorFrom,
  dmaBufFrom,
  SoftwareSyncTimeline,
  SyncFileDescriptor,
  VgemFence,
} from "../../../src/linux/index.js";
import { DMA_BUF } from "../../../src/linux/dma-buf.js";
import { DRM } from "../../../src/linux/drm/device.js";
import { VGEM } from "../../../src/linux/drm/vgem.js";
import { SYNCOBJ } from "../../../src/linux/drm/syncobj-requests.js";
import { rawCall } from "../../../src/linux/ioctl.js";
import { SW_SYNC } from "../../../src/linux/software-sync.js";
import { SYNC_FILE } from "../../../src/linux/sync-file.js";
import { addressOf, isClosedOnExec } from "../../../src/node/system-calls/index.js";
import { CLOSED, kernelTest, refuses, unknownRequest, withRegularFile } from "../cases/kernel-test.js";
import { fails, openDescriptors } from "../support.js";
import { requestOf } from "../../../src/linux/descriptor.js";

kernelTest("SYF-02 a point is a descriptor that is closed on exec", () => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  assert.equal(isClosedOnExec(file.fd), true);
  using merged = SyncFileDescriptor.merge("", file, file);
  assert.equal(isClosedOnExec(merged.fd), true);
});

kernelTest("SYF-03 a point on a closed timeline is EBADF, on another kind of file ENOTTY", () => {
  const timeline = SoftwareSyncTimeline.create();
  timeline.close();
  fails("EBADF", () => timeline.createFence(1));
  fails("EBADF", () => requestOf(descriptorFrom(CLOSED, "nothing"), SW_SYNC.CREATE_FENCE));
  withRegularFile((file) => refuses(file, SW_SYNC.CREATE_FENCE, ["ENOTTY", {}]));
});

kernelTest("SYF-10 a merge with something else is ENOENT, and leaks no descriptor", ({ heap }) => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  const before = openDescriptors();
  withRegularFile((other) => {
    for (const fd2 of [-1, heap.fd, other.fd]) refuses(file, SYNC_FILE.MERGE, ["ENOENT", { fd2 }]);
  });
  assert.equal(openDescriptors(), before);
});

kernelTest("SYF-11 a merge with flags or padding is EINVAL", () => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  refuses(file, SYNC_FILE.MERGE, ["EINVAL", { fd2: file.fd, flags: 1 }], ["EINVAL", { fd2: file.fd, pad: 1 }]);
});

kernelTest("SYF-15 information with too little room is EINVAL, and to a wrong place EFAULT", () => {
  const timelines = [1, 2, 3].map(() => SoftwareSyncTimeline.create());
  const file = timelines.map((each) => each.createFence(1)).reduce((a, b) => SyncFileDescriptor.merge("", a, b));
  const room = new Uint8Array(new ArrayBuffer(1024));
  const fences = addressOf(room);
  refuses(file, SYNC_FILE.FILE_INFO, ["EINVAL", { numFences: 2, fences }], ["EFAULT", { numFences: 3, fences: 1 }]);
  assert.equal(requestOf(file, SYNC_FILE.FILE_INFO, { numFences: 10, fences }).numFences, 3);
  // Until here the memory at the address is not collected.
  assert.equal(room.byteLength, 1024);
});

for (const id of ["SYF-17", "SYF-18", "SYF-25"]) {
  kernelTest(`${id} an unknown request, unknown flags and a deadline with padding are refused`, () => {
    using timeline = SoftwareSyncTimeline.create();
    using file = timeline.createFence(1);
    refuses(file, SYNC_FILE.FILE_INFO, ["EINVAL", { flags: 1 }], ["EINVAL", { pad: 1 }]);
    unknownRequest(file, ">");
    unknownRequest(timeline, "W");
    refuses(file, SYNC_FILE.SET_DEADLINE, ["EINVAL", { pad: 1 }]);
    file.setDeadline(1);
    file.setDeadline(process.hrtime.bigint() + 10n ** 9n);
  });
}

kernelTest("SYF-26 the deadline of something else is EINVAL, one that was not set ENOENT", ({ heap }) => {
  using timeline = SoftwareSyncTimeline.create();
  using file = timeline.createFence(1);
  refuses(
    timeline,
    SW_SYNC.GET_DEADLINE,
    ["EINVAL", { fenceFd: heap.fd }],
    ["EINVAL", { fenceFd: file.fd, pad: 1 }],
    ["EINVAL", { fenceFd: file.fd, deadlineNs: 1 }],
    ["ENOENT", { fenceFd: file.fd }],
  );
});

kernelTest("DBF-12 a regular file is no dma-buf: EINVAL, and a closed descriptor EBADF", () => {
  withRegularFile((file) => fails("EINVAL", () => dmaBufFrom(file.fd)));
  fails("EBADF", () => dmaBufFrom(CLOSED));
  fails("EBADF", () => dmaBufFrom(-1));
});

kernelTest("DBF-13 an access without a direction or with unknown flags is EINVAL", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  refuses(buffer, DMA_BUF.SYNC, ["EINVAL", { flags: 0 }], ["EINVAL", { flags: 8 }], ["EINVAL", { flags: 4 }]);
  for (const flags of [3, 7]) assert.equal(requestOf(buffer, DMA_BUF.SYNC, { flags }).result, 0);
});

kernelTest("DBF-14 a name that is too long is EINVAL", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  const long = new TextEncoder().encode(`${"n".repeat(32)}\0`);
  fails("EINVAL", () => rawCall(buffer.fd, DMA_BUF.SET_NAME, long, "Cannot name the dma-buf"));
  fails("EINVAL", () => buffer.setName("n".repeat(32)));
  fails("EINVAL", () => buffer.setName("a\0b"));
});

kernelTest("DBF-16 an unknown request is ENOTTY", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  unknownRequest(buffer, "b");
});

kernelTest("DBF-32 fdinfo tells size, references, exporter and name", ({ heap }) => {
  using buffer = heap.allocate(2 * PAGE_SIZE);
  const { inode, ...before } = buffer.statistics();
  assert.deepEqual(before, { size: 2 * PAGE_SIZE, references: 1, exporterName: "system", name: undefined });
  buffer.setName("frame");
  using _other = buffer.duplicate();
  using _view = buffer.map();
  assert.deepEqual(buffer.statistics(), { ...before, references: 3, name: "frame", inode });
  const folder = `/sys/kernel/dmabuf/buffers/${inode}`;
  assert.equal(readFileSync(`${folder}/exporter_name`, "utf8"), "system\n");
  assert.equal(readFileSync(`${folder}/size`, "utf8"), `${2 * PAGE_SIZE}\n`);
});

kernelTest("DBF-33 bufinfo tells of all buffers, with their fences and devices", (world) => {
  const { work } = world.deviceBuffer();
  const end = work("write");
  const text = readFileSync("/sys/kernel/debug/dma_buf/bufinfo", "utf8");
  assert.match(text, /\twrite fence:.*vgem/);
  assert.match(text, /Total \d+ objects, \d+ bytes/);
  end();
});

kernelTest("IMP-11 exports and imports without a direction or with more are EINVAL", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  using file = buffer.exportSyncFile("read");
  refuses(buffer, DMA_BUF.EXPORT_SYNC_FILE, ["EINVAL", { flags: 0 }], ["EINVAL", { flags: 4 }]);
  refuses(
    buffer,
    DMA_BUF.IMPORT_SYNC_FILE,
    ["EINVAL", { flags: 0, fd: file.fd }],
    ["EINVAL", { flags: 4, fd: file.fd }],
  );
});

kernelTest("IMP-12 the import of anything but a sync_file is EINVAL", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  for (const fd of [-1, heap.fd, buffer.fd]) refuses(buffer, DMA_BUF.IMPORT_SYNC_FILE, ["EINVAL", { flags: 1, fd }]);
});

kernelTest("IMP-15 a test fence that stands in the way is EBUSY", ({ card }) => {
  using image = card.createDumbBuffer(16, 16);
  const reading = [VgemFence.create(image, "read"), VgemFence.create(image, "read")];
  fails("EBUSY", () => VgemFence.create(image, "write"));
  for (const fence of reading) fence.signal();
  const writing = VgemFence.create(image, "write");
  fails("EBUSY", () => VgemFence.create(image, "read"));
  writing.signal();
  refuses(
    card,
    VGEM.FENCE_ATTACH,
    ["EINVAL", { handle: image.handle, flags: 2 }],
    ["EINVAL", { handle: image.handle, pad: 1 }],
    ["ENOENT", { handle: 999 }],
  );
});

kernelTest("IMP-16 a test fence signals once, and again is ENOENT", ({ card }) => {
  using image = card.createDumbBuffer(16, 16);
  const fence = VgemFence.create(image, "write");
  fence.signal();
  fails("ENOENT", () => fence.signal());
  refuses(card, VGEM.FENCE_SIGNAL, ["EINVAL", { fence: 1, flags: 1 }], ["ENOENT", { fence: 999 }]);
});

kernelTest("SYO-01 an unknown handle, and padding, are EINVAL for a close", ({ card }) => {
  refuses(card, SYNCOBJ.DESTROY, ["EINVAL", { handle: 999 }], ["EINVAL", { handle: 0 }], ["EINVAL", { pad: 1 }]);
});

kernelTest("SYO-02 unknown flags are EINVAL for a new syncobj", ({ card }) => {
  refuses(card, SYNCOBJ.CREATE, ["EINVAL", { flags: 2 }]);
});

kernelTest("SYO-03 an export needs a handle, known flags and no padding", ({ card }) => {
  const { handle } = requestOf(card, SYNCOBJ.CREATE, {});
  refuses(
    card,
    SYNCOBJ.HANDLE_TO_FD,
    ["EINVAL", { handle: 999 }],
    ["ENOENT", { handle: 999, flags: 1 }],
    ["EINVAL", { handle, flags: 8 }],
    ["EINVAL", { handle, pad: 1 }],
  );
});

kernelTest("SYO-04 an import needs a syncobj, known flags and no padding", ({ card }) => {
  using timeline = SoftwareSyncTimeline.create();
  using point = timeline.createFence(1);
  const { handle } = requestOf(card, SYNCOBJ.CREATE, {});
  const { fd } = point;
  refuses(
    card,
    SYNCOBJ.FD_TO_HANDLE,
    ["EINVAL", { fd: -1 }],
    ["EINVAL", { fd: card.fd }],
    ["EINVAL", { fd, flags: 8 }],
    ["EINVAL", { fd, pad: 1 }],
    ["EINVAL", { fd: card.fd, flags: 1, handle }],
    ["ENOENT", { fd, flags: 1, handle: 999 }],
  );
});

kernelTest("SYO-11 unknown flags of a wait are EINVAL", ({ card }) => {
  const { handle } = requestOf(card, SYNCOBJ.CREATE, { flags: 1 });
  const list = new Uint32Array(new ArrayBuffer(4)).fill(handle);
  const handles = addressOf(list);
  refuses(card, SYNCOBJ.WAIT, ["EINVAL", { handles, count: 1, flags: 0x80 }], ["EFAULT", { handles: 1, count: 1 }]);
  refuses(card, SYNCOBJ.TIMELINE_WAIT, ["EINVAL", { handles, count: 1, flags: 0x80 }]);
  // Until here the memory at the address is not collected.
  assert.equal(list[0], handle);
});

kernelTest("SYO-12 padding and unknown flags are EINVAL everywhere else", ({ card }) => {
  const { handle } = requestOf(card, SYNCOBJ.CREATE, { flags: 1 });
  const list = new Uint32Array(new ArrayBuffer(4)).fill(handle);
  const handles = addressOf(list);
  refuses(card, SYNCOBJ.RESET, ["EINVAL", { handles, count: 1, pad: 1 }]);
  refuses(card, SYNCOBJ.SIGNAL, ["EINVAL", { handles, count: 1, pad: 1 }]);
  refuses(card, SYNCOBJ.QUERY, ["EINVAL", { handles, count: 1, flags: 2 }], ["EFAULT", { handles, count: 1 }]);
  refuses(card, SYNCOBJ.TIMELINE_SIGNAL, ["EINVAL", { handles, count: 1, flags: 1 }]);
  refuses(card, SYNCOBJ.TRANSFER, ["EINVAL", { source: handle, target: handle, pad: 1 }]);
  assert.equal(list[0], handle);
});

kernelTest("SYO-33 an event needs known flags, no padding, a syncobj and an eventfd", ({ card }) => {
  const { handle } = requestOf(card, SYNCOBJ.CREATE, {});
  refuses(
    card,
    SYNCOBJ.EVENTFD,
    ["EINVAL", { handle, flags: 1, fd: 0 }],
    ["EINVAL", { handle, pad: 1, fd: 0 }],
    ["ENOENT", { handle: 999, fd: 0 }],
    ["EINVAL", { handle, fd: card.fd }],
    ["EBADF", { handle, fd: CLOSED }],
  );
});

kernelTest("a dma-buf that is imported into a device and exported again is the same buffer", ({ heap, card }) => {
  using image = card.createDumbBuffer(32, 32);
  using exported = image.export();
  using again = card.importBuffer(exported);
  assert.equal(again.handle, image.handle);
  using buffer = heap.allocate(PAGE_SIZE);
  using imported = card.importBuffer(buffer);
  using back = imported.export();
  assert.equal(back.inode, buffer.inode);
  refuses(card, DRM.PRIME_FD_TO_HANDLE, ["EBADF", { fd: CLOSED }], ["EINVAL", { fd: card.fd }]);
  refuses(
    card,
    DRM.PRIME_HANDLE_TO_FD,
    ["ENOENT", { handle: 999 }],
    ["EINVAL", { handle: image.handle, flags: 1 << 12 }],
  );
  refuses(card, DRM.CREATE_DUMB, ["EINVAL", { width: 0, height: 1, bitsPerPixel: 32 }]);
  refuses(card, DRM.MAP_DUMB, ["ENOENT", { handle: 999 }]);
  refuses(card, DRM.GEM_CLOSE, ["EINVAL", { handle: 999 }]);
});
