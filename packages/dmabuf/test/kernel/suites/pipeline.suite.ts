/** A camera's image on its way through the library: camera, stream, worker, udmabuf, another process. */
import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { copiedBytes, Domain as ThreadDomain, PAGE_SIZE } from "../../../src/index.js";
import {
  DmaHeap,
  DrmDevice,
  ExportedBuffer,
  importDescriptor,
  record,
  streamFormat,
  VideoDevice,
} from "../../../src/linux/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { closeDescriptor, createSocketPair, sendMessage } from "../../../src/node/system-calls/index.js";
import { fails } from "../support.js";
import type { Inverted } from "./inverter.worker.js";

const PATIENT = { timeout: 90_000 };
const WIDTH = 320;
const HEIGHT = 180;
const FRAMES = 4;

function smallCamera(pixelFormat: string): VideoDevice {
  for (const path of VideoDevice.list()) {
    const device = VideoDevice.open(path);
    const { driver, captures, converts, isMultiPlanar } = device.capabilities;
    if (driver === "vivid" && captures && !converts && !isMultiPlanar) {
      device.setFormat("capture", { width: WIDTH, height: HEIGHT, pixelFormat });
      return device;
    }
    device.close();
  }
  throw new Error("The lab has no camera");
}

test(
  "a camera's images go through a stream, a worker and udmabuf to another process, pixel by pixel",
  PATIENT,
  async () => {
    using domain = ProcessDomain.create({ agents: 8, name: "camera" });
    using device = smallCamera("NV12");
    const format = streamFormat(device.format("capture"));
    assert.deepEqual([format.pixelFormat, format.width, format.height], ["NV12", WIDTH, HEIGHT]);
    using stream = domain.createStream({ format, name: "camera", buffers: 6 });
    using reader = new Reader();
    const invitation = domain.invite();
    const worker = new Worker(new URL("inverter.worker.js", import.meta.url), {
      workerData: { invitation, frames: FRAMES },
      transferList: [invitation.port],
    });
    const failed = new Promise<never>((_, reject) => void worker.on("error", reject));
    const copied = copiedBytes();
    const stop = new AbortController();
    const recording = record(device, stream, { signal: stop.signal, timeout: 20_000 });
    const sources: string[] = [];
    for (let i = 0; i < FRAMES; i++) {
      const [image] = (await Promise.race([once(worker, "message"), failed, recording])) as [Inverted];
      const { hash, name } = await reader.send(image.fd);
      assert.deepEqual({ hash, name }, { hash: image.result, name: "inverted" });
      sources.push(image.source);
      const counted = once(worker, "message");
      worker.postMessage("next");
      // 255 - luma of the first pixel, counted up once by the other process.
      assert.deepEqual(await counted, [(image.first + 1) & 0xff]);
    }
    stop.abort();
    await assert.rejects(recording, { name: "AbortError" });
    await once(worker, "exit");
    assert.equal(copiedBytes(), copied);
    assert.ok(sources.every((hash) => /^[0-9a-f]{64}$/.test(hash)));
  },
);

test("a recording fills the stream's own buffers, in the camera's order", PATIENT, async () => {
  using domain = ProcessDomain.create({ agents: 4 });
  using device = smallCamera("YUYV");
  using stream = domain.createStream({ format: streamFormat(device.format("capture")), name: "raw", buffers: 5 });
  const stop = new AbortController();
  const recording = record(device, stream, { signal: stop.signal, timeout: 20_000 });
  const times: number[] = [];
  for await (using frame of stream.frames()) {
    assert.ok(new Set(frame.bytes.subarray(0, WIDTH * 2)).size > 4);
    times.push(frame.timestamp);
    if (times.length === 4) break;
  }
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  // The end of the stream ends the recording too.
  stream.end();
  await recording;
  // The camera is free again.
  device.setFormat("capture", { pixelFormat: "NV12" });
});

