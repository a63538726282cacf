/** How VitePress makes the site of the pages. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NavigationItem } from "typedoc-plugin-markdown";
import type { DefaultTheme, MarkdownRenderer, UserConfig } from "vitepress";
import { HOME, linkFrom, PAGES, titleOf } from "./pages.js";

/** The order in which a newcomer reads. Guides that are not listed come after those that are. */
const START = ["two-processes.md", "in-the-browser.md", "first-pipeline.md", "asynchronous-work.md"];
const GUIDES = [
  "processes.md",
  "hosts.md",
  "other-languages.md",
  "protocol.md",
  "devices.md",
  "browsers.md",
  "modules.md",
  "which-domain.md",
  "webassembly.md",
  "user-fences.md",
  "long-running.md",
  "page-faults.md",
  "explain.md",
  "tracing.md",
  "validator.md",
  "observing.md",
  "command-line.md",
  "inspector.md",
];
const LOOK_UP = ["limits.md", "glossary.md", "changelog.md"];
const PROJECT = ["readme.md", "architecture.md", "contributing.md"];

/** What VitePress is told, once the pages have been written. */
export function siteConfig(): UserConfig<DefaultTheme.Config> {
  return {
    srcDir: PAGES,
    outDir: join(HOME, "dist/site"),
    cacheDir: join(HOME, "dist/cache"),
    lang: "en",
    title: "dmabuf",
    description: "Large buffers that workers, processes and devices use at once without a copy",
    // The icon is data, so that no request is made for one.
    head: [["link", { rel: "icon", href: ICON }]],
    router: { prefetchLinks: false },
    // What all pages share is in one file, not in each of them.
    metaChunk: true,
    markdown: {
      theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
      languageAlias: { mjs: "js", cjs: "js", mts: "ts", cts: "ts" },
      anchor: { slugify: slugOf },
      config: (markdown) => leadLinks(markdown),
    },
    // Pages with all of the search's words are large.
    vite: { build: { chunkSizeWarningLimit: 10_000 }, logLevel: "warn" },
    themeConfig: {
      nav: [
        {
          text: "Start",
          link: "/two-processes",
          activeMatch: "^/(two-processes|in-the-browser|first-pipeline|asynchronous-work)",
        },
        { text: "Guides", link: "/processes" },
        { text: "Design", link: "/architecture", activeMatch: "^/(design/|architecture)" },
        { text: "Reference", link: "/reference/", activeMatch: "^/reference/" },
      ],
      sidebar: { ...referenceSidebars(), "/": guidesSidebar() },
      outline: { level: [2, 3], label: "On this page" },
      search: { provider: "local", options: { _render: textOf } },
      externalLinkIcon: true,
    },
  };
}

/** A page for the search. Its code has no colours: they are a good part of the work. */
const textOf: NonNullable<DefaultTheme.LocalSearchOptions["_render"]> = (source, env, markdown) => {
  const { highlight } = markdown.options;
  markdown.options.highlight = null;
  try {
    return markdown.render(source, env);
  } finally {
    markdown.options.highlight = highlight ?? null;
  }
};

/** GitHub's own rule, so that a link to a heading is right on both. */
function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** Links of documents lead to files of the repository: on the site, to their pages. */
function leadLinks(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push("pages-of-files", ({ tokens, env }) => {
    const page = (env as { relativePath?: string }).relativePath;
    if (page === undefined) return;
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === "link_open") token.attrSet("href", linkFrom(page, token.attrGet("href") ?? ""));
    }
  });
}

function guidesSidebar(): DefaultTheme.SidebarItem[] {
  // There are pictures where a browser could take them.
  const pictures = existsSync(join(PAGES, "pictures.md")) ? ["pictures.md"] : [];
  const listed = [...pictures, ...START, ...GUIDES, ...LOOK_UP, ...PROJECT, "index.md"];
  const others = pagesIn("").filter((page) => !listed.includes(page));
  return [
    { text: "Start", items: START.map(itemOf) },
    { text: "Guides", items: [...GUIDES, ...others, ...pictures].map(itemOf) },
    { text: "Look up", items: [...LOOK_UP.map(itemOf), { text: "Reference", link: "/reference/" }] },
    { text: "Design", items: pagesIn("design/").map(itemOf) },
    { text: "The project", items: PROJECT.map(itemOf) },
  ];
}

/** For the pages of each entry of the library: its classes, functions and types, and the way to the other entries. */
function referenceSidebars(): DefaultTheme.SidebarMulti {
  const path = join(PAGES, "reference.json");
  if (!existsSync(path)) return {};
  const entries = JSON.parse(readFileSync(path, "utf8")) as NavigationItem[];
  const items = (nodes: readonly NavigationItem[]): DefaultTheme.SidebarItem[] =>
    nodes.map(({ title, path, children }) => ({
      text: title,
      ...(path ? { link: addressOf(path) } : {}),
      ...(children === undefined ? {} : { items: items(children) }),
    }));
  const others = entries.map(({ title, path }) => ({ text: title, link: addressOf(path ?? "") }));
  const sidebarOf = ({ title, children = [] }: NavigationItem): DefaultTheme.SidebarItem[] => [
    { text: "Entries", items: others },
    ...items(children).map((item) => ({ ...item, text: `${item.text ?? ""} of ${title}` })),
  ];
  const sidebars = entries.map((entry) => [addressOf(entry.path ?? ""), sidebarOf(entry)] as const);
  return { ...Object.fromEntries(sidebars), "/reference/": [{ text: "Entries", items: others }] };
}

/** `/reference/dmabuf/node/` of `dmabuf/node/index.md`. */
function addressOf(path: string): string {
  return `/reference/${path.replace(/(index)?\.md$/, "")}`;
}

function pagesIn(folder: string): string[] {
  const names = readdirSync(join(PAGES, folder)).filter((name) => name.endsWith(".md") && name !== "index.md");
  return names.sort().map((name) => folder + name);
}

function itemOf(page: string): DefaultTheme.SidebarItem {
  return { text: titleOf(page), link: `/${page.replace(/\.md$/, "")}` };
}

/** Two overlapping frames. */
const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect x="1" y="1" width="10" height="10" rx="2" fill="#3451b2"/><rect x="5" y="5" width="10" height="10" rx="2" fill="#a8b1ff" fill-opacity=".8"/></svg>',
  );
