/** A display that shows our images: its checksums say which pixels it has drawn. */
import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import { test } from "node:test";
import {
  Display,
  DmaHeap,
  DrmDevice,
  ExportedBuffer,
  handOver,
  record,
  streamFormat,
  VideoDevice,
} from "../../../src/linux/index.js";
import { DISPLAY, MODE } from "../../../src/linux/drm/display-requests.js";
import { Domain } from "../../../src/node/index.js";
import { fails, openDescriptors } from "../support.js";

const PATIENT = { timeout: 90_000 };
const WIDTH = 640;
const HEIGHT = 480;
const PITCH = WIDTH * 4;
const LAYOUT = { width: WIDTH, height: HEIGHT, pitch: PITCH };
const CHECKSUMS = "/sys/kernel/debug/dri/1/crtc-0/crc";

function card(): DrmDevice {
  return DrmDevice.find("vkms", "card")!;
}

/** What the display says of the images that it draws, after those that may be on their way. */
async function checksum(): Promise<number> {
  await writeFile(`${CHECKSUMS}/control`, "auto");
  const data = await open(`${CHECKSUMS}/data`, "r");
  try {
    let last = NaN;
    for (let i = 0; i < 4; i++) {
      const { buffer, bytesRead } = await data.read(Buffer.alloc(256));
      last = Number(/ (0x[0-9a-f]{8})/.exec(buffer.toString("latin1", 0, bytesRead))?.[1]);
    }
    return last;
  } finally {
    await data.close();
  }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb8_8320 : 0);
  return value >>> 0;
});

/** What it must say: the CRC of alpha, red, green and blue of each pixel, 16 bits each, without inversions. */
function expectedChecksum(pixels: Uint8Array): number {
  let value = 0;
  for (let at = 0; at < PITCH * HEIGHT; at += 4) {
    for (const channel of [0xff, pixels[at + 2]!, pixels[at + 1]!, pixels[at]!]) {
      // 8 bits become 16 by standing twice.
      value = TABLE[(value ^ channel) & 0xff]! ^ (value >>> 8);
      value = TABLE[(value ^ channel) & 0xff]! ^ (value >>> 8);
    }
  }
  return value >>> 0;
}

function draw(bytes: Uint8Array, seed: number): void {
  for (let i = 0; i < PITCH * HEIGHT; i++) bytes[i] = (i * 13 + (i >>> 9) * seed) & 0xff;
}

test("the structures of displays are as long as the kernel's", () => {
  assert.deepEqual(
    [MODE.size, DISPLAY.SET_CONTROLLER.struct.size, DISPLAY.ADD_FRAMEBUFFER.struct.size],
    [68, 104, 104],
  );
});

test("a display shows the pixels of a dma-buf that was filled here", PATIENT, async () => {
  using device = card();
  using display = Display.find(device);
  assert.ok(display.modes.some(({ width, height }) => width === WIDTH && height === HEIGHT));
  using heap = DmaHeap.open();
  const seen: [number, number][] = [];
  for (const seed of [3, 5]) {
    using buffer = heap.allocate(PITCH * HEIGHT);
    const expected = await buffer.access("write", (bytes) => {
      draw(bytes, seed);
      return expectedChecksum(bytes);
    });
    display.show(display.createFramebuffer(buffer, LAYOUT));
    seen.push([await checksum(), expected]);
  }
  for (const [shown, expected] of seen) assert.equal(shown, expected);
  assert.notEqual(seen[0]![0], seen[1]![0]);
});

test("a display shows an image of its own device", PATIENT, async () => {
  using device = card();
  using image = device.createDumbBuffer(WIDTH, HEIGHT);
  using display = Display.find(device);
  {
    using view = image.map();
    draw(view.bytes, 7);
    display.show(display.createFramebuffer(image, { ...LAYOUT, pitch: image.layout!.pitch }));
    assert.equal(await checksum(), expectedChecksum(view.bytes));
  }
});

test("a camera's image goes through our stream to a display, pixel by pixel", PATIENT, async () => {
  let camera: VideoDevice | undefined;
  for (const path of VideoDevice.list()) {
    const found = VideoDevice.open(path);
    const { driver, captures, converts, isMultiPlanar } = found.capabilities;
    if (camera === undefined && driver === "vivid" && captures && !converts && !isMultiPlanar) camera = found;
    else found.close();
  }
  camera!.setFormat("capture", { width: WIDTH, height: HEIGHT, pixelFormat: "XR24" });
  const format = camera!.format("capture");
  assert.deepEqual([format.pixelFormat, format.width, format.height], ["XR24", WIDTH, HEIGHT]);
  using domain = Domain.create({ agents: 4 });
  using stream = domain.createStream({ format: streamFormat(format), name: "camera", buffers: 5 });
  using device = card();
  using display = Display.find(device);
  const recording = record(camera!, stream, { timeout: 20_000 });
  let shown = 0;
  for await (using frame of stream.frames({ policy: "newest" })) {
    // The camera wrote there, and now the display reads there.
    using exported = await ExportedBuffer.create(frame.buffer.mode === "read-write" ? frame.buffer : never());
    await handOver(frame.buffer, "read", exported.descriptor);
    display.show(display.createFramebuffer(exported.descriptor, LAYOUT));
    assert.equal(await checksum(), expectedChecksum(frame.bytes));
    if (++shown === 2) break;
  }
  stream.end();
  await recording;
  camera!.close();
});

function never(): never {
  throw new Error("The producer's own buffers can be written");
}

test("what a display cannot do has the kernel's errno", PATIENT, () => {
  using device = card();
  using display = Display.find(device);
  using heap = DmaHeap.open();
  using buffer = heap.allocate(PITCH * HEIGHT);
  fails("EINVAL", () => display.createFramebuffer(buffer, { ...LAYOUT, height: HEIGHT + 1 }));
  fails("EINVAL", () => display.createFramebuffer(buffer, { ...LAYOUT, pixelFormat: "none" }));
  fails("EINVAL", () => display.show(display.createFramebuffer(buffer, { ...LAYOUT, height: 100 })));
  fails("EINVAL", () => device.request(DISPLAY.ADD_FRAMEBUFFER, { width: 0, height: 1, handle: 1 }));
  fails("ENOENT", () => device.request(DISPLAY.REMOVE_FRAMEBUFFER, { framebuffer: 9999 }));
  fails("ENOENT", () => device.request(DISPLAY.SET_CONTROLLER, { controller: 9999 }));
  using node = DrmDevice.find("vgem", "renderD")!;
  fails("EACCES", () => Display.find(node));
  // Only one program at a time may show something.
  using other = DrmDevice.open(device.path);
  using second = Display.find(other);
  using mine = heap.allocate(PITCH * HEIGHT);
  fails("EACCES", () => second.show(second.createFramebuffer(mine, LAYOUT)));
});

test("20 images on a display leave no descriptor behind", PATIENT, () => {
  using device = card();
  using heap = DmaHeap.open();
  const before = openDescriptors();
  {
    using display = Display.find(device);
    for (let i = 0; i < 20; i++) {
      using buffer = heap.allocate(PITCH * HEIGHT);
      using image = display.createFramebuffer(buffer, LAYOUT);
      display.show(image);
    }
  }
  assert.equal(openDescriptors(), before);
});
