/** Cameras and converters, whose images are dma-bufs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE } from "../../../src/index.js";
import {
  capture,
  createSealedMemory,
  DmaHeap,
  createMemoryView,
  UdmabufDevice,
  VideoDevice,
  type DmaBufDescriptor,
} from "../../../src/linux/index.js";
import { fails, openDescriptors } from "../support.js";

const PATIENT = { timeout: 60_000 };
const WIDTH = 320;
const HEIGHT = 180;

/** The first device that is so. */
function find(isSo: (device: VideoDevice) => boolean): VideoDevice {
  for (const path of VideoDevice.list()) {
    const device = VideoDevice.open(path);
    if (isSo(device)) return device;
    device.close();
  }
  throw new Error("The lab has no such video device");
}

function camera(isMultiPlanar = false): VideoDevice {
  return find(({ capabilities }) => {
    const { driver, captures, converts } = capabilities;
    return driver === "vivid" && captures && !converts && capabilities.isMultiPlanar === isMultiPlanar;
  });
}

function smallCamera(pixelFormat = "YUYV", isMultiPlanar = false): VideoDevice {
  const device = camera(isMultiPlanar);
  device.setFormat("capture", { width: WIDTH, height: HEIGHT, pixelFormat });
  return device;
}

test("the lab's video devices say what they are", PATIENT, () => {
  const kinds = VideoDevice.list().map((path) => {
    using device = VideoDevice.open(path);
    const { driver, captures, outputs, converts, isMultiPlanar } = device.capabilities;
    return `${driver} ${Number(captures)}${Number(outputs)}${Number(converts)}${Number(isMultiPlanar)}`;
  });
  for (const kind of ["vivid 1000", "vivid 0100", "vivid 1001", "vim2m 1110"]) assert.ok(kinds.includes(kind), kind);
  fails("ENOENT", () => VideoDevice.open("/dev/video99"));
  fails("ENOTTY", () => VideoDevice.open("/dev/null"));
});

test("a camera takes the nearest format, and says which", PATIENT, () => {
  using device = camera();
  assert.ok(device.pixelFormats("capture").includes("YUYV"));
  const taken = device.setFormat("capture", { width: WIDTH, height: HEIGHT, pixelFormat: "YUYV" });
  assert.deepEqual(taken, {
    pixelFormat: "YUYV",
    width: WIDTH,
    height: HEIGHT,
    planes: [{ stride: WIDTH * 2, size: WIDTH * 2 * HEIGHT }],
  });
  assert.notEqual(device.setFormat("capture", { pixelFormat: "none" }).pixelFormat, "none");
  fails("EINVAL", () => device.format("output"));
});

test("a camera's images come in order, in its own memory, and are dma-bufs", PATIENT, async () => {
  using device = smallCamera();
  const sequences: number[] = [];
  for await (using frame of capture(device, { timeout: 10_000 })) {
    sequences.push(frame.sequence);
    const [bytes] = frame.bytes;
    assert.equal(bytes!.length, WIDTH * 2 * HEIGHT);
    // Colour bars: not all the same.
    assert.ok(new Set(bytes!.subarray(0, WIDTH * 2)).size > 4);
    using other = frame.planes[0]!.duplicate();
    await other.access("read", (same) => assert.deepEqual(same.subarray(0, bytes!.length), bytes));
    if (sequences.length === 6) break;
  }
  assert.deepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(sequences).size, 6);
});

test("an image of two planes is two dma-bufs", PATIENT, async () => {
  using device = smallCamera("NM12", true);
  const { planes } = device.format("capture");
  assert.deepEqual(
    planes.map(({ size }) => size),
    [WIDTH * HEIGHT, (WIDTH * HEIGHT) / 2],
  );
  for await (using frame of capture(device, { timeout: 10_000 })) {
    assert.deepEqual(
      frame.bytes.map(({ length }) => length),
      planes.map(({ size }) => size),
    );
    assert.notEqual(frame.planes[0]!.inode, frame.planes[1]!.inode);
    assert.ok(frame.bytes.every((bytes) => new Set(bytes).size > 2));
    break;
  }
});

const SIZE = Math.ceil((WIDTH * 2 * HEIGHT) / PAGE_SIZE) * PAGE_SIZE;

