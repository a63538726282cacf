/** What the lab's kernel must have for the other suites to say anything. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { release } from "node:os";
import { test } from "node:test";

test("the lab's kernel is the one that was built", () => {
  assert.match(release(), /^6\.12\./);
});

test("the lab has a device of each kind", () => {
  const devices = [
    "/dev/dma_heap/system",
    "/dev/udmabuf",
    "/sys/kernel/debug/sync/sw_sync",
    "/sys/kernel/debug/dma_buf/bufinfo",
    "/sys/kernel/dmabuf/buffers",
    "/dev/dri/card0",
    "/dev/dri/card1",
    "/dev/dri/renderD128",
    "/dev/video0",
  ];
  assert.deepEqual(
    devices.filter((path) => !existsSync(path)),
    [],
  );
});
