/**
 * `npm run conformance`: runs the conformance tests and prints, area by area, which cases of the kernel's semantics hold,
 * which are different on purpose, and which have no test. It fails if a test fails, or a case of a complete area has none.
 */
import Table from "cli-table3";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { tally, type AreaTally, type CaseBook, type CaseState, type TestOutcome } from "./case-tally.js";
import { DEVIATIONS } from "./deviations.js";

const ROOT = join(import.meta.dirname, "../../..");
const FOLDER = "test/conformance";
const LONGEST_FILE_MS = 120_000;

const book = JSON.parse(readFileSync(join(ROOT, FOLDER, "cases.json"), "utf8")) as CaseBook;
const { areas, problems } = tally(book, DEVIATIONS, await runTests());

const table = new Table({
  head: ["", "area", "cases", "passed", "deviating", "failed", "no test"],
  style: { head: [], border: [] },
});
for (const area of areas) table.push(row(area.area, area.title, [area]));
table.push(row("", "all", areas));
console.log(table.toString());

const deviating = areas.flatMap(({ cases }) => cases).filter(({ state }) => state === "deviating");
if (deviating.length > 0) console.log("\nDifferent on purpose:");
for (const { id } of deviating) console.log(`  ${id}  ${DEVIATIONS[id]}`);

if (problems.length > 0) console.log(`\n${problems.join("\n")}`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** The sources say which tests there are, as for the groups. */
async function runTests(): Promise<TestOutcome[]> {
  const sources = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith(".test.ts"));
  const files = sources.map((name) => join(ROOT, "dist", FOLDER, name.replace(/\.ts$/, ".js")));
  const outcomes: TestOutcome[] = [];
  const tests = run({ files, timeout: LONGEST_FILE_MS });
  tests.on("test:fail", ({ name, details }) => outcomes.push({ name, state: "failed", error: text(details.error) }));
  tests.on("test:pass", ({ name, skip, todo }) =>
    outcomes.push({ name, state: isSet(skip) || isSet(todo) ? "skipped" : "passed" }),
  );
  await finished(tests.resume());
  return outcomes;
}

function row(area: string, title: string, areas: readonly AreaTally[]): (string | number)[] {
  const cases = areas.flatMap(({ cases }) => cases);
  const count = (state: CaseState): number | string => cases.filter((each) => each.state === state).length || "";
  return [area, title, cases.length, count("passed"), count("deviating"), count("failed"), count("missing")];
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}

function text(error: Error): string {
  const { cause = error } = error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
