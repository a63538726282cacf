/**
 * A reporter of Node's test runner that `scripts/test.mjs` has beside the usual one: the tests of a group that have failed,
 * so that the end of a long run tells them again. Each line is JSON: what a failure is `told` as, or the `file` of an outermost test
 * that has failed.
 */
import { relative } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";

/** How much is told of a failure. */
const LINES = 24;

export default async function* failures(events) {
  /** The last lines that each file has written to its standard error. */
  const written = new Map();
  /** The names of the tests that are reported, from the outermost one: one after the other, also where several run at once. */
  let names = [];
  for await (const { type, data } of events) {
    if (type === "test:stderr") {
      written.set(data.file, [...(written.get(data.file) ?? []), ...linesOf(data.message)].slice(-LINES));
    } else if (type === "test:start") {
      names = [...names.slice(0, data.nesting), data.name];
    } else if (type === "test:fail" && isCause(data.details.error)) {
      const title = [...names.slice(0, data.nesting), data.name].join(" > ");
      // What a file that has failed as a whole has said is all that there is.
      const said = data.details.error.exitCode === undefined ? [] : (written.get(data.file) ?? []);
      const told = [`✖ ${fileOf(data)}: ${title}`, ...[...describe(data.details.error), ...said].map(indent), ""].join(
        "\n",
      );
      yield `${JSON.stringify({ told })}\n`;
    }
    // Another module may have declared what is inside a test of the file.
    if (type === "test:fail" && data.nesting === 0) yield `${JSON.stringify({ file: fileOf(data) })}\n`;
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
