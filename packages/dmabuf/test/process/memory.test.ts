import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("the library holds no memory of closed buffers", { timeout: 60_000 }, () => {
  const program = fileURLToPath(new URL("./memory.js", import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", program], {
    encoding: "utf8",
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  assert.equal(stderr, "");
  assert.deepEqual(stdout.trim().split("\n"), [
    "an allocated buffer: free",
    "a buffer whose handle was sent and never imported: free",
    "an exported buffer: free",
    "a stream's buffer: free",
  ]);
});
