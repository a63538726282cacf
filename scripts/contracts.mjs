/**
 * Lists the numbered rules of all protocols: `node scripts/contracts.mjs [NAME]`.
 *
 * A file that states rules states them in a comment, one per paragraph, each named after the file and numbered:
 * `lock.5. The holder …` is a rule of `lock.ts`. Comments, documents and tests cite it as `lock.5`, or several as
 * `lock.1–3`. `test/contracts.test.ts` checks what violationsIn() finds.
 */
import { basename } from "node:path";
import process from "node:process";
import { filesIn, textOf } from "./files.mjs";

/** Rules that no test cites, each with the reason. The list only shrinks: an entry that is not needed is a violation. */
export const EXCUSED = new Map(
  Object.entries({
    "fence.6": "says what no code does; the explorations of signaling under a lock would find a wait",
    "reservation.4": "says what no code does; the explorations of signaling under a lock would find it taken",
    "let-go.4": "says what is not asked of the system",
    "library.4": "a thread that is terminated in that moment ends the whole process",
    "memory-mapping.5": "says what is not done",
    "membership.2": "two joiners in one slot are tried in domain/: agent-slot.1 and agent-slot.2",
    "membership.5": "the moment between the look and the lock cannot be stopped from outside",
    "ledger-arena.3": "two threads that make an arena in the same moment cannot be held there from outside",
  }),
);

const RULE = /^\s*\* ([a-z][a-z0-9-]*)\.(\d+)\.\s+(.*)$/;
const CITATION = /(?<![\w./-])([a-z][a-z0-9-]*)\.([1-9]\d{0,2})(?:(?:[–-]| to (?=\1))(?:\1\.)?(\d+))?(?!\w|\.\d)/g;

/** The texts that may state or cite rules, by path. The test of this file plants violations. */
export function sources() {
  // What is compiled is no text; the other one tries this.
  const unread = ["binary.ts", "test/contracts.test.ts"];
  const code = filesIn(".", /\.(ts|mjs|sh)$/).filter((path) => !unread.some((name) => path.endsWith(name)));
  const documents = filesIn(".", /\.md$/).filter((path) => !path.includes("assets/"));
  return new Map([...code, ...documents].map((path) => [path, textOf(path)]));
}

/** All rules: where each is stated, its first line, and where it is cited. */
export function contractsIn(texts) {
  const rules = [];
  const citations = [];
  for (const [path, text] of texts) {
    for (const [index, line] of text.split("\n").entries()) {
      const stated = RULE.exec(line);
      if (stated !== null) rules.push({ rule: `${stated[1]}.${stated[2]}`, text: stated[3], path, line: index + 1 });
      for (const [, name, first, last = first] of (stated?.[3] ?? line).matchAll(CITATION)) {
        for (let number = Number(first); number <= Number(last); number++) {
          citations.push({ rule: `${name}.${number}`, path, line: index + 1 });
        }
      }
    }
  }
  return { rules, citations };
}

/** What is wrong, one line each. */
export function violationsIn(texts, excused = EXCUSED) {
  const { rules, citations } = contractsIn(texts);
  const stated = new Map();
  const violations = [];
  for (const { rule, path, line } of rules) {
    const place = `${path}:${line}`;
    if (stated.has(rule)) violations.push(`${place}: ${rule} is stated already in ${stated.get(rule)}`);
    stated.set(rule, place);
    const own = basename(path).replace(/(\.test)?\.\w+$/, "");
    if (!rule.startsWith(`${own}.`)) violations.push(`${place}: ${rule} is not named after its file, ${own}`);
  }
  for (const { rule, path, line } of citations) {
    if (!stated.has(rule)) violations.push(`${path}:${line}: no rule ${rule} is stated`);
  }
  const tested = new Set(citations.filter(({ path }) => isTest(path)).map(({ rule }) => rule));
  for (const [rule, place] of stated) {
    if (!tested.has(rule) && !excused.has(rule)) violations.push(`${place}: no test cites ${rule}`);
  }
  for (const rule of excused.keys()) {
    if (!stated.has(rule)) violations.push(`EXCUSED names ${rule}, which is not stated`);
    else if (tested.has(rule)) violations.push(`EXCUSED names ${rule}, which a test cites`);
  }
  return violations;
}

function isTest(path) {
  return /(^|\/)test\//.test(path) || path.endsWith(".test.ts");
}

if (import.meta.filename === process.argv[1]) {
  const [wanted] = process.argv.slice(2);
  for (const { rule, text, path, line } of contractsIn(sources()).rules) {
    if (wanted === undefined || rule.startsWith(`${wanted}.`)) console.log(`${rule}  ${text}  (${path}:${line})`);
  }
  for (const violation of violationsIn(sources())) console.error(violation);
}
