/** Programs with the libraries that people use beside dmabuf: they run, copy what they say, and the document tells of it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { ENGINES } from "dmabuf-browsers";
import { DOCUMENT, runProgram, whyNot, type Needs } from "./programs.js";
import {
  BROWSER_HEAD,
  BROWSER_INTERFACES,
  browserTrial,
  engineColumn,
  copiesOf,
  INTERFACES,
  INTERFACES_HEAD,
  linesOf,
  nodeColumn,
  programRow,
  PROGRAMS,
  rowsIn,
  rowsWith,
  sum,
  type Trial,
} from "./tables.js";

const OLD = "docs/which-domain.md is old: npm run libraries";
const document = readFileSync(DOCUMENT, "utf8");
const programRows = rowsIn(document, "programs");

describe("with the libraries that people use", { concurrency: 2 }, () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    const { needs, says, agents, copied } = program;
    test(`libraries/${name} says what it must, and copies ${copied} bytes`, options(needs), async () => {
      assert.deepEqual(whyNot(needs), []);
      const said = await runProgram(name);
      assert.equal(said.stderr, "");
      assert.equal(said.status, 0);
      assert.deepEqual(linesOf(said), says);
      const copies = copiesOf(said);
      assert.deepEqual([copies.length, sum(copies)], [agents, copied]);
      assert.ok(programRows.includes(programRow(name, program, said)), OLD);
    });
  }

  test("interfaces take the bytes of the domains that the document says", options(INTERFACES.needs), async (t) => {
    const column = nodeColumn();
    if (column === undefined) t.diagnostic(`the document has no column for Node.js ${process.versions.node}`);
    else await compare("interfaces", column, INTERFACES_HEAD, INTERFACES);
  });

  for (const engine of ENGINES) {
    const trial = browserTrial(engine);
    test(`${engine} takes the bytes that the document says`, options(trial.needs), async () => {
      await compare("browsers", engineColumn(engine), BROWSER_HEAD, trial);
    });
  }
});

/** Tries what a table says. */
async function compare(
  table: string,
  column: number,
  head: readonly string[],
  { name, args, needs }: Trial,
): Promise<void> {
  assert.deepEqual(whyNot(needs), []);
  const said = await runProgram(name, args);
  assert.equal(said.stderr, "");
  assert.equal(said.status, 0);
  const written = rowsIn(document, table);
  assert.deepEqual(written, rowsWith(column, written, head, said), OLD);
}

test("each program of libraries/ is run, and is in the document", () => {
  const programs = readdirSync(join(dirname(DOCUMENT), "../libraries")).filter((name) => name.endsWith(".mjs"));
  assert.deepEqual(programs.sort(), [BROWSER_INTERFACES, INTERFACES.name, ...Object.keys(PROGRAMS)].sort());
  assert.equal(programRows.length, Object.keys(PROGRAMS).length);
});

/** Where everything is tested, what is missing is a failure. */
function options(needs: Needs): { readonly skip: string | false; readonly timeout: number } {
  const why = whyNot(needs);
  const isSkipped = why.length > 0 && process.env["CI"] !== "true";
  return { skip: isSkipped && `not here: ${why.join(", ")}`, timeout: 150_000 };
}
