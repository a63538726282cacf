/** `npm run libraries`: runs the programs of `libraries/`, and writes what they say into docs/which-domain.md. */
import { ENGINES } from "dmabuf-browsers";
import { readFileSync, writeFileSync } from "node:fs";
import { DOCUMENT, runProgram, whyNot, type Needs, type Said } from "./programs.js";
import {
  BROWSER_HEAD,
  BROWSER_INTERFACES,
  browserTrial,
  engineColumn,
  INTERFACES,
  INTERFACES_HEAD,
  nodeColumn,
  PROGRAM_HEAD,
  programRow,
  PROGRAMS,
  rowsIn,
  rowsWith,
  tableOf,
  withTable,
  type Trial,
} from "./tables.js";

const rows: string[] = [];
for (const [name, program] of Object.entries(PROGRAMS)) rows.push(programRow(name, program, await run(name, program)));
const column = nodeColumn();
if (column === undefined) throw new Error(`The document has no column for Node.js ${process.versions.node}`);
const document = readFileSync(DOCUMENT, "utf8");
const interfaces = rowsWith(
  column,
  rowsIn(document, "interfaces"),
  INTERFACES_HEAD,
  await run(INTERFACES.name, INTERFACES),
);
let browsers = rowsIn(document, "browsers");
for (const engine of ENGINES) {
  const said = await run(`${BROWSER_INTERFACES} ${engine}`, browserTrial(engine));
  browsers = rowsWith(engineColumn(engine), browsers, BROWSER_HEAD, said);
}
const tables = {
  programs: tableOf(PROGRAM_HEAD, rows),
  interfaces: tableOf(INTERFACES_HEAD, interfaces),
  browsers: tableOf(BROWSER_HEAD, browsers),
};
writeFileSync(
  DOCUMENT,
  Object.entries(tables).reduce((text, [name, table]) => withTable(text, name, table), document),
);

async function run(
  title: string,
  { needs, name = title, args = [] }: Partial<Trial> & { needs: Needs },
): Promise<Said> {
  const missing = whyNot(needs);
  if (missing.length > 0) throw new Error(`libraries/${title} cannot run here without ${missing.join(", ")}`);
  const said = await runProgram(name, args);
  if (said.status !== 0) throw new Error(`libraries/${title} has failed: ${said.stderr}`);
  console.log(`${title}\n${said.stdout}`);
  return said;
}
