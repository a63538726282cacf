import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { isServedModule } from "./server.js";

/** The folders of suites: those that Node.js runs too, and those that only a browser can run. */
const FOLDERS = [
  { folder: "src", ending: ".test.ts" },
  { folder: "test/conformance", ending: ".test.ts" },
  { folder: "test/browser/suites", ending: ".suite.ts" },
];

/** Several hosts: of Node.js also where a file imports nothing of it. */
const HOSTS = join("dist", "src", "hosts", "/");

/** The suites that can run in a browser, and those that cannot with the import that stops them. */
export interface Suites {
  /** Compiled files, relative to the project: `dist/src/errors.test.js`. */
  readonly found: readonly string[];
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

/** Looks for suites that import, themselves and through what they import, nothing that a browser lacks. */
export function findSuites(root: string): Suites {
  const found: string[] = [];
  const skipped: { file: string; reason: string }[] = [];
  for (const source of FOLDERS.flatMap((place) => list(root, place))) {
    const file = join("dist", source.replace(/\.ts$/, ".js"));
    const reason = file.startsWith(HOSTS) ? "hosts are of Node.js" : obstacle(root, file, new Set());
    if (reason === undefined) found.push(file);
    else skipped.push({ file, reason });
  }
  return { found, skipped };
}

/** The sources say which suites there are: a compiled file may be older than its source's end. */
function list(root: string, { folder, ending }: { folder: string; ending: string }): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { recursive: true, encoding: "utf8" });
  return entries
    .filter((entry) => entry.endsWith(ending))
    .sort()
    .map((entry) => join(folder, entry));
}

/** Why a browser cannot load the module; `undefined` if it can. */
function obstacle(root: string, file: string, seen: Set<string>): string | undefined {
  if (seen.has(file)) return undefined;
  seen.add(file);
  for (const { fileName: name } of ts.preProcessFile(readFileSync(join(root, file), "utf8")).importedFiles) {
    if (isServedModule(name)) continue;
    if (!name.startsWith(".")) return `${file} imports ${name}`;
    const reason = obstacle(root, relative(root, join(root, dirname(file), name)), seen);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
