/** Programs with the libraries that people use beside dmabuf: they run, copy what they say, and the document tells of it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { DOCUMENT, runProgram, whyNot, type Needs } from "./programs.js";
import { copiesOf, interfaceRows, INTERFACES, linesOf, programRow, PROGRAMS, rowsIn, sum } from "./tables.js";

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
    assert.deepEqual(whyNot(INTERFACES.needs), []);
    const said = await runProgram(INTERFACES.name);
    assert.equal(said.stderr, "");
    assert.equal(said.status, 0);
    const written = rowsIn(document, "interfaces");
    const rows = interfaceRows(written, said);
    if (rows === undefined) t.diagnostic(`the document has no column for Node.js ${process.versions.node}`);
    else assert.deepEqual(written, rows, OLD);
    assert.ok(!written.some((row) => row.includes("?")), "there is a column that was never made");
  });
});

test("each program of libraries/ is run, and is in the document", () => {
  const programs = readdirSync(join(dirname(DOCUMENT), "../libraries")).filter((name) => name.endsWith(".mjs"));
  assert.deepEqual(programs.sort(), [INTERFACES.name, ...Object.keys(PROGRAMS)].sort());
  assert.equal(programRows.length, Object.keys(PROGRAMS).length);
});

/** Where everything is tested, what is missing is a failure. */
function options(needs: Needs): { readonly skip: string | false; readonly timeout: number } {
  const why = whyNot(needs);
  const isSkipped = why.length > 0 && process.env["CI"] !== "true";
  return { skip: isSkipped && `not here: ${why.join(", ")}`, timeout: 90_000 };
}
