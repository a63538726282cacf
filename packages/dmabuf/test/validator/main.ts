/** `node packages/dmabuf/dist/test/validator/main.js` writes the table of README.md anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { table } from "./table.js";

const README = new URL("../../../test/validator/README.md", import.meta.url);
const text = readFileSync(README, "utf8");
writeFileSync(README, `${text.slice(0, text.indexOf("| id |"))}${table()}`);
