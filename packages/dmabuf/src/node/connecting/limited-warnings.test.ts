import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualHost } from "../../../test/manual-host.js";
import { LimitedWarnings } from "./limited-warnings.js";

/** A host that keeps what it is told. */
class Listening extends ManualHost {
  readonly told: string[] = [];

  override readonly warn = (message: string): void => void this.told.push(message);
}

test("the first few are told at once, the others together with their number when the time is over", () => {
  const host = new Listening();
  const warnings = new LimitedWarnings(host);
  for (let i = 1; i <= 100; i++) warnings.warn(`stranger ${i}`);
  assert.deepEqual(host.told, ["stranger 1", "stranger 2", "stranger 3"]);
  host.pass(10_000);
  assert.deepEqual(host.told.slice(3), ["97 more of this kind, the last one: stranger 100"]);
  warnings.warn("a later one");
  assert.equal(host.told[4], "a later one");
  host.pass(10_000);
  assert.equal(host.told.length, 5, "nothing was held back");
});

test("what was held back is told at the end", () => {
  const host = new Listening();
  const warnings = new LimitedWarnings(host);
  for (let i = 1; i <= 5; i++) warnings.warn(`stranger ${i}`);
  warnings.flush();
  warnings.flush();
  assert.deepEqual(host.told.slice(3), ["2 more of this kind, the last one: stranger 5"]);
  assert.equal(host.timers, 0);
});
