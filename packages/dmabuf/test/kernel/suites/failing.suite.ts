/** What devices are asked for, with each system call failing in turn: no descriptor and no mapping is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allOrNothing } from "../../../src/all-or-nothing.js";
import { DmaBufError, Domain as ThreadDomain, PAGE_SIZE } from "../../../src/index.js";
import {
  capture,
  createSealedMemory,
  Display,
  DmaHeap,
  DrmDevice,
  DrmSyncobj,
  ExportedBuffer,
  Framebuffer,
  importDescriptor,
  createMemoryView,
  record,
  SoftwareSyncTimeline,
  streamFormat,
  SyncFileDescriptor,
  UdmabufDevice,
  VideoDevice,
} from "../../../src/linux/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import { collectGarbage, mappedFiles, openFiles } from "../../process/open-files.js";
import { failingLibrary } from "../failing.js";

const PATIENT = { timeout: 200_000 };
const SETTLING_MS = 20_000;
const SMALL = { width: 320, height: 180, pixelFormat: "NV12" };

const CALLS: Record<string, () => void | Promise<void>> = {
  "a heap's dma-buf, mapped and named"() {
    using heap = DmaHeap.open();
    using buffer = heap.allocate(PAGE_SIZE);
    buffer.setName("named");
    using view = createMemoryView(buffer.fd, "read-write", { length: PAGE_SIZE });
    view.bytes.fill(1);
    using _again = buffer.duplicate();
  },
  "a dma-buf of memory files"() {
    using device = UdmabufDevice.open();
    using memory = createSealedMemory("test", 2 * PAGE_SIZE);
    using _one = device.create({ memfd: memory.fd, offset: 0, size: PAGE_SIZE });
    using _list = device.createList([{ memfd: memory.fd, offset: PAGE_SIZE, size: PAGE_SIZE }]);
  },
  "sync files, merged and put on a dma-buf"() {
    using timeline = SoftwareSyncTimeline.create();
    using one = timeline.createFence(1);
    using two = timeline.createFence(2);
    using merged = SyncFileDescriptor.merge("merged", one, two);
    merged.info();
    using heap = DmaHeap.open();
    using buffer = heap.allocate(PAGE_SIZE);
    buffer.importSyncFile("write", merged);
    using _exported = buffer.exportSyncFile("read");
    timeline.advance(2);
  },
  async "a dma-buf as a buffer of a domain, read while a device works"() {
    using domain = ThreadDomain.create({ agents: 2 });
    using heap = DmaHeap.open();
    using descriptor = heap.allocate(PAGE_SIZE);
    using timeline = SoftwareSyncTimeline.create();
    using fence = timeline.createFence(1);
    descriptor.importSyncFile("write", fence);
    using buffer = importDescriptor(domain, descriptor).buffer;
    const reading = buffer.access("read");
    // It fails too when nothing signals.
    reading.catch(() => {});
    timeline.advance();
    using _access = await reading;
  },
  async "a buffer of a domain as a dma-buf"() {
    using domain = ProcessDomain.create({ agents: 2 });
    using buffer = domain.allocate(PAGE_SIZE);
    using exported = await ExportedBuffer.create(buffer);
    assert.equal(exported.descriptor.size, PAGE_SIZE);
  },
  "a graphics device's buffer and syncobj"() {
    using device = graphics("vgem");
    using buffer = device.createDumbBuffer(64, 64);
    using descriptor = buffer.export();
    using _again = device.importBuffer(descriptor);
    using view = buffer.map();
    view.bytes.fill(1);
    using syncobj = DrmSyncobj.create(device);
    syncobj.signalPoint(1);
    using _exported = syncobj.export();
  },
  "an image on a display"() {
    using device = graphics("vkms", "card");
    using display = Display.open(device, { width: 640, height: 480 });
    using buffer = device.createDumbBuffer(640, 480);
    using image = Framebuffer.create(buffer);
    using shown = display.queue(image);
    shown.waitSync({ timeout: 10_000 });
  },
  async "a camera's images"() {
    using device = camera();
    for await (const frame of capture(device, { buffers: 3, timeout: 10_000 })) {
      frame[Symbol.dispose]();
      if (frame.sequence > 0) break;
    }
  },
  async "a camera's images in a stream"() {
    using domain = ProcessDomain.create({ agents: 2 });
    using device = camera();
    using stream = domain.createStream({ format: streamFormat(device.format("capture")), buffers: 4 });
    const stop = new AbortController();
    let frames = 0;
    const recording = record(device, stream, {
      signal: stop.signal,
      timeout: 10_000,
      publish: (loan) => {
        loan.publish();
        if (++frames === 2) stop.abort();
      },
    });
    await recording.catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  },
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`nothing is left of ${name} when one of the system calls fails`, PATIENT, async (t) => {
    await call();
    const before = await settled();
    const failures = new Set<string>();
    let failed: string | undefined = "";
    for (let at = 1; failed !== undefined; at++) {
      failingLibrary.begin(at);
      const error = await errorOf(call);
      failed = failingLibrary.end();
      if (failed !== undefined) failures.add(failed);
      const what = `call ${at}, ${failed}, has failed: ${error?.message ?? "it went on"}`;
      assert.ok(error === undefined || error instanceof DmaBufError, `${what}\n${error?.stack}`);
      assert.ok(failed !== undefined || error === undefined, `with no call failing: ${error?.stack}`);
      await checkState(before, what);
    }
    t.diagnostic(`failed: ${[...failures].join(", ")}`);
  });
}

async function errorOf(call: () => void | Promise<void>): Promise<Error | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

async function checkState(expected: readonly string[], when: string): Promise<void> {
  let actual = state();
  for (const end = Date.now() + SETTLING_MS; actual.join() !== expected.join() && Date.now() < end; actual = state()) {
    collectGarbage();
    await pause(5);
  }
  assert.deepEqual(actual, expected, when);
}

/** When what is closed on the event loop has been. */
async function settled(): Promise<string[]> {
  for (let last = state(); ;) {
    collectGarbage();
    await pause(100);
    const next = state();
    if (last.join() === next.join()) return next;
    last = next;
  }
}

function state(): string[] {
  return [...openFiles(), `${mappedFiles()} mappings`];
}

function graphics(driver: string, kind?: "card"): DrmDevice {
  const device = DrmDevice.find(driver, kind);
  if (device === undefined) throw new DmaBufError("ENOENT", `The lab has no ${driver}, or it does not say so`);
  return device;
}

function camera(): VideoDevice {
  for (const path of VideoDevice.list()) {
    const found = allOrNothing((orUndo) => {
      const device = VideoDevice.open(path);
      orUndo(() => device.close());
      const { driver, captures, converts, isMultiPlanar } = device.capabilities;
      if (driver === "vivid" && captures && !converts && !isMultiPlanar) {
        device.setFormat("capture", SMALL);
        return device;
      }
      device.close();
      return undefined;
    });
    if (found !== undefined) return found;
  }
  throw new DmaBufError("ENOENT", "The lab has no camera");
}
