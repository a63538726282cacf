/** `npm run libraries`: runs the programs of `libraries/`, and writes what they say into docs/which-domain.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { DOCUMENT, runProgram, whyNot, type Needs, type Said } from "./programs.js";
import {
  interfaceRows,
  INTERFACES,
  INTERFACES_HEAD,
  PROGRAM_HEAD,
  programRow,
  PROGRAMS,
  rowsIn,
  tableOf,
  withTable,
} from "./tables.js";

const rows: string[] = [];
for (const [name, program] of Object.entries(PROGRAMS)) rows.push(programRow(name, program, await run(name, program)));
const programs = tableOf(PROGRAM_HEAD, rows);
const said = await run(INTERFACES.name, INTERFACES);
const document = withTable(readFileSync(DOCUMENT, "utf8"), "programs", programs);
const found = interfaceRows(rowsIn(document, "interfaces"), said);
if (found === undefined) throw new Error(`The document has no column for Node.js ${process.versions.node}`);
const interfaces = tableOf(INTERFACES_HEAD, found);
writeFileSync(DOCUMENT, withTable(document, "interfaces", interfaces));

async function run(name: string, { needs }: { readonly needs: Needs }): Promise<Said> {
  const missing = whyNot(needs);
  if (missing.length > 0) throw new Error(`libraries/${name} cannot run here without ${missing.join(", ")}`);
  const said = await runProgram(name);
  if (said.status !== 0) throw new Error(`libraries/${name} has failed: ${said.stderr}`);
  console.log(`${name}\n${said.stdout}`);
  return said;
}
