/** A virtual screen: its checksums say which pixels it has drawn. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { open, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { copiedBytes, Domain as ThreadDomain, imageFormat, type FrameStream } from "../../../src/index.js";
import {
  Display,
  DmaHeap,
  DrmDevice,
  Framebuffer,
  present,
  record,
  SoftwareSyncTimeline,
  streamFormat,
  VideoDevice,
  type DisplayOptions,
  type DrmBuffer,
  type PresentOptions,
} from "../../../src/linux/index.js";
import { MODE, MODE_INFO } from "../../../src/linux/drm/mode-requests.js";
import { ioctlNumber, rawCall } from "../../../src/linux/ioctl.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { refuses } from "../cases/kernel-test.js";
import { fails, openDescriptors } from "../support.js";

const PATIENT = { timeout: 60_000 };
const SMALL: DisplayOptions = { width: 640, height: 480 };
const NOBODY = 65_534;
const CHECKSUMS = "/sys/kernel/debug/dri/1/crtc-0/crc";

function vkms(): DrmDevice {
  const device = DrmDevice.find("vkms", "card");
  assert.ok(device, "The lab has no display");
  return device;
}

function camera(): VideoDevice {
  for (const path of VideoDevice.list()) {
    const device = VideoDevice.open(path);
    const { driver, captures, converts, isMultiPlanar } = device.capabilities;
    if (driver === "vivid" && captures && !converts && !isMultiPlanar) return device;
    device.close();
  }
  throw new Error("The lab has no camera");
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
function checksumOf(screen: Uint32Array): number {
  let value = 0;
  for (const pixel of screen) {
    for (const channel of [0xff, pixel >>> 16, pixel >>> 8, pixel]) {
      // 8 bits become 16 by standing twice.
      value = TABLE[(value ^ channel) & 0xff]! ^ (value >>> 8);
      value = TABLE[(value ^ channel) & 0xff]! ^ (value >>> 8);
    }
  }
  return value >>> 0;
}

/** An image without the bytes that mean nothing. */
function withoutAlpha(buffer: DrmBuffer): Uint32Array {
  const { width, height, pitch } = buffer.layout!;
  using view = buffer.map();
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) pixels.set(new Uint32Array(view.memory, y * pitch, width), y * width);
  return pixels.map((pixel) => pixel & 0xff_ffff);
}

/** The same image at each call, another for each seed. */
function draw(bytes: Uint8Array, seed: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 9) * 3 + seed * 31) & 0xff;
}

/** As it is in the middle of a screen that is black around it. */
function inTheMiddle(image: Uint32Array, width: number, height: number): Uint32Array {
  const screen = new Uint32Array(SMALL.width! * SMALL.height!);
  const [left, top] = [(SMALL.width! - width) >> 1, (SMALL.height! - height) >> 1];
  for (let y = 0; y < height; y++) {
    screen.set(image.subarray(y * width, (y + 1) * width), (top + y) * SMALL.width! + left);
  }
  return screen;
}

test("a card tells its connectors, and the sizes that a screen has", PATIENT, () => {
  using device = vkms();
  const connectors = Display.connectors(device);
  assert.deepEqual(
    connectors.map(({ name, isConnected }) => [name, isConnected]),
    [["Virtual-1", true]],
  );
  const { modes } = connectors[0]!;
  assert.deepEqual(
    modes.filter(({ isPreferred }) => isPreferred).map(({ width, height }) => [width, height]),
    [[1024, 768]],
  );
  using display = Display.open(device);
  assert.deepEqual([display.name, display.mode.width, display.mode.height], ["Virtual-1", 1024, 768]);
  assert.ok(display.pixelFormats.includes("XR24"));
});

test("the structures of displays are as long as the kernel's", () => {
  const { GETRESOURCES, GETCONNECTOR, GETPROPERTY, GETPLANE, ADDFB2, ATOMIC } = MODE;
  const structs = [GETRESOURCES, GETCONNECTOR, GETPROPERTY, GETPLANE, ADDFB2, ATOMIC].map(({ struct }) => struct.size);
  assert.deepEqual([MODE_INFO.size, ...structs], [68, 64, 80, 64, 32, 104, 56]);
});

