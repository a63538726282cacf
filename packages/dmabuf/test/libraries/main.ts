/** `npm run libraries`: runs the programs of `libraries/`, and writes what they say into docs/which-domain.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { DOCUMENT, runProgram, whyNot } from "./programs.js";
import { PROGRAM_HEAD, programRow, PROGRAMS, tableOf, withTable } from "./tables.js";

const rows: string[] = [];
for (const [name, program] of Object.entries(PROGRAMS)) {
  const missing = whyNot(program.needs);
  if (missing.length > 0) throw new Error(`libraries/${name} cannot run here without ${missing.join(", ")}`);
  const said = await runProgram(name);
  if (said.status !== 0) throw new Error(`libraries/${name} has failed: ${said.stderr}`);
  console.log(`${name}\n${said.stdout}`);
  rows.push(programRow(name, program, said));
}
const document = readFileSync(DOCUMENT, "utf8");
writeFileSync(DOCUMENT, withTable(document, "programs", tableOf(PROGRAM_HEAD, rows)));
