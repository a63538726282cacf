import assert from "node:assert/strict";
import { test } from "node:test";
import { Children } from "./children.js";
import { hold } from "./contest.js";
import { CLAIMS, judge } from "./goals.js";
import { allMeasures } from "./measures/all.js";

test("each goal is about something that is measured where everything can be", () => {
  const children = new Children([0, 1], "pingpong", "iceoryx");
  const results = allMeasures(children, "quick", undefined).map((measure) => {
    const run = () => ({ best: 1, p50: 1, p99: 1, samples: 1 });
    return hold({ ...measure, contestants: measure.contestants.map((contestant) => ({ ...contestant, run })) }, 1);
  });
  const judged = new Set(judge(results).map(({ goal }) => goal));
  const missing = CLAIMS.filter(({ goal }) => !judged.has(goal)).map(({ goal }) => goal);
  assert.deepEqual(missing, []);
  assert.equal(judged.size, CLAIMS.length);
});