test("an image is shown pixel by pixel, and one after the other (display.2)", PATIENT, async () => {
  using device = vkms();
  using display = Display.open(device, SMALL);
  for (const [width, height] of [
    [640, 480],
    [320, 180],
    [640, 480],
  ] as const) {
    using buffer = device.createDumbBuffer(width, height);
    {
      using view = buffer.map();
      draw(view.bytes, width);
    }
    using image = Framebuffer.create(buffer);
    await display.show(image, { timeout: 10_000 });
    assert.equal(await checksum(), checksumOf(inTheMiddle(withoutAlpha(buffer), width, height)));
  }
});

test("a dma-buf of a heap is shown, with rows that are longer than the image", PATIENT, async () => {
  using heap = DmaHeap.open();
  const stride = 256 * 4;
  using memory = heap.allocate(stride * 64);
  await memory.access("write", (bytes) => draw(bytes, 11));
  using device = vkms();
  using display = Display.open(device, SMALL);
  using buffer = device.importBuffer(memory);
  // Not from within: vkms of Linux 6.12 adds an offset twice, and reads past the end.
  const planes = [{ offset: 0, stride }];
  using image = Framebuffer.create(buffer, { width: 200, height: 64, pixelFormat: "XR24", planes });
  display.showSync(image, { timeout: 10_000 });
  using view = memory.map("read");
  const pixels = new Uint32Array(view.memory).map((pixel) => pixel & 0xff_ffff);
  const rows = Array.from({ length: 64 }, (_, y) => [...pixels.subarray(y * 256, y * 256 + 200)]);
  assert.equal(await checksum(), checksumOf(inTheMiddle(Uint32Array.from(rows.flat()), 200, 64)));
});

test("of an image that is too large the middle is shown", PATIENT, async () => {
  using device = vkms();
  using display = Display.open(device, SMALL);
  using buffer = device.createDumbBuffer(642, 484);
  {
    using view = buffer.map();
    draw(view.bytes, 5);
  }
  using image = Framebuffer.create(buffer);
  await display.show(image, { timeout: 10_000 });
  const whole = withoutAlpha(buffer);
  const middle = Array.from({ length: 480 }, (_, y) => [...whole.subarray((y + 2) * 642 + 1, (y + 2) * 642 + 641)]);
  assert.equal(await checksum(), checksumOf(Uint32Array.from(middle.flat())));
});

// display.3
test("a display waits for the fence that comes with an image, and for those in its buffer", PATIENT, async () => {
  using device = vkms();
  using display = Display.open(device, SMALL);
  using buffer = device.createDumbBuffer(640, 480);
  using image = Framebuffer.create(buffer);
  using timeline = SoftwareSyncTimeline.create();
  await display.show(image, { timeout: 10_000 });
  {
    using late = timeline.createFence(1);
    using shown = display.queue(image, { after: late });
    assert.equal(await shown.wait({ timeout: 100 }), "timed-out");
    // One image at most is on its way.
    fails("EBUSY", () => display.queue(image));
    await assert.rejects(display.show(image, { timeout: 20 }), { code: "ETIMEDOUT" });
    assert.throws(() => display.showSync(image, { timeout: 20 }), { code: "ETIMEDOUT" });
    timeline.advance(1);
    assert.equal(await shown.wait({ timeout: 10_000 }), "signaled");
  }
  {
    using exported = buffer.export();
    using late = timeline.createFence(2);
    exported.importSyncFile("write", late);
    using shown = display.queue(image);
    assert.equal(await shown.wait({ timeout: 100 }), "timed-out");
    timeline.advance(1);
    assert.equal(await shown.wait({ timeout: 10_000 }), "signaled");
  }
});

test("what cannot be shown says why", PATIENT, async () => {
  using device = vkms();
  fails("ENODEV", () => Display.open(device, { connector: "HDMI-A-1" }));
  fails("EINVAL", () => Display.open(device, { width: 641 }));
  using buffer = device.createDumbBuffer(640, 480);
  const whole = { width: 640, height: 480, pixelFormat: "XR24", planes: [{ offset: 0, stride: 2560 }] };
  fails("EINVAL", () => Framebuffer.create(buffer, { ...whole, pixelFormat: "NV21" }));
  fails("EINVAL", () => Framebuffer.create(buffer, { ...whole, height: 481 }));
  fails("EINVAL", () => Framebuffer.create(buffer, { ...whole, planes: [{ offset: 0, stride: 2559 }] }));
  using imported = device.importBuffer(buffer.export());
  assert.equal(imported.handle, buffer.handle);
  assert.throws(() => Framebuffer.create(imported), TypeError);
  using display = Display.open(device, SMALL);
  using image = Framebuffer.create(buffer);
  await display.show(image, { timeout: 10_000 });
  display.close();
  display.close();
  fails("EBADF", () => display.queue(image));
});

