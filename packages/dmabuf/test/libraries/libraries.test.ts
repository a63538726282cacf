/** Programs with the libraries that people use beside dmabuf: they run, copy what they say, and the document tells of it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { DOCUMENT, runProgram, whyNot } from "./programs.js";
import { copiesOf, linesOf, programRow, PROGRAMS, sum, tableIn } from "./tables.js";

const written = tableIn(readFileSync(DOCUMENT, "utf8"), "programs").split("\n");

describe("with the libraries that people use", { concurrency: 2 }, () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    const { needs, says, agents, copied } = program;
    // Where everything is tested, what is missing is a failure.
    const why = whyNot(needs);
    const skip = why.length > 0 && process.env["CI"] !== "true" ? `not here: ${why.join(", ")}` : false;

    test(`libraries/${name} says what it must, and copies ${copied} bytes`, { skip, timeout: 90_000 }, async () => {
      assert.deepEqual(why, []);
      const said = await runProgram(name);
      assert.equal(said.stderr, "");
      assert.equal(said.status, 0);
      assert.deepEqual(linesOf(said), says);
      const copies = copiesOf(said);
      assert.deepEqual([copies.length, sum(copies)], [agents, copied]);
      assert.ok(written.includes(programRow(name, program, said)), "docs/which-domain.md is old: npm run libraries");
    });
  }
});

test("each program of libraries/ is run, and is in the document", () => {
  const folder = join(dirname(DOCUMENT), "../libraries");
  const programs = readdirSync(folder).filter((name) => name.endsWith(".mjs"));
  assert.deepEqual(programs.sort(), Object.keys(PROGRAMS).sort());
  assert.equal(written.length, programs.length + 2);
});
