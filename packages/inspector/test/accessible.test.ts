/** No finding of axe, and nothing that is wider than a phone, in each view. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import type { BrowserContextOptions } from "playwright-core";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

/** Each with its details, too. */
const VIEWS = [
  "overview",
  "overview/stream/0.1",
  "overview/agent/FIRST",
  "buffers",
  "buffers/buffer/1",
  "timelines",
  "waits",
  "memory",
  "latency",
  "reports",
  "agents",
];

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "a phone": { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  "a dark phone": { viewport: { width: 360, height: 740 }, isMobile: true, colorScheme: "dark" },
};

for (const [look, options] of Object.entries(LOOKS)) {
  test(`each view is accessible, in ${look}`, IN_BROWSER, async () => {
    const place = newPlace();
    await party("producer", place, "decoder");
    await party("consumer", place, "motion");
    const stopped = await party("consumer", place, "histogram");
    await stopped.kill("SIGSTOP");
    const { url } = await inspect({ where: place });
    const page = await openPage(url, options);
    await page.locator(".node.agent.stopped").waitFor();
    const agent = (await page.locator(".node.agent").first().getAttribute("href"))?.split("/").at(-1) ?? "";
    for (const view of VIEWS) {
      await page.goto(`${url}#/${view.replace("FIRST", agent)}`);
      await page.locator("h1").waitFor();
      if (/\/(stream|agent|buffer)\//.test(view)) await page.locator(".details h2").waitFor();
      if (view.includes("/buffer/")) {
        await page.getByRole("button", { name: "Show the picture in it" }).click();
        await page.locator("canvas.picture").waitFor();
      }
      const wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      assert.equal(wide, 0, `${view} is wider than the page`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate<{ violations: axe.Result[] }>("axe.run()");
      const said = violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary ?? ""}`).join("\n")}`,
      );
      assert.deepEqual(said, [], view);
    }
    await page.getByRole("button", { name: /Colours/ }).click();
    await page.getByRole("button", { name: "Pause" }).click();
  });
}
