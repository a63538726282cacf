import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tally, type CaseBook, type CaseState, type TestOutcome } from "./case-tally.js";
import { DEVIATIONS } from "./deviations.js";

const BOOK: CaseBook = {
  areas: [
    { area: "A", title: "fences" },
    { area: "B", title: "arrays" },
  ],
  cases: [
    { id: "FEN-01", area: "A", title: "one" },
    { id: "FEN-02", area: "A", title: "two" },
    { id: "ARR-01", area: "B", title: "three" },
  ],
};

const PASSED: readonly TestOutcome[] = [
  { name: "FEN-01 a fact", state: "passed" },
  { name: "FEN-02 a fact", state: "passed" },
  { name: "ARR-01 a fact", state: "passed" },
];

test("a run is good if every case has passed", () => {
  const { problems } = tally(BOOK, {}, PASSED);
  assert.deepEqual(problems, []);
  assert.deepEqual(states(PASSED), ["passed", "passed", "passed"]);
});

test("a run in which a case has no test is not good", () => {
  const { problems } = tally(BOOK, {}, PASSED.slice(0, 2));
  assert.deepEqual(problems, ["No test ran for ARR-01 (three)"]);
});

test("a case has failed if one of its tests has, and the run is not good", () => {
  const outcomes: TestOutcome[] = [...PASSED, { name: "ARR-01 b", state: "failed", error: "why" }];
  assert.deepEqual(states(outcomes), ["passed", "passed", "failed"]);
  assert.match(tally(BOOK, {}, outcomes).problems.join(), /ARR-01 b\nwhy/);
});

test("a case whose tests were all skipped has no test", () => {
  const outcomes: TestOutcome[] = [PASSED[0]!, { name: "FEN-02 a fact", state: "skipped" }, PASSED[2]!];
  assert.deepEqual(states(outcomes), ["passed", "missing", "passed"]);
  assert.deepEqual(tally(BOOK, {}, outcomes).problems, ["No test ran for FEN-02 (two)"]);
});

test("a case that is different on purpose is told apart, but must pass", () => {
  const reasons = { "FEN-01": "better" };
  assert.deepEqual(states(PASSED, reasons), ["deviating", "passed", "passed"]);
  const outcomes: TestOutcome[] = [{ name: "FEN-01 a fact", state: "failed" }, ...PASSED.slice(1)];
  assert.deepEqual(states(outcomes, reasons), ["failed", "passed", "passed"]);
});

test("a case tells where it ran with several parties, and not where it was skipped", () => {
  const outcomes: TestOutcome[] = [
    ...PASSED,
    { name: "FEN-02 in a worker", state: "passed", place: "workers" },
    { name: "FEN-02 in a process", state: "skipped", place: "processes" },
    { name: "ARR-01 in a process", state: "passed", place: "processes" },
  ];
  const { areas } = tally(BOOK, {}, outcomes);
  const places = areas.flatMap(({ cases }) => cases.map((each) => each.places));
  assert.deepEqual(places, [[], ["workers"], ["processes"]]);
});

test("a failed test of no case makes the run bad", () => {
  const { problems } = tally(BOOK, {}, [...PASSED, { name: "dist/a.test.js", state: "failed" }]);
  assert.equal(problems.length, 1);
});

test("a test or a deviation that names no case of the book is a problem", () => {
  const outcomes: TestOutcome[] = [...PASSED, { name: "FEN-99 a fact", state: "passed" }];
  const { problems } = tally(BOOK, { "FEN-98": "why" }, outcomes);
  assert.deepEqual(problems, ["A test names FEN-99, which is no case", "A deviation names FEN-98, which is no case"]);
});

test("the case book has 256 cases with their own ids, in 12 areas, and knows every deviation", () => {
  const book = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../../test/conformance/cases.json"), "utf8"),
  ) as CaseBook;
  assert.equal(book.areas.length, 12);
  assert.equal(book.cases.length, 256);
  assert.equal(new Set(book.cases.map(({ id }) => id)).size, 256);
  const areas = new Set(book.areas.map(({ area }) => area));
  assert.deepEqual(
    book.cases.filter(({ area }) => !areas.has(area)),
    [],
  );
  const ids = new Set(book.cases.map(({ id }) => id));
  assert.deepEqual(
    Object.keys(DEVIATIONS).filter((id) => !ids.has(id)),
    [],
  );
});

function states(outcomes: readonly TestOutcome[], deviations: Record<string, string> = {}): CaseState[] {
  return tally(BOOK, deviations, outcomes).areas.flatMap(({ cases }) => cases.map(({ state }) => state));
}
