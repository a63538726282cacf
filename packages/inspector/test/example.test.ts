import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("examples/served.ts serves its own domain, and ends", { timeout: 120_000 }, () => {
  const program = new URL("../examples/served.js", import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8", timeout: 100_000 });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.match(
    stdout,
    /^open http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32} to see buffer frame\nthe page is there until/,
  );
});
