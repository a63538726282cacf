/**
 * `npm run conformance`: runs the conformance tests and prints, area by area, which cases of the kernel's semantics hold,
 * which are different on purpose, and which have no test; and how many ran with their parties in workers, and in processes.
 * It fails if a test fails, or a case has none.
 *
 * With `--kernel` it asks a real kernel too, in the lab of `test/kernel/`, and prints what each of the two says of each case.
 */
import Table from "cli-table3";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { PARTY_PLACES, tally } from "./case-tally.js";
import type { AreaTally, CaseBook, CaseState, PartyPlace, TestOutcome } from "./case-tally.js";
import { DEVIATIONS } from "./deviations.js";
import { compare, type Comparison } from "./kernel-comparison.js";
import { buildLab, runSuitesInLab, whyNoLab } from "../kernel/lab.js";

const ROOT = join(import.meta.dirname, "../../..");
const FOLDER = "test/conformance";
const LONGEST_FILE_MS = 120_000;
const KERNEL_SUITES = "test/kernel/suites";
const LONGEST_LAB_SECONDS = 280;

const book = JSON.parse(readFileSync(join(ROOT, FOLDER, "cases.json"), "utf8")) as CaseBook;
const { areas, problems: found } = tally(book, DEVIATIONS, await runTests());
const problems = [...found];

const table = new Table({
  head: [
    "",
    "area",
    "cases",
    "passed",
    "deviating",
    "failed",
    "no test",
    ...PARTY_PLACES.map((place) => `in ${place}`),
  ],
  style: { head: [], border: [] },
});
for (const area of areas) table.push(row(area.area, area.title, [area]));
table.push(row("", "all", areas));
console.log(table.toString());

const deviating = areas.flatMap(({ cases }) => cases).filter(({ state }) => state === "deviating");
if (deviating.length > 0) console.log("\nDifferent on purpose:");
for (const { id } of deviating) console.log(`  ${id}  ${DEVIATIONS[id]}`);

if (process.argv.includes("--kernel")) await printKernel();

if (problems.length > 0) console.log(`\n${problems.join("\n")}`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** What the kernel says, beside what we say. */
async function printKernel(): Promise<void> {
  const missing = whyNoLab();
  if (missing !== undefined) return void problems.push(`The kernel cannot be asked: ${missing}`);
  await buildLab((line) => console.error(line));
  const suites = readdirSync(join(ROOT, KERNEL_SUITES)).filter((name) => name.endsWith(".suite.ts"));
  const run = await runSuitesInLab(
    suites.map((name) => name.slice(0, -".ts".length)),
    LONGEST_LAB_SECONDS,
  );
  if (run.status !== 0) problems.push(`The lab ended with status ${run.status}:\n${run.output.slice(-2000)}`);
  const comparison = compare(areas, run.tests, DEVIATIONS);
  const rows = new Table({
    head: ["case", "", "ours", "kernel", "agree"],
    style: { head: [], border: [], compact: true },
  });
  for (const each of comparison) rows.push([each.id, each.title, each.ours, each.kernel, each.agree]);
  console.log(`\nThe cases that were put to Linux in the lab:\n${rows.toString()}`);
  const count = (agree: Comparison["agree"]): number => comparison.filter((each) => each.agree === agree).length;
  console.log(
    `${comparison.length} cases: ${count("yes")} agree, ${count("on purpose")} differ on purpose, ${count("no")} disagree`,
  );
  for (const { id, agree } of comparison) if (agree === "no") problems.push(`${id}: the kernel and we disagree`);
}

/** The sources say which tests there are, as for the groups; a file's name says where the parties of its cases are. */
async function runTests(): Promise<TestOutcome[]> {
  const sources = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith(".test.ts"));
  const outcomes: TestOutcome[] = [];
  for (const place of [undefined, ...PARTY_PLACES]) {
    const there = sources.filter((name) => PARTY_PLACES.find((each) => name.endsWith(`-in-${each}.test.ts`)) === place);
    const ran = await runFiles(there.map((name) => join(ROOT, "dist", FOLDER, name.replace(/\.ts$/, ".js"))));
    outcomes.push(...ran.map((outcome) => (place === undefined ? outcome : { ...outcome, place })));
  }
  return outcomes;
}

async function runFiles(files: string[]): Promise<TestOutcome[]> {
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
  const ranIn = (place: PartyPlace): number | string =>
    cases.filter(({ places }) => places.includes(place)).length || "";
  const states = (["passed", "deviating", "failed", "missing"] as const).map(count);
  return [area, title, cases.length, ...states, ...PARTY_PLACES.map(ranIn)];
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}

function text(error: Error): string {
  const { cause = error } = error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
