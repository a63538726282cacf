import { sourceOf, versionOf, type Needs, type Said } from "./programs.js";

/** One program, and all that it says. */
export interface Program {
  readonly needs: Needs;
  /** Its lines but those of copies, in order. */
  readonly says: readonly string[];
  /** How many threads or processes of it count their copies. */
  readonly agents: number;
  /** Bytes that are copied by the library, by all of them. */
  readonly copied: number;
}

/** By file. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  "sharp.mjs": {
    needs: { packages: ["sharp"] },
    says: Array.from({ length: 10 }, (_, n) => `picture ${n} has brightness ${20 * n + 20}`),
    agents: 2,
    copied: 0,
  },
  "duckdb.mjs": {
    needs: { packages: ["@duckdb/node-api"], processes: true },
    says: ["orders and their prices: 100000n 4950000n"],
    agents: 2,
    copied: 0,
  },
  "ffmpeg.mjs": {
    needs: { commands: ["ffmpeg"], processes: true },
    says: ["ffmpeg has ended with 0 and made 3072 bytes of brightness 157"],
    agents: 1,
    copied: 0,
  },
};

const COPIES = /(\d+) bytes were copied$/;
const HANDED_OVER = /(\d+) (frames?|buffers?) of (\d+) bytes/;

/** The lines of a program that say nothing of copies. */
export function linesOf({ stdout }: Said): string[] {
  return stdout.split("\n").filter((line) => line !== "" && !COPIES.test(line));
}

/** What each agent of a program has copied. */
export function copiesOf({ stdout }: Said): number[] {
  return stdout
    .split("\n")
    .flatMap((line) => COPIES.exec(line)?.[1] ?? [])
    .map(Number);
}

export const PROGRAM_HEAD = ["program", "what it shows", "domain", "handed over", "bytes copied"];

/** A program's row of the table in the document. */
export function programRow(name: string, { needs: { packages = [] } }: Program, said: Said): string {
  const source = sourceOf(name);
  const title = /^\/\/ (.*): node /.exec(source)?.[1] ?? "?";
  const domain = /\b((?:Process)?Domain)\.(?:create|listen)\(/.exec(source)?.[1] ?? "?";
  const [, count, unit, bytes] = HANDED_OVER.exec(said.stdout) ?? [];
  const versions = packages.map((each) => `${each} ${versionOf(each)}`).join(", ");
  const tried = versions === "" ? "" : ` (${versions})`;
  return row([
    `[${name}](../libraries/${name})${tried}`,
    title,
    `\`${domain}\``,
    `${count} ${unit} of ${Number(bytes).toLocaleString("en")} bytes`,
    sum(copiesOf(said)).toLocaleString("en"),
  ]);
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** A table of Markdown. */
export function tableOf(head: readonly string[], rows: readonly string[]): string {
  return [row(head), `|${"---|".repeat(head.length)}`, ...rows].join("\n");
}

/** The text of a document between the two comments that name a table. */
export function tableIn(document: string, name: string): string {
  return document.slice(...placeOf(document, name)).trim();
}

export function withTable(document: string, name: string, table: string): string {
  const [start, end] = placeOf(document, name);
  return `${document.slice(0, start)}\n\n${table}\n\n${document.slice(end)}`;
}

function placeOf(document: string, name: string): [start: number, end: number] {
  const [begin, stop] = [`<!-- ${name}: npm run libraries writes this -->`, `<!-- end of ${name} -->`];
  const [at, end] = [document.indexOf(begin), document.indexOf(stop)];
  if (at < 0 || end < at) throw new Error(`The document has no place for the table "${name}"`);
  return [at + begin.length, end];
}
