import { ENGINES, type EngineName } from "dmabuf-browsers";
import { sourceOf, versionOf, type Needs, type Said } from "./programs.js";

/** One program, and all that it says. */
export interface Program {
  readonly needs: Needs;
  /** What makes its domain, if that is a page's script. */
  readonly page?: string;
  /** Its lines but those of copies, in order. */
  readonly says: readonly string[];
  /** How many threads or processes of it count their copies. */
  readonly agents: number;
  /** Bytes that are copied by the library, by all of them. */
  readonly copied: number;
}

/** A program that tries what a column of a table says. */
export interface Trial {
  readonly name: string;
  readonly args?: readonly string[];
  readonly needs: Needs;
}

/** By file. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  "sharp.mjs": {
    needs: { packages: ["sharp"] },
    says: Array.from({ length: 10 }, (_, n) => `picture ${n} has brightness ${20 * n + 20}`),
    agents: 2,
    copied: 0,
  },
  "onnx.mjs": {
    needs: { packages: ["onnxruntime-node"], processes: true },
    says: Array.from({ length: 5 }, (_, n) => `tensor ${n} has the mean colour ${n + 1} ${n + 2} ${n + 3}`),
    agents: 2,
    copied: 0,
  },
  "arrow.mjs": {
    needs: { packages: ["apache-arrow"] },
    says: [1000, 20_000, 100_000].map((rows) => `${rows} prices in place have the mean ${(rows - 1) / 8}`),
    agents: 2,
    // What the producer copies out of Arrow's memory: the numbers, and what says for each batch what they are.
    copied: 8 * 121_000 + 3 * 288,
  },
  "duckdb.mjs": {
    needs: { packages: ["@duckdb/node-api"], processes: true },
    says: ["orders and their prices: 100000n 4950000n"],
    agents: 2,
    copied: 0,
  },
  "piscina.mjs": {
    needs: { packages: ["piscina"], processes: true },
    says: Array.from({ length: 6 }, (_, n) => `numbers ${n} are ${2 * n + 2}`),
    agents: 2,
    copied: 0,
  },
  "fastify.mjs": {
    needs: { packages: ["fastify"], processes: true },
    says: ["20 of 20 answers at the same time are right"],
    agents: 2,
    copied: 0,
  },
  "canvas.mjs": {
    needs: { packages: ["@napi-rs/canvas"], processes: true },
    says: ["128, 0, 0", "0, 128, 0", "0, 0, 128"].map((colour, n) => `picture ${n} has [ ${colour}, 255 ] true`),
    agents: 2,
    // What the producer copies out of the canvas.
    copied: 3 * 640 * 480 * 4,
  },
  "ffmpeg.mjs": {
    needs: { commands: ["ffmpeg"], processes: true },
    says: ["ffmpeg has ended with 0 and made 3072 bytes of brightness 157"],
    agents: 1,
    copied: 0,
  },
  "webassembly.mjs": {
    needs: {},
    says: ["frames are in place", ...[0, 1, 2, 3, 4].map((n) => `frame ${n} has the mean ${10 * n + 10}`)],
    agents: 2,
    copied: 0,
  },
  "browser.mjs": {
    needs: { packages: ["esbuild", "playwright-core"], engine: "chromium" },
    page: "browser/page.js",
    says: ["255 0 0", "0 255 0", "0 0 255"].map((colour, n) => `picture ${n} has ${colour} 255`),
    agents: 2,
    copied: 0,
  },
  "onnx-web.mjs": {
    needs: { packages: ["esbuild", "onnxruntime-web", "playwright-core"], engine: "chromium" },
    page: "browser/inference.js",
    says: [1, 3, 7].map((edges, n) => `picture ${n} has ${edges} edges in a row`),
    agents: 2,
    // What onnxruntime copies into the memory of its own module.
    copied: 3 * 640 * 480 * 4,
  },
};

/** Tries interfaces, with the bytes of a domain of threads, and of one of processes. */
export const INTERFACES = {
  name: "interfaces.mjs",
  needs: {
    packages: ["@duckdb/node-api", "@napi-rs/canvas", "apache-arrow", "fastify", "onnxruntime-node", "sharp", "ws"],
    processes: true,
  },
} as const;

/** The versions of Node.js in which they were tried: shared memory is not taken by the same interfaces in all of them. */
const MAJORS = ["20", "24", "26"];

export const INTERFACES_HEAD = [
  "interface",
  ...MAJORS.map((major) => `\`Domain\`, Node.js ${major}`),
  "`ProcessDomain`",
];

/** Tries interfaces of a browser's engine, which it is told. */
export const BROWSER_INTERFACES = "browser-interfaces.mjs";

export function browserTrial(engine: EngineName): Trial {
  return {
    name: BROWSER_INTERFACES,
    args: [engine],
    needs: { packages: ["esbuild", "playwright-core", "ws"], engine },
  };
}

export const BROWSER_HEAD = ["interface", "Chromium", "Firefox", "WebKit"];

/** The column of an engine. */
export function engineColumn(engine: EngineName): number {
  return 1 + ENGINES.indexOf(engine);
}

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
export function programRow(name: string, { needs: { packages = [] }, page }: Program, said: Said): string {
  const source = sourceOf(name) + (page === undefined ? "" : sourceOf(page));
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

/** The version of Node.js here as the table of interfaces has it: a column, or none. */
export function nodeColumn(): number | undefined {
  const at = MAJORS.indexOf(process.versions.node.split(".")[0]!);
  return at < 0 ? undefined : at + 1;
}

/** Rows as a program makes them that has tried one column: its cells are new, those of other columns are as they were written. */
export function rowsWith(column: number, written: readonly string[], head: readonly string[], said: Said): string[] {
  return linesOf(said).map((line) => {
    const [name, verdict, ...others] = cellsOf(line);
    const before = written.map(cellsOf).find(([other]) => other === name) ?? [];
    const cells = head.map((_, at) => (at === column ? verdict! : (before[at] ?? "not tried")));
    // What is the same in all versions is at the end.
    cells.splice(cells.length - others.length, others.length, ...others);
    cells[0] = name!;
    return row(cells);
  });
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
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

/** The rows of a table of a document, without its head. It is between two comments that name it. */
export function rowsIn(document: string, name: string): string[] {
  return document
    .slice(...placeOf(document, name))
    .trim()
    .split("\n")
    .slice(2);
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
