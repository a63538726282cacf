/** The finished site, below a path of its own, in a real browser. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { capabilities } from "dmabuf/node";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { launch, NO_CHROMIUM } from "../src/chromium.js";
import { documents, HOME, pageOf, REPOSITORY } from "../src/pages.js";
import { entries } from "../src/reference.js";
import { preview, type Preview } from "../src/preview.js";

const BASE = "/below/a/path/";
const OUT = join(HOME, "dist/tested-site");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
// Where everything is tested a missing browser is a failure, elsewhere a reason to skip.
const skip = process.env["CI"] === "true" ? false : (NO_CHROMIUM ?? false);

/** Each document, each entry of the reference, and a page of each other kind. */
const PAGES = [
  "",
  ...documents().map((source) => pageOf(source).replace(/\.md$/, ".html")),
  "reference/",
  ...entries().map(({ name }) => `reference/${name}/`),
  "reference/dmabuf/classes/Domain.html",
  "reference/dmabuf/functions/imageFormat.html",
  "reference/dmabuf/interfaces/StreamOptions.html",
  "reference/dmabuf/type-aliases/ErrorCode.html",
  "files/libraries/",
  "files/libraries/onnx.mjs.html",
];

let site: Preview;
let browser: Browser;

before(async () => {
  rmSync(OUT, { recursive: true, force: true });
  const program = join(HOME, "dist/src/main.js");
  await promisify(execFile)(process.execPath, [program, "--base", BASE, "--out", OUT], { timeout: 800_000 });
  site = await preview(OUT, BASE, 0);
  if (skip === false) browser = await launch();
});
after(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

/** A page of the browser, and what it has complained of or asked of others. */
async function open(width: number): Promise<{ page: Page; wrong: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const wrong: string[] = [];
  page.on("pageerror", ({ message }) => wrong.push(message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(site.address)) wrong.push(request.url());
  });
  return { page, wrong };
}

test("each link of each page is answered, from the front page on", { timeout: 600_000 }, async () => {
  const found = new Set([site.address]);
  for (const address of found) {
    const response = await fetch(address);
    assert.equal(response.status, 200, address);
    const text = await response.text();
    if (response.headers.get("content-type")?.startsWith("text/html") !== true) continue;
    for (const [, href] of text.matchAll(/ (?:href|src)="([^"]+)"/g)) {
      const link = new URL(href!.replaceAll("&amp;", "&"), address);
      link.hash = "";
      if (link.origin === new URL(site.address).origin) found.add(link.href);
    }
  }
  for (const page of PAGES) assert.ok(found.has(site.address + page), `no page leads to ${page}`);
  assert.ok(found.size > 300, `only ${found.size} files were found`);
});

test("from the front page one click leads to the first program, as the document has it", { skip }, async () => {
  const { page, wrong } = await open(1280);
  await page.goto(site.address);
  await page.getByRole("link", { name: "Two processes in five minutes" }).first().click();
  await page.waitForURL(`${site.address}two-processes.html`);
  await page.getByRole("heading", { level: 1, name: "Two processes in five minutes" }).waitFor();
  const shown = await page.locator(".vp-doc pre code").allTextContents();
  const text = readFileSync(join(REPOSITORY, "docs/two-processes.md"), "utf8");
  const written = Array.from(text.matchAll(/^```\w+\n(.*?)\n```$/gms), ([, code]) => code);
  assert.deepEqual(shown, written);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("the search finds words of guides and names of the reference, and leads there", { skip }, async () => {
  const { page, wrong } = await open(1280);
  await page.goto(site.address);
  for (const [words, title] of [
    ["drop-oldest", "A first pipeline"],
    ["pagesFrom", "pagesFrom"],
  ]) {
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("searchbox").fill(words!);
    await page.locator(".VPLocalSearchBox .result", { hasText: title! }).first().click();
    await page.getByRole("heading", { level: 1, name: title! }).waitFor();
  }
  assert.deepEqual(wrong, []);
  await page.close();
});

const missing = capabilities().missing.map(({ name, reason }) => `${name}: ${reason}`);
const noPictures = skip !== false ? skip : missing.length > 0 ? missing.join("; ") : false;

test("the inspector is shown as it is, in light and in dark", { skip: noPictures }, async () => {
  const { page, wrong } = await open(1280);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const path of ["", "pictures.html"]) {
      await page.goto(site.address + path);
      const shown = page.locator(".vp-doc img:visible");
      await shown.first().waitFor();
      for (const image of await shown.all()) {
        assert.match((await image.getAttribute("src")) ?? "", new RegExp(`/pictures/\\w+-${colorScheme}\\.png$`));
        const width = await image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth);
        assert.equal(width, 1520);
      }
    }
  }
  assert.deepEqual(wrong, []);
  await page.close();
});

test("no page complains, asks another host, or is wider than a phone", { skip, timeout: 600_000 }, async () => {
  const { page, wrong } = await open(360);
  for (const path of PAGES) {
    await page.goto(site.address + path);
    await page.locator("h1").first().waitFor();
    const width = await page.evaluate<number>("document.documentElement.scrollWidth");
    if (width > 360) wrong.push(`${path} is ${width} pixels wide`);
  }
  assert.deepEqual(wrong, []);
  await page.close();
});

test("axe finds nothing serious, in light and in dark", { skip, timeout: 600_000 }, async () => {
  const { page, wrong } = await open(1280);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const path of [
      "",
      "two-processes.html",
      "limits.html",
      "which-domain.html",
      "reference/dmabuf/classes/Domain.html",
    ]) {
      await page.goto(site.address + path);
      await page.locator("h1").first().waitFor();
      const isDark = await page.evaluate<boolean>('document.documentElement.classList.contains("dark")');
      assert.equal(isDark, colorScheme === "dark");
      await page.addScriptTag({ path: AXE });
      const { violations } = await page.evaluate<AxeResults>("axe.run()");
      for (const { id, impact, nodes } of violations) {
        if (impact !== "serious" && impact !== "critical") continue;
        wrong.push(`${path} in ${colorScheme}: ${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" ")}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  await page.close();
});
