/**
 * A reporter of Node's test runner that `scripts/test.mjs` has beside the usual one: the tests of a group that have failed,
 * each with its error, so that the end of a long run tells them again.
 */
import { relative } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";

/** How much is told of a failure. */
const LINES = 24;

export default async function* failures(events) {
  /** The last lines that each file has written to its standard error. */
  const written = new Map();
  /** The names of the tests that are running, from the outermost one. */
  const names = new Map();
  for await (const { type, data } of events) {
    if (type === "test:stderr") {
      written.set(data.file, [...(written.get(data.file) ?? []), ...linesOf(data.message)].slice(-LINES));
    } else if (type === "test:start") {
      names.set(data.file, [...(names.get(data.file) ?? []).slice(0, data.nesting), data.name]);
    } else if (type === "test:fail" && isCause(data.details.error)) {
      const title = [...(names.get(data.file) ?? []).slice(0, data.nesting), data.name].join(" > ");
      // What a file that has failed as a whole has said is all that there is.
      const said = data.details.error.exitCode === undefined ? [] : (written.get(data.file) ?? []);
      yield [`✖ ${fileOf(data)}: ${title}`, ...[...describe(data.details.error), ...said].map(indent), ""].join("\n");
    }
  }
}

/** Whether the test itself has failed, not one inside it. */
function isCause({ failureType }) {
  return failureType !== "subtestsFailed";
}

function fileOf({ file }) {
  return file === undefined ? "no file" : relative(process.cwd(), file);
}

function describe(error) {
  const { cause } = error;
  return linesOf(String(cause?.stack ?? cause ?? error.message)).slice(0, LINES);
}

function linesOf(text) {
  return stripVTControlCharacters(text)
    .split("\n")
    .filter((line) => line.trim() !== "");
}

function indent(line) {
  return `    ${line}`;
}
