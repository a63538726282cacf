/** The demo on a camera: its main job, four processes that look at every image. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VideoDevice } from "../../../src/linux/index.js";

const PATIENT = { timeout: 90_000 };
const MAIN = fileURLToPath(new URL("../../../../../demo/dist/src/main.js", import.meta.url));

function demo(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...options], { encoding: "utf8", timeout: 80_000 });
}

function deviceThat(isSo: (device: VideoDevice) => boolean): string {
  for (const path of VideoDevice.list()) {
    using device = VideoDevice.open(path);
    if (device.capabilities.driver === "vivid" && isSo(device)) return path;
  }
  throw new Error("The lab has no such video device");
}

test("the demo on a camera hands every image to five processes and copies none", PATIENT, () => {
  const camera = deviceThat(({ capabilities }) => capabilities.captures && !capabilities.isMultiPlanar);
  const { status, stdout, stderr } = demo(camera, "--headless", "--frames", "12", "--json");
  assert.deepEqual([status, stderr], [0, ""]);
  const report = JSON.parse(stdout) as Record<string, unknown> & { consumers: Record<string, unknown>[] };
  assert.deepEqual([report["frames"], report["bytes_copied"]], [12, 0]);
  const seen = report.consumers
    .filter(({ policy }) => policy === "block")
    .map(({ frames, missed }) => [frames, missed]);
  assert.deepEqual(seen, [
    [12, 0],
    [12, 0],
    [12, 0],
    [12, 0],
  ]);
  // Colour bars, with a text that moves.
  const values = Object.assign({}, ...report.consumers) as Record<string, number>;
  assert.ok(values["moving_frames"]! > 0 && values["mean_luma"]! > 16);
});

test("the demo says of a device that is no camera, or not there, what it is", PATIENT, () => {
  const screen = deviceThat(({ capabilities }) => capabilities.outputs && !capabilities.captures);
  const wrong = demo(screen, "--headless", "--frames", "1");
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /is no camera/);
  const absent = demo("/dev/video99", "--headless", "--frames", "1");
  assert.equal(absent.status, 1);
  assert.match(absent.stderr, /no such device/);
  assert.match(demo("/dev/video99", "--headless").stderr, /needs --frames/);
});
