import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { capabilities } from "./capabilities.js";

test("all that domains between processes need works here, and finding out leaves no descriptor", () => {
  const before = readdirSync("/proc/self/fd").length;
  assert.deepEqual(capabilities(), { processes: true, missing: [] });
  assert.equal(readdirSync("/proc/self/fd").length, before);
});