test("a device without displays, a render node and a missing right each have an error of their own", PATIENT, () => {
  using vgem = DrmDevice.find("vgem", "card")!;
  fails("EOPNOTSUPP", () => Display.open(vgem));
  fails("EOPNOTSUPP", () => Framebuffer.create(vgem.createDumbBuffer(16, 16)));
  using render = DrmDevice.find("vgem", "renderD")!;
  fails("EACCES", () => Display.connectors(render));
  fails("ENOENT", () => DrmDevice.open("/dev/dri/card99"));
  using device = vkms();
  asNobody(() => fails("EACCES", () => DrmDevice.open(device.path)));
});

test("a program that is not the device's master is told so (display.4)", PATIENT, async () => {
  using master = vkms();
  using device = DrmDevice.open(master.path);
  fails("EBUSY", () => Display.open(device));
  asNobody(() => fails("EACCES", () => Display.open(device)));
  using display = Display.open(master, SMALL);
  using buffer = master.createDumbBuffer(640, 480);
  using image = Framebuffer.create(buffer);
  await display.show(image, { timeout: 10_000 });
  const [drop, take] = [0x1f, 0x1e].map((number) => ioctlNumber("none", "d", number, 0));
  rawCall(master.fd, { name: "DRM_IOCTL_DROP_MASTER", number: drop! }, 0, "Cannot leave");
  fails("EACCES", () => display.queue(image));
  rawCall(master.fd, { name: "DRM_IOCTL_SET_MASTER", number: take! }, 0, "Cannot come back");
  await display.show(image, { timeout: 10_000 });
});

function asNobody(run: () => void): void {
  process.seteuid!(NOBODY);
  try {
    run();
  } finally {
    process.seteuid!(0);
  }
}

test("wrong arguments of a display's requests have the kernel's errors (display.1)", PATIENT, () => {
  using device = vkms();
  refuses(device, MODE.GETCONNECTOR, ["ENOENT", { connector: 999 }]);
  refuses(device, MODE.GETENCODER, ["ENOENT", { encoder: 999 }]);
  refuses(device, MODE.GETPLANE, ["ENOENT", { plane: 999 }]);
  refuses(device, MODE.GETPROPERTY, ["ENOENT", { property: 999 }]);
  refuses(device, MODE.OBJ_GETPROPERTIES, ["ENOENT", { object: 999, type: 0xcccc_cccc }]);
  refuses(
    device,
    MODE.SET_CLIENT_CAP,
    ["EINVAL", { capability: 99, value: 1 }],
    ["EINVAL", { capability: 3, value: 9 }],
  );
  // Atomic changes are there for those who have asked for them.
  refuses(device, MODE.ATOMIC, ["EINVAL", {}]);
  using _display = Display.open(device);
  refuses(device, MODE.ATOMIC, ["EINVAL", { flags: 1 << 20 }], ["EINVAL", { reserved: 1 }]);
  refuses(device, MODE.CREATEPROPBLOB, ["EINVAL", { length: 0 }], ["EFAULT", { data: 1, length: 68 }]);
  refuses(device, MODE.DESTROYPROPBLOB, ["ENOENT", { blob: 999 }]);
  refuses(device, MODE.ADDFB2, ["EINVAL", {}], ["EINVAL", { width: 16, height: 16, flags: 1 << 20 }]);
  fails("ENOENT", () => rawCall(device.fd, MODE.RMFB, new Uint8Array(4).fill(9), "Cannot remove"));
});

/** Presents three frames and compares each with the screen. */
async function presentThree(stream: FrameStream, options: PresentOptions = {}, order = [0, 1, 2]): Promise<object> {
  const { width, height } = stream.format as { width: number; height: number };
  using device = vkms();
  using display = Display.open(device, SMALL);
  const [red, green, blue] = [order[2]!, order[1]!, order[0]!];
  const presenting = present(stream, display, {
    policy: "block",
    timeout: 20_000,
    ...options,
    onShown: async ({ bytes }) => {
      const wanted = Uint32Array.from({ length: width * height }, (_, i) => {
        return (bytes[i * 4 + red]! << 16) | (bytes[i * 4 + green]! << 8) | bytes[i * 4 + blue]!;
      });
      assert.equal(await checksum(), checksumOf(inTheMiddle(wanted, width, height)));
    },
  });
  const producing = (async () => {
    await stream.waitForConsumers(1, { timeout: 20_000 });
    for (let n = 0; n < 3; n++) {
      using loan = (await stream.loan({ timeout: 20_000 }))!;
      draw(loan.bytes, n);
      loan.publish();
    }
    stream.end();
  })();
  const [presented] = await Promise.all([presenting, producing]);
  return presented;
}

