/** The library on a real kernel: boots the lab once, runs all suites in it, and reports each of their tests. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildLab, runSuitesInLab, whyNoLab } from "./lab.js";
import type { InnerTest } from "./reporter.js";

const SUITES = join(import.meta.dirname, "../../../test/kernel/suites");
/** Two of them are broken on purpose. */
const FIXTURES = ["mixed.fixture", "endless.fixture"] as const;
/** Some ten times what they need. */
const MOST_SECONDS = 900;

const missing = whyNoLab();
// Where everything is tested a missing lab is a failure, elsewhere a reason to skip.
const skip = missing === undefined || process.env["CI"] === "true" ? false : missing;
if (skip !== false) console.error(`kernel: skipped: ${skip}`);

test("the kernel lab is there", { skip }, async () => {
  assert.equal(missing, undefined);
  await buildLab((line) => console.error(line));
});

test("a passing, a failing and a skipped test in the lab are told apart", { skip }, async () => {
  const { tests, status } = await runSuitesInLab([FIXTURES[0]], 60);
  assert.deepEqual(
    tests.map(({ name, state }) => `${state}: ${name}`),
    ["passed: passes", "failed: fails", "skipped: is skipped"],
  );
  assert.match(tests[1]!.error ?? "", /1 !== 2/);
  assert.equal(status, 1);
});

test("what does not end in the lab is killed", { skip }, async () => {
  const { tests, status } = await runSuitesInLab([FIXTURES[1]], 8);
  assert.deepEqual([tests, status], [[], 124]);
});

test("the suites pass on a real kernel", { skip }, async (t) => {
  const suites = readdirSync(SUITES).filter((name) => name.endsWith(".suite.ts"));
  assert.notEqual(suites.length, 0);
  const { tests, status, output } = await runSuitesInLab(
    suites.map((name) => name.slice(0, -".ts".length)),
    MOST_SECONDS,
  );
  for (const inner of tests) {
    await t.test(inner.name, { skip: inner.state === "skipped" }, () => mustHavePassed(inner));
  }
  assert.equal(status, 0, `The lab ended with status ${status} after ${tests.length} tests:\n${output.slice(-4000)}`);
  assert.notEqual(tests.length, 0);
});

/** Fails with what was said in the lab, without a trace of this side. */
function mustHavePassed(inner: InnerTest): void {
  if (inner.state !== "failed") return;
  const error = new Error(inner.error);
  error.stack = inner.error ?? "";
  throw error;
}
