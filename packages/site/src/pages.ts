/**
 * Which page of the site shows which file of the repository. The documents are pages, and so is each file that one of them
 * leads to, and each folder: a reader needs no checkout, and no address of one.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { extname, join, posix } from "node:path";
import type { MarkdownRenderer } from "vitepress";

/** The root of the repository. */
export const REPOSITORY: string = join(import.meta.dirname, "../../../..");
/** The package itself. */
export const HOME: string = join(import.meta.dirname, "../..");
/** Where the pages are put together. Not edited, and not in git. */
export const PAGES: string = join(HOME, "dist/pages");

/** Documents outside of `docs/`, and their pages. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  "README.md": "readme.md",
  "ARCHITECTURE.md": "architecture.md",
  "CONTRIBUTING.md": "contributing.md",
  "CHANGELOG.md": "changelog.md",
};

/** Other files have pages below this folder. */
const FILES = "files/";

/** `first-pipeline.md` of `docs/first-pipeline.md`, and `files/libraries/onnx.mjs.md` of `libraries/onnx.mjs`. */
export function pageOf(source: string): string {
  const document = DOCUMENTS[source];
  if (document !== undefined) return document;
  if (source.startsWith("docs/") && source.endsWith(".md")) return source.slice("docs/".length);
  if (isFolder(source)) return `${FILES}${source}/index.md`;
  return source.endsWith(".md") ? FILES + source : `${FILES}${source}.md`;
}

/** The file that a page was made of, as far as its links are concerned: a folder's page has links as a file in it would. */
export function sourceOf(page: string): string {
  if (page.startsWith(FILES)) return page.slice(FILES.length);
  const document = Object.entries(DOCUMENTS).find(([, of]) => of === page);
  return document === undefined ? `docs/${page}` : document[0];
}

/**
 * Where a link in a page leads on the site. The source has links between files of the repository; those to other places are
 * left as they are.
 */
export function linkFrom(page: string, href: string): string {
  if (page.startsWith("reference/") || !isRelative(href)) return href;
  const { target, anchor } = targetOf(sourceOf(page), href);
  return existsSync(join(REPOSITORY, target)) ? posix.relative(posix.dirname(page), pageOf(target)) + anchor : href;
}

/** The documents that are read from the first page on, by their paths in the repository. */
export function documents(): string[] {
  const docs = readdirSync(join(REPOSITORY, "docs"), { recursive: true, encoding: "utf8" });
  return [
    ...Object.keys(DOCUMENTS),
    ...docs.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ].sort();
}

/** The title of a page: its first heading. */
export function titleOf(page: string): string {
  const text = readFileSync(join(PAGES, page), "utf8");
  return /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? page;
}

/** Writes a page for each document, and for all that they lead to. */
export function writePages(markdown: MarkdownRenderer): void {
  rmSync(PAGES, { recursive: true, force: true });
  cpSync(join(HOME, "pages"), PAGES, { recursive: true });
  const found = new Set(documents());
  // A set gives what is added while it is read, too.
  for (const source of found) {
    const page = pageOf(source);
    const text = textOf(source);
    mkdirSync(join(PAGES, posix.dirname(page)), { recursive: true });
    writeFileSync(join(PAGES, page), text);
    for (const href of linksIn(markdown, text)) {
      const { target } = targetOf(sourceOf(page), href);
      if (existsSync(join(REPOSITORY, target))) found.add(target);
    }
  }
}

/** The text of a file's or a folder's page. */
function textOf(source: string): string {
  if (isFolder(source)) {
    const names = readdirSync(join(REPOSITORY, source)).filter((name) => !/^(node_modules|dist|\..*)$/.test(name));
    return `# ${source}\n\n${names.map((name) => `- [${name}](${name})`).join("\n")}\n`;
  }
  const text = readFileSync(join(REPOSITORY, source), "utf8");
  if (source.endsWith(".md")) return text;
  return `# ${source}\n\n\`\`\`\`${extname(source).slice(1)}\n${text}\`\`\`\`\n`;
}

/** The relative links of a page. */
function linksIn(markdown: MarkdownRenderer, text: string): string[] {
  const tokens = markdown.parse(text, {}).flatMap(({ children }) => children ?? []);
  return tokens
    .flatMap((token) => (token.type === "link_open" ? (token.attrGet("href") ?? []) : []))
    .filter(isRelative);
}

function isRelative(href: string): boolean {
  return !/^([a-z][a-z+.-]*:|#|\/)/i.test(href);
}

/** The file that a link leads to, and the place in it. */
function targetOf(source: string, href: string): { target: string; anchor: string } {
  const [path = "", anchor] = href.split("#");
  const target = posix.join(posix.dirname(source), decodeURI(path)).replace(/\/$/, "");
  return { target, anchor: anchor === undefined ? "" : `#${anchor}` };
}

function isFolder(source: string): boolean {
  return statSync(join(REPOSITORY, source), { throwIfNoEntry: false })?.isDirectory() === true;
}