for (const kind of ["memory files", "a heap"] as const) {
  test(`a camera fills dma-bufs that are given to it: of ${kind}`, PATIENT, async () => {
    using device = smallCamera();
    using queue = device.createQueue("capture", { memory: "dma-buf", buffers: 2 });
    using heap = DmaHeap.open();
    using udmabuf = UdmabufDevice.open();
    using memory = createSealedMemory("images", SIZE * queue.size);
    const buffers = Array.from({ length: queue.size }, (_, i): DmaBufDescriptor => {
      if (kind === "a heap") return heap.allocate(SIZE);
      return udmabuf.create({ memfd: memory.fd, offset: i * SIZE, size: SIZE });
    });
    buffers.forEach((buffer, index) => queue.enqueue(index, { planes: [buffer] }));
    queue.start();
    const { index, bytesUsed, isDamaged } = await queue.dequeue({ timeout: 10_000 });
    assert.deepEqual([bytesUsed, isDamaged], [[WIDTH * 2 * HEIGHT], false]);
    const isImage = (bytes: Uint8Array): boolean => new Set(bytes.subarray(0, WIDTH * 2)).size > 4;
    assert.equal(await buffers[index]!.access("read", isImage), true);
    if (kind === "memory files") {
      using view = createMemoryView(memory.fd, "read", { offset: index * SIZE, length: SIZE });
      assert.equal(isImage(view.bytes), true);
    }
    queue.stop();
    for (const buffer of buffers) buffer.close();
  });
}

test("a camera fills a dma-buf for each plane that is given to it", PATIENT, async () => {
  using device = smallCamera("NM12", true);
  using queue = device.createQueue("capture", { memory: "dma-buf", buffers: 2 });
  using heap = DmaHeap.open();
  const buffers = Array.from({ length: queue.size }, () => queue.format.planes.map(({ size }) => heap.allocate(size)));
  buffers.forEach((planes, index) => queue.enqueue(index, { planes }));
  queue.start();
  const { index, bytesUsed } = queue.dequeueSync({ timeout: 10_000 });
  assert.deepEqual(
    bytesUsed,
    queue.format.planes.map(({ size }) => size),
  );
  for (const plane of buffers[index]!) {
    assert.ok(await plane.access("read", (bytes) => new Set(bytes.subarray(0, WIDTH)).size > 2));
  }
  fails("EINVAL", () => queue.enqueue(index, { planes: buffers[index]!.slice(0, 1) }));
  queue.stop();
  for (const buffer of buffers.flat()) buffer.close();
});

test("what a queue cannot do has the kernel's errno", PATIENT, () => {
  using device = smallCamera();
  fails("EINVAL", () => device.createQueue("output"));
  {
    using queue = device.createQueue("capture", { buffers: 3 });
    fails("EINVAL", () => queue.export(99));
    fails("EINVAL", () => queue.export(0, 3));
    fails("EINVAL", () => queue.enqueue(99));
    fails("EINVAL", () => queue.tryDequeue());
    queue.enqueue(0);
    fails("EINVAL", () => queue.enqueue(0));
    fails("EBUSY", () => device.setFormat("capture", { width: 640 }));
    using again = VideoDevice.open(device.path);
    fails("EBUSY", () => again.createQueue("capture"));
  }
  using heap = DmaHeap.open();
  using queue = device.createQueue("capture", { memory: "dma-buf" });
  using small = heap.allocate(PAGE_SIZE);
  fails("EINVAL", () => queue.enqueue(0));
  fails("EINVAL", () => queue.enqueue(0, { planes: [small] }));
  fails("EINVAL", () => queue.export(0));
});

test("a converter in the middle: images go in and come out, in dma-bufs on both sides", PATIENT, async () => {
  using device = find(({ capabilities }) => capabilities.driver === "vim2m");
  const format = { width: 64, height: 32, pixelFormat: "RGBP" };
  device.setFormat("output", format);
  device.setFormat("capture", format);
  using heap = DmaHeap.open();
  using input = device.createQueue("output", { memory: "dma-buf", buffers: 1 });
  using output = device.createQueue("capture", { buffers: 1 });
  const { size } = input.format.planes[0]!;
  using image = heap.allocate(size);
  const pixels = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251);
  await image.access("write", (bytes) => bytes.set(pixels));
  output.enqueue(0);
  input.enqueue(0, { planes: [image], bytesUsed: [size] });
  input.start();
  output.start();
  await output.dequeue({ timeout: 10_000 });
  await input.dequeue({ timeout: 10_000 });
  using result = output.export(0);
  await result.access("read", (bytes) => assert.deepEqual(bytes.slice(0, size), pixels));
});

test("20 captures of a camera leave no descriptor behind", PATIENT, async () => {
  using device = smallCamera();
  const once = async (): Promise<void> => {
    for await (using frame of capture(device, { timeout: 10_000, buffers: 2 })) {
      assert.equal(frame.planes.length, 1);
      break;
    }
  };
  await once();
  const before = openDescriptors();
  for (let i = 0; i < 20; i++) await once();
  assert.equal(openDescriptors(), before);
});
