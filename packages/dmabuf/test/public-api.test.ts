/** The public API changes on purpose only: its report is in the repository, where each change of it is seen. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const SCRIPT = join(import.meta.dirname, "../../../../scripts/api-report.mjs");

test("the public API is that of its report, names no type that it does not export, and publishes no internal member", () => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "--check"], { encoding: "utf8", timeout: 90_000 });
  assert.equal(stderr, "");
  assert.equal(status, 0);
});
