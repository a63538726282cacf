/** Pictures of the inspector: the real one, of a real domain, in light and in dark. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { capabilities } from "dmabuf/node";
import { serveInspector } from "dmabuf-inspector/server";
import type { Page } from "playwright-core";
import { launch, NO_CHROMIUM } from "./chromium.js";
import { PAGES } from "./pages.js";

const SCHEMES = ["light", "dark"] as const;
/** Where the front page has the first picture, if there is one. */
const PLACE_ON_FRONT = "<!-- picture -->";
const ON_FRONT = `## What it looks like

A camera, and three processes that use its frames, as the [inspector](/inspector) shows them while they run. There are
[more pictures](/pictures).`;
/** How long to wait before a picture, in milliseconds: until rates have been measured, and until a view has drawn them. */
const A_WHILE = { first: 4000, others: 1000 };

/** One view of the inspector. */
interface View {
  readonly title: string;
  readonly about: string;
  /** The name of its pictures, without the scheme. */
  readonly name: string;
}

/** Takes pictures of all views, and writes the page that shows them. @returns why there are none. */
export async function takePictures(): Promise<string | undefined> {
  const [missing] = capabilities().missing;
  if (missing !== undefined) return `${missing.name}: ${missing.reason}`;
  if (NO_CHROMIUM !== undefined) return NO_CHROMIUM;
  const place = `@camera-${process.pid}`;
  const program = new URL("pictured.js", import.meta.url).pathname;
  const camera = spawn(process.execPath, [program, place], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const ended = once(camera, "exit").then(() => Promise.reject(new Error("The domain for the pictures has ended")));
    await Promise.race([once(camera.stdout, "data"), ended]);
    await using inspector = await serveInspector({ where: place });
    const browser = await launch();
    try {
      const views: View[] = [];
      for (const colorScheme of SCHEMES) {
        const page = await browser.newPage({ colorScheme, viewport: { width: 1520, height: 900 } });
        await page.goto(inspector.url);
        views.splice(0, Infinity, ...(await picturesOf(page, colorScheme)));
      }
      writeFileSync(join(PAGES, "pictures.md"), pageOf(views));
      const front = join(PAGES, "index.md");
      writeFileSync(front, readFileSync(front, "utf8").replace(PLACE_ON_FRONT, `${ON_FRONT}\n\n${imagesOf(views[0])}`));
    } finally {
      await browser.close();
    }
  } finally {
    camera.stdin.end();
  }
  return undefined;
}

/** Visits each view that the page has. */
async function picturesOf(page: Page, scheme: string): Promise<View[]> {
  const folder = join(PAGES, "public/pictures");
  mkdirSync(folder, { recursive: true });
  const links = page.getByRole("navigation", { name: "Views" }).getByRole("link");
  await links.first().waitFor();
  const views: View[] = [];
  for (const link of await links.all()) {
    await link.click();
    const title = (await link.textContent())?.trim() ?? "";
    await page.getByRole("heading", { level: 1, name: title }).waitFor();
    await sleep(views.length === 0 ? A_WHILE.first : A_WHILE.others);
    const name = title.toLowerCase().replaceAll(/\W+/g, "-");
    await page.screenshot({ path: join(folder, `${name}-${scheme}.png`) });
    views.push({ title, name, about: (await page.locator("main .view-head p").textContent())?.trim() ?? "" });
  }
  return views;
}

function imagesOf(view: View | undefined): string {
  if (view === undefined) throw new Error("Cannot take pictures of the inspector: it has no view");
  const image = (scheme: string) =>
    `![The view ${view.title} of the inspector](/pictures/${view.name}-${scheme}.png){.in-${scheme}}`;
  return SCHEMES.map(image).join("\n");
}

function pageOf(views: readonly View[]): string {
  const pictures = views.map((view) => `## ${view.title}\n\n${view.about}\n\n${imagesOf(view)}\n`);
  const begin = `# What a running domain looks like

\`npx dmabuf inspect\` shows a running domain in a page, and changes nothing of it. Its programs may hang, or be stopped. These pictures
are of a camera and of three processes that use its frames; this site's build has started them, and looked.
`;
  return [begin, ...pictures].join("\n");
}
