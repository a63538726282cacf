/** The table of the book, as README.md has it. */
import { BOOK } from "./book.js";
import type { Case, Source } from "./case.js";

const HEAD = ["| id | mistake | what is said | published as |", "|---|---|---|---|"];
/** Where a commit of a project can be looked at. */
const COMMITS = {
  Linux: "https://git.kernel.org/torvalds/c/",
  Mesa: "https://gitlab.freedesktop.org/mesa/mesa/-/commit/",
};

export function table(): string {
  return [...HEAD, ...BOOK.map(row), ""].join("\n");
}

function row({ id, mistake, code, source }: Case): string {
  return `| \`${id}\` | ${mistake} | \`${code}\` | ${source === undefined ? "" : cite(source)} |`;
}

function cite({ project, title, where }: Source): string {
  return `${project}: [${title.replace(/[[\]|]/g, "\\$&")}](${addressOf({ project, title, where })})`;
}

export function addressOf({ project, where }: Source): string {
  if (where.startsWith("https://")) return where;
  const commits = Object.entries(COMMITS).find(([name]) => project.startsWith(name))![1];
  return `${commits}${where.slice(0, 12)}`;
}