test("a stream's frames are shown from the stream's own buffers, pixel by pixel", PATIENT, async () => {
  using domain = ProcessDomain.create({ agents: 4 });
  using stream = domain.createStream({ format: imageFormat("BGRA", 320, 180) });
  const copied = copiedBytes();
  assert.deepEqual(await presentThree(stream, { copy: "never" }), { shown: 3, copied: 0 });
  assert.equal(copiedBytes(), copied);
});

test("frames that a display does not take are copied, counted, unless that is forbidden", PATIENT, async () => {
  using domain = ProcessDomain.create({ agents: 4 });
  using threads = ThreadDomain.create();
  for (const [place, pixelFormat, order] of [
    [domain, "RGBA", [2, 1, 0]],
    [domain, "RGBX", [2, 1, 0]],
    [threads, "BGRA", [0, 1, 2]],
  ] as const) {
    const format = imageFormat(pixelFormat, 320, 180);
    using stream = place.createStream({ format });
    const copied = copiedBytes();
    assert.deepEqual(await presentThree(stream, {}, [...order]), { shown: 3, copied: 3 });
    assert.equal(copiedBytes() - copied, 3 * format.size);
    using another = place.createStream({ format });
    await assert.rejects(presentThree(another, { copy: "never" }), { code: "EOPNOTSUPP" });
  }
  using stream = domain.createStream({ format: imageFormat("NV12", 320, 180) });
  await assert.rejects(presentThree(stream), { code: "EOPNOTSUPP", message: /XR24/ });
});

test("a camera's images go to a display without any copy", PATIENT, async () => {
  using domain = ProcessDomain.create({ agents: 4 });
  using source = camera();
  source.setFormat("capture", { width: 640, height: 360, pixelFormat: "XR24" });
  const format = streamFormat(source.format("capture"));
  assert.equal(format.pixelFormat, "BGRX");
  using stream = domain.createStream({ format, buffers: 6 });
  using device = vkms();
  using display = Display.open(device, SMALL);
  const copied = copiedBytes();
  const recording = record(source, stream, { timeout: 20_000 });
  let seen = 0;
  const presented = await present(stream, display, {
    copy: "never",
    timeout: 20_000,
    onShown: async ({ bytes }) => {
      const image = Uint32Array.from({ length: 640 * 360 }, (_, i) => {
        return (bytes[i * 4 + 2]! << 16) | (bytes[i * 4 + 1]! << 8) | bytes[i * 4]!;
      });
      assert.ok(new Set(image.subarray(0, 640)).size > 4);
      assert.equal(await checksum(), checksumOf(inTheMiddle(image, 640, 360)));
      if (++seen === 3) stream.end();
    },
  });
  await recording;
  assert.equal(presented.copied, 0);
  assert.ok(presented.shown >= 3);
  assert.equal(copiedBytes(), copied);
});

test("examples/display.ts shows a camera's images and copies none", PATIENT, () => {
  const example = fileURLToPath(new URL("../../../examples/display.js", import.meta.url));
  const paths = [camera(), vkms()].map((device) => {
    device.close();
    return device.path;
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [example, ...paths, "1"], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^Virtual-1: 1024×768 at 60 Hz\nshowed [1-9]\d* frames and copied 0\n$/);
});

test("a display leaves no descriptor behind", PATIENT, async () => {
  const round = async (): Promise<void> => {
    using device = vkms();
    using display = Display.open(device, SMALL);
    using buffer = device.createDumbBuffer(640, 480);
    using image = Framebuffer.create(buffer);
    for (let i = 0; i < 10; i++) await display.show(image, { timeout: 10_000 });
  };
  await round();
  const before = openDescriptors();
  for (let i = 0; i < 5; i++) await round();
  assert.equal(openDescriptors(), before);
});
