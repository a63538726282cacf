/** No finding of axe, and nothing wider than the page, in light and dark, on a phone, a tablet and a desk. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import axe from "axe-core";
import { launch, missing, type EnginePage } from "dmabuf-browsers";
import { servePage } from "../src/server.js";
import { Drive, LONG } from "./drive.js";

/** As one expression. */
const AXE = `(() => { ${axe.source}\n })()`;

const WIDTHS = [360, 768, 1280];
const SCHEMES = ["light", "dark"] as const;

/** Pictures for people to look at are written to this folder, if it is named. */
const PICTURES = process.env["DMABUF_PICTURES"];

const options = { ...LONG, skip: missing("chromium") ?? false };

test(
  "axe finds nothing, and nothing is wider than the page, in light and dark and in three widths",
  options,
  async () => {
    await using server = await servePage({});
    await using engine = await launch("chromium", { gpu: true });
    const drive = await Drive.open(engine, server.url);
    const { page } = drive;
    await drive.click("[data-mark=play]");
    await drive.untilAllPlay();
    await page.evaluate(AXE);
    await page.evaluate(`document.querySelectorAll("details").forEach((details) => void (details.open = true))`);
    for (const scheme of SCHEMES) {
      await page.colorScheme(scheme);
      await drive.click("[data-lane=motion] [data-mark=kill]");
      await drive.untilText("[data-lane=motion] [data-mark=death]", /A new one has joined/);
      for (const width of WIDTHS) await look(page, `page ${scheme}`, width);
    }
  },
);

test("a page without isolation says what to do, and axe finds nothing there either", options, async () => {
  await using server = await servePage({ isolation: "none" });
  await using engine = await launch("chromium");
  const page = await engine.open();
  await page.goto(server.url);
  await page.until("document.querySelector('[data-mark=isolation]')");
  await page.evaluate(AXE);
  for (const scheme of SCHEMES) {
    await page.colorScheme(scheme);
    for (const width of WIDTHS) await look(page, `none ${scheme}`, width);
  }
});

async function look(page: EnginePage, what: string, width: number): Promise<void> {
  await page.resize(width, 900);
  // What moves into its place is there, and what changes its colour has it.
  await page.evaluate("Promise.allSettled(document.getAnimations().map(({ finished }) => finished)).then(() => 0)");
  const wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.equal(wide, 0, `${what} is wider than ${width} px`);
  const { violations } = await page.evaluate<{ violations: axe.Result[] }>("axe.run()");
  const said = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary ?? ""}`).join("\n")}`,
  );
  assert.deepEqual(said, [], `${what} ${width}`);
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  const height = await page.evaluate<number>("document.documentElement.scrollHeight");
  await page.resize(width, height);
  await page.screenshot(join(PICTURES, `${what.replace(" ", "-")}-${width}.png`));
}
