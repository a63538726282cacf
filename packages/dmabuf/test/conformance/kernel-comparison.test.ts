import assert from "node:assert/strict";
import { test } from "node:test";
import type { CaseState } from "./case-tally.js";
import { compare } from "./kernel-comparison.js";

test("a case that was put to the kernel agrees, disagrees, differs on purpose, or is the kernel's alone", () => {
  const ours: Record<string, CaseState> = {
    "AAA-01": "passed",
    "AAA-02": "passed",
    "AAA-03": "deviating",
    "AAA-04": "missing",
    "AAA-05": "failed",
    "AAA-06": "passed",
  };
  const cases = Object.entries(ours).map(([id, state]) => ({ id, state, area: "A", title: id, places: [] }));
  const kernel = ["AAA-01 holds", "AAA-02 holds", "AAA-03 holds", "AAA-04 holds", "AAA-05 holds"].map((name) => ({
    name,
    state: "passed" as const,
  }));
  const outcomes = [...kernel, { name: "AAA-02 fails", state: "failed" as const }];
  const compared = compare([{ area: "A", title: "a", cases }], outcomes, { "AAA-03": "a reason" });
  assert.deepEqual(
    compared.map(({ id, agree }) => [id, agree]),
    [
      ["AAA-01", "yes"],
      ["AAA-02", "no"],
      ["AAA-03", "on purpose"],
      ["AAA-04", "only there"],
      ["AAA-05", "no"],
    ],
  );
});
