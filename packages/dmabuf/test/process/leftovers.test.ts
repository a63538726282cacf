/** Environment: DMABUF_WORKERS, how many workers are terminated (40). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ONCE } from "../once.js";

const WORKERS = Number(process.env["DMABUF_WORKERS"] ?? 40);

// control-mapping.2
test("a terminated worker leaves no mapping and no descriptor", { ...ONCE, timeout: 60_000 + WORKERS * 2_000 }, () => {
  const program = fileURLToPath(new URL("leftovers.js", import.meta.url));
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--expose-gc", program, String(WORKERS)], {
    encoding: "utf8",
    timeout: 50_000 + WORKERS * 2_000,
    killSignal: "SIGKILL",
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.deepEqual(JSON.parse(stdout), { workers: WORKERS, descriptors: 0, mappings: 0, reserved: 0, agents: 1 });
});
