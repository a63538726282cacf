/** Cameras that are unplugged while they work: vivid's own errors are injected. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { capture, record, streamFormat, VideoDevice, type RecordedData } from "../../../src/linux/index.js";
import { request } from "../../../src/linux/ioctl.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { fails, openDescriptors } from "../support.js";
import { requestOf } from "../../../src/linux/descriptor.js";

const PATIENT = { timeout: 60_000 };
const LATE = 20_000;
const SET_CONTROL = request("VIDIOC_S_CTRL", "read-write", "V", 28, { id: "u32", value: "s32" });
/** Vivid's control that unplugs it. It is there again when its last descriptor is closed. */
const DISCONNECT = 0x00f0_f000 + 65;

function smallCamera(): VideoDevice {
  for (const path of VideoDevice.list()) {
    const device = VideoDevice.open(path);
    const { driver, captures, converts, isMultiPlanar } = device.capabilities;
    if (driver === "vivid" && captures && !converts && !isMultiPlanar) {
      device.setFormat("capture", { pixelFormat: "NV12", width: 320, height: 180 });
      return device;
    }
    device.close();
  }
  throw new Error("The lab has no camera");
}

function unplug(device: VideoDevice): void {
  try {
    requestOf(device, SET_CONTROL, { id: DISCONNECT, value: 1 }, "Cannot unplug");
  } catch {
    // It is gone before it has answered.
  }
}

/** Records until the third frame. */
async function recordUntil(
  device: VideoDevice,
  end: (stop: () => void) => void,
): Promise<{ error: unknown; back: number; stay: number }> {
  using domain = ProcessDomain.create({ agents: 4 });
  const before = openDescriptors();
  const stream = domain.createStream({ format: streamFormat(device.format("capture")), buffers: 5 });
  const frames = stream.frames({ policy: "newest" });
  let error: unknown;
  const recording = record(device, stream, { timeout: LATE }).catch((reason: unknown) => (error = reason));
  for (let seen = 0; seen < 3; seen++) {
    using frame = (await frames.next())!;
    assert.equal((frame.data as RecordedData).bytesUsed, frame.bytes.length);
  }
  end(() => stream.end());
  await recording;
  frames[Symbol.dispose]();
  let back = 0;
  if (error !== undefined) {
    const loans = [];
    for (; back < 5; back++) {
      const loan = await stream.loan({ timeout: LATE });
      if (loan === undefined) break;
      loans.push(loan);
    }
    for (const loan of loans) loan[Symbol.dispose]();
  }
  stream.close();
  return { error, back, stay: openDescriptors() - before };
}

test(
  "a recording of a camera that is unplugged rejects with ENODEV, and gives back its loans and descriptors",
  PATIENT,
  async () => {
    using device = smallCamera();
    // What is opened once is open from then on.
    const { error: none, stay } = await recordUntil(device, (stop) => stop());
    assert.equal(none, undefined);
    const gone = await recordUntil(device, () => unplug(device));
    assert.deepEqual([(gone.error as { code?: string }).code, gone.back], ["ENODEV", 5]);
    assert.match(String(gone.error), /the device is gone/);
    assert.ok(gone.stay <= stay, `${gone.stay} descriptors stay, ${stay} after one that ended well`);
  },
);

test("a capture of a camera that is unplugged rejects with ENODEV, and leaves no descriptor", PATIENT, async () => {
  using device = smallCamera();
  const captureUntil = async (end: () => boolean): Promise<void> => {
    let seen = 0;
    for await (using frame of capture(device, { timeout: LATE })) {
      assert.equal(frame.planes.length, 1);
      if (++seen === 3 && end()) break;
    }
  };
  await captureUntil(() => true);
  const before = openDescriptors();
  const ending = captureUntil(() => {
    unplug(device);
    return false;
  });
  await assert.rejects(ending, { name: "DmaBufError", code: "ENODEV" });
  assert.equal(openDescriptors(), before);
});

test("what is asked of a camera that is gone is ENODEV, and its queue still closes", PATIENT, async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  using device = smallCamera();
  const queue = device.createQueue("capture", { buffers: 2 });
  queue.enqueue(0);
  queue.start();
  unplug(device);
  fails("ENODEV", () => queue.tryDequeue());
  fails("ENODEV", () => queue.enqueue(1));
  fails("ENODEV", () => queue.stop());
  fails("ENODEV", () => device.createQueue("capture"));
  await assert.rejects(queue.dequeue({ timeout: LATE }), { code: "ENODEV" });
  queue.close();
  queue.close();
  await sleep(10);
  process.off("warning", onWarning);
  assert.deepEqual(warnings, []);
});
