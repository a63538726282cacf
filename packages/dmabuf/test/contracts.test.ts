/** The numbered rules of all protocols: each is stated once, in the file that it is named after, and tests cite it. */
import assert from "node:assert/strict";
import { test } from "node:test";

interface Contracts {
  sources: () => Map<string, string>;
  contractsIn: (texts: Map<string, string>) => { rules: { rule: string }[] };
  violationsIn: (texts: Map<string, string>, excused?: Map<string, string>) => string[];
}

const { sources, contractsIn, violationsIn } = (await import(
  new URL("../../../../scripts/contracts.mjs", import.meta.url).href
)) as Contracts;

test("each rule is stated once in the file it is named after, each citation has its rule, and each rule its test", () => {
  assert.ok(contractsIn(sources()).rules.length > 250);
  assert.deepEqual(violationsIn(sources()), []);
});

const LOCK = `/**
 * How a lock is held.
 *
 * lock.1. One agent has it.
 * lock.2. A waiter sleeps.
 */
// lock.1: here
`;
const CITES = 'test("a lock has one holder (lock.1–lock.2)", () => {});';

/** What is found when the files of a small project are changed. */
function violations(changes: Record<string, string>, excused: Record<string, string> = {}): string[] {
  const files = { "src/lock.ts": LOCK, "src/lock.test.ts": CITES, ...changes };
  return violationsIn(new Map(Object.entries(files)), new Map(Object.entries(excused)));
}

test("a project that keeps its rules has no violation", () => {
  assert.deepEqual(violations({}), []);
  assert.deepEqual(
    violations({ "README.md": "Node.js 20.19, lock.ts, 1.5, avc1.640032, gst-launch-1.0 and e.g. 3.2; see lock.2." }),
    [],
  );
  assert.deepEqual(violations({ "src/lock.test.ts": "// lock.1" }, { "lock.2": "cannot be tried" }), []);
});

test("each violation against the rules is found", () => {
  const planted: [changes: Record<string, string>, excused: Record<string, string>, found: string][] = [
    [{ "src/b/lock.ts": " * lock.2. Again." }, {}, "src/b/lock.ts:1: lock.2 is stated already in src/lock.ts:5"],
    [{ "src/lock.ts": `${LOCK} * lock.2. Again.` }, {}, "src/lock.ts:8: lock.2 is stated already in src/lock.ts:5"],
    [
      { "src/hold.ts": " * lock.3. Odd.\n// lock.3", "src/hold.test.ts": "// lock.3" },
      {},
      "src/hold.ts:1: lock.3 is not named after its file, hold",
    ],
    [{ "src/hold.ts": "// As lock.7 says." }, {}, "src/hold.ts:1: no rule lock.7 is stated"],
    [{ "docs/a.md": "See hold.1." }, {}, "docs/a.md:1: no rule hold.1 is stated"],
    [{ "src/lock.test.ts": "// lock.2 to lock.3, lock.1" }, {}, "src/lock.test.ts:1: no rule lock.3 is stated"],
    [{ "src/lock.test.ts": "// lock.1" }, {}, "src/lock.ts:5: no test cites lock.2"],
    [{}, { "lock.2": "cannot be tried" }, "EXCUSED names lock.2, which a test cites"],
    [{}, { "lock.9": "cannot be tried" }, "EXCUSED names lock.9, which is not stated"],
  ];
  for (const [changes, excused, found] of planted) assert.deepEqual(violations(changes, excused), [found]);
});