test(
  "a buffer that was filled here is a device's, without a copy, and its memory stays where it is",
  PATIENT,
  async () => {
    using domain = ProcessDomain.create({ agents: 4 });
    const buffer = domain.allocate(4 * PAGE_SIZE, { name: "ours" });
    {
      using access = await buffer.access("write");
      access.bytes.fill(0x21);
    }
    const exported = await ExportedBuffer.create(buffer);
    using card = DrmDevice.find("vgem", "card")!;
    using imported = card.importBuffer(exported.descriptor);
    using again = imported.export();
    assert.deepEqual([again.inode, again.statistics().name], [exported.descriptor.inode, "ours"]);
    await again.access("write", (bytes) => bytes.fill(0x42, PAGE_SIZE));
    {
      using access = await buffer.access("read");
      assert.deepEqual([access.bytes[0], access.bytes[PAGE_SIZE], access.bytes[4 * PAGE_SIZE - 1]], [0x21, 0x42, 0x42]);
    }
    {
      using twin = ExportedBuffer.createSync(buffer);
      await twin.descriptor.access("read", (bytes) => assert.equal(bytes[PAGE_SIZE], 0x42));
    }
    // The dma-buf outlives our buffer.
    exported.close();
    buffer.close();
    await again.access("read", (bytes) => assert.equal(bytes[PAGE_SIZE], 0x42));
  },
);

test("a domain between processes refuses a dma-buf, and keeps nothing of it", PATIENT, () => {
  using domain = ProcessDomain.create({ agents: 4 });
  using heap = DmaHeap.open();
  using buffer = heap.allocate(PAGE_SIZE);
  fails("EINVAL", () => importDescriptor(domain, buffer));
  assert.equal(buffer.statistics().references, 1);
});

test("what cannot become a dma-buf says why", PATIENT, async () => {
  using threads = ThreadDomain.create();
  await assert.rejects(ExportedBuffer.create(threads.allocate(PAGE_SIZE)), { code: "EOPNOTSUPP" });
  using domain = ProcessDomain.create({ agents: 4 });
  const buffer = domain.allocate(PAGE_SIZE);
  await assert.rejects(ExportedBuffer.create(buffer.duplicate("read")), { code: "EACCES" });
  fails("EACCES", () => ExportedBuffer.createSync(buffer.duplicate("read")));
  const large = domain.allocate(65 << 20);
  await assert.rejects(ExportedBuffer.create(large), { code: "EINVAL" });
  fails("EOPNOTSUPP", () => streamFormat({ pixelFormat: "NM12", width: 2, height: 2, planes: [PLANE, PLANE] }));
});

test("examples/camera.ts shows 30 frames of a camera and ends", PATIENT, () => {
  const example = fileURLToPath(new URL("../../../examples/camera.js", import.meta.url));
  const path = ((device: VideoDevice) => {
    device.close();
    return device.path;
  })(smallCamera("NV12"));
  const { status, stdout, stderr } = spawnSync(process.execPath, [example, path], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.deepEqual([status, stderr], [0, ""]);
  const lines = stdout.trim().split("\n");
  assert.ok(lines.length >= 30);
  for (const line of lines) assert.match(line, /^\d+ brightness \d+\.\d+$/);
});

const PLANE = { stride: 2, size: 4 };

/** Another process that reads dma-bufs. */
class Reader implements Disposable {
  readonly #socket: number;
  readonly #child;

  constructor() {
    const [mine, theirs] = createSocketPair("sequenced");
    this.#socket = mine;
    this.#child = fork(fileURLToPath(new URL("pixel-reader.js", import.meta.url)), [], {
      stdio: ["ignore", "inherit", "inherit", "ipc", theirs],
    });
    closeDescriptor(theirs);
  }

  async send(fd: number): Promise<{ hash: string; name: string }> {
    const answer = once(this.#child, "message");
    sendMessage(this.#socket, new Uint8Array(1), [fd]);
    const [found] = (await answer) as [{ hash: string; name: string }];
    return found;
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#socket);
    this.#child.kill("SIGKILL");
  }
}
