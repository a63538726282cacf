import assert from "node:assert/strict";
import { test } from "node:test";
import { LimitedWarnings } from "./limited-warnings.js";

test("the first few are told at once, the others together with their number when the time is over", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const warnings = new LimitedWarnings((message) => told.push(message));
  for (let i = 1; i <= 100; i++) warnings.warn(`stranger ${i}`);
  assert.deepEqual(told, ["stranger 1", "stranger 2", "stranger 3"]);
  t.mock.timers.tick(10_000);
  assert.deepEqual(told.slice(3), ["97 more of this kind, the last one: stranger 100"]);
  warnings.warn("a later one");
  assert.equal(told[4], "a later one");
  t.mock.timers.tick(10_000);
  assert.equal(told.length, 5, "nothing was held back");
});

test("what was held back is told at the end", () => {
  const told: string[] = [];
  const warnings = new LimitedWarnings((message) => told.push(message));
  for (let i = 1; i <= 5; i++) warnings.warn(`stranger ${i}`);
  warnings.flush();
  warnings.flush();
  assert.deepEqual(told.slice(3), ["2 more of this kind, the last one: stranger 5"]);
});
