/** What Node.js runs inside the lab: the suites that are named, in one process, since its start is slow there. */
import { pathToFileURL } from "node:url";
import "./failing.js";

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href);
