/** The page in Chromium, beside processes that run, are killed and come again. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { IN_BROWSER, inspect, newPlace, openPage, party, PATIENCE } from "./harness.js";

const figure = (page: Page, name: string) => page.locator(".figure", { hasText: name }).locator(".figure-value");

/** Where the graph's nodes are. */
async function placesOf(page: Page): Promise<(string | null)[]> {
  const nodes = await page.locator(".graph li").all();
  return Promise.all(nodes.map(async (node) => node.getAttribute("style")));
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + PATIENCE;
  while (!(await isSo())) {
    if (performance.now() > limit) throw new Error(`It did not come to be: ${what}`);
    await sleep(50);
  }
}

async function says(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

test("the overview shows who hands what to whom, with rates", IN_BROWSER, async () => {
  const place = newPlace();
  await party("producer", place, "decoder");
  for (const name of ["motion", "histogram"]) await party("consumer", place, name);
  const page = await openPage((await inspect({ where: place })).url);
  for (const name of ["decoder", "motion", "histogram"]) await says(page, ".node.agent", name);
  await says(page, ".node.stream", /camera.*\d\/s/);
  assert.equal(await page.locator(".node.stream .place").count(), 6);
  // From the producer to the stream, and from there to both consumers.
  assert.equal(await page.locator(".way.moves").count(), 3);
  assert.equal(await figure(page, "Agents").textContent(), "3");
  await says(page, "#status", "Live");

  const before = await placesOf(page);
  await sleep(500);
  const after = await placesOf(page);
  assert.deepEqual(after, before, "what stays related stays where it is");
});

test("a consumer that is killed or stopped while one looks is shown to be so", IN_BROWSER, async () => {
  const place = newPlace();
  await party("producer", place, "decoder");
  const victim = await party("consumer", place, "motion");
  const other = await party("consumer", place, "histogram");
  const page = await openPage((await inspect({ where: place })).url);
  await says(page, ".node.agent", "motion");
  await other.kill("SIGSTOP");
  await says(page, ".node.agent.stopped", "histogram");
  await other.kill("SIGCONT");
  await page.locator(".node.agent.live", { hasText: "histogram" }).waitFor();

  await victim.kill();
  // The others collect what is left of it.
  await page.locator(".node.agent.live", { hasText: "motion" }).waitFor({ state: "detached" });
  await page.locator(".node.agent", { hasText: "motion" }).waitFor({ state: "detached" });
  assert.equal(await figure(page, "Agents").textContent(), "2");
  // It is in the minute before.
  await page.getByRole("slider", { name: "The last minute" }).press("Home");
  await says(page, ".node.agent", "motion");
});

test(
  "pause holds what is shown, and the last minute can be stepped through by keyboard (store.1)",
  IN_BROWSER,
  async () => {
    const place = newPlace();
    await party("producer", place, "decoder");
    await party("consumer", place, "motion");
    const page = await openPage((await inspect({ where: place })).url);
    await says(page, ".node.stream", /\d\/s/);
    await page.goto(page.url() + "#/overview/stream/0.1");
    const frames = page.locator(".details .lines").first();
    const slider = page.getByRole("slider", { name: "The last minute" });
    // More than a second of it: Page Up goes so far.
    await until(async () => Number(await slider.getAttribute("max")) > 15, "there are fifteen looks");
    await page.getByRole("button", { name: "Pause" }).click();
    await says(page, "#status", "Paused");
    const held = await frames.textContent();
    await sleep(500);
    assert.equal(await frames.textContent(), held);

    await slider.focus();
    await slider.press("ArrowLeft");
    await says(page, ".player output", /^−\d+ ms$|^−\d+\.\d s$/);
    await slider.press("PageUp");
    const earlier = await frames.textContent();
    assert.notEqual(earlier, held);
    await slider.press("ArrowRight");
    await page.getByRole("button", { name: "One step on" }).click();
    assert.notEqual(await slider.inputValue(), await slider.getAttribute("max"));
    await slider.press("End");
    await says(page, "#status", "Live");
    assert.equal(await page.locator(".player output").textContent(), "now");
    await slider.press(" ");
    await says(page, "#status", "Paused");
  },
);

test(
  "the page says that it has lost the domain, keeps its last state, and waits for the next one",
  IN_BROWSER,
  async () => {
    const place = newPlace();
    const first = await party("crowd", place, "first");
    const page = await openPage((await inspect({ where: place })).url);
    await says(page, ".node.agent", "first");
    await first.kill();
    await says(page, "[role=alert]", "The domain is lost");
    await says(page, "#status", "Domain has ended");
    await says(page, ".node.agent.dead", "first");
    assert.equal(await figure(page, "Buffers").textContent(), "1,000");
    await page.getByRole("button", { name: "Wait for the next one" }).click();
    await says(page, "[role=alert]", "Waiting for a domain");
    await party("crowd", place, "second");
    await says(page, ".node.agent.live", "second");
    await page.locator("[role=alert]").waitFor({ state: "detached" });
  },
);

test("the page says that its own server has gone, and shows what was there", IN_BROWSER, async () => {
  const place = newPlace();
  await party("crowd", place, "first");
  const inspector = await inspect({ where: place });
  const page = await openPage(inspector.url);
  await says(page, ".node.agent", "first");
  await inspector.close();
  await says(page, "[role=alert]", "no longer answers");
  await says(page, "#status", "No connection");
  await says(page, ".node.agent", "first");
});

test("1,000 buffers are searched, sorted and walked through, and few of them are drawn", IN_BROWSER, async () => {
  const place = newPlace();
  await party("crowd", place);
  const page = await openPage((await inspect({ where: place })).url + "#/buffers");
  await says(page, ".bar [role=status]", "1,000 buffers");
  const rows = page.locator(".table-body [role=row]");
  await rows.first().waitFor();
  assert.ok((await rows.count()) < 60, `${await rows.count()} rows are drawn`);
  assert.equal(await page.locator("[role=table]").getAttribute("aria-rowcount"), "1001");

  const sizes = page.getByRole("columnheader", { name: "Size" });
  await sizes.getByRole("button").click();
  assert.equal(await sizes.getAttribute("aria-sort"), "descending");
  await until(async () => /28\.0 KiB/.test((await rows.first().textContent()) ?? ""), "the largest first");
  await sizes.getByRole("button").click();
  await until(async () => /4\.0 KiB/.test((await rows.first().textContent()) ?? ""), "the smallest first");
  await sizes.getByRole("button").click();
  assert.equal(await sizes.getAttribute("aria-sort"), "none");

  // Down to the last one by keyboard: rows that were not drawn are.
  await rows.first().getByRole("link").first().focus();
  await page.keyboard.press("End");
  await until(async () => (await page.locator(":focus").textContent())?.includes("tile 999") === true, "the last row");
  await page.keyboard.press("Home");
  await until(async () => (await page.locator(":focus").textContent())?.includes("tile 0 ") === true, "the first row");
  await page.keyboard.press("Enter");
  await says(page, ".details h2", "tile 0");
  await page.keyboard.press("Escape");
  await page.locator(".details").waitFor({ state: "detached" });

  await page.getByRole("searchbox").fill("77 TILE");
  await says(page, ".bar [role=status]", /^\d{1,2} of 1,000 buffers/);
  for (const row of await rows.allTextContents()) assert.match(row, /77/);
  await page.getByRole("searchbox").fill("no such thing");
  await says(page, ".table", "No buffer is like that.");
});

test(
  "a page that is hidden lets go of its server, and gets the last minute when it is back (store.2)",
  IN_BROWSER,
  async () => {
    const place = newPlace();
    await party("producer", place, "decoder");
    await party("consumer", place, "motion");
    const page = await openPage((await inspect({ where: place })).url);
    await says(page, ".node.stream", /\d\/s/);
    const slider = page.getByRole("slider", { name: "The last minute" });
    const last = async () => Number(await slider.getAttribute("max"));
    // A browser without a window hides no page.
    const become = async (state: string) =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { configurable: true, value: "${state}" });
      document.dispatchEvent(new Event("visibilitychange"))`);
    await become("hidden");
    let before = -1;
    // It goes on for a while, with a look a second.
    await until(async () => {
      const still = before;
      before = await last();
      await sleep(3000);
      return before === still;
    }, "no more snapshots");
    await become("visible");
    // All that came while it was hidden.
    await until(async () => (await last()) > before + 5, "the last minute");
    await says(page, "#status", "Live");
  },
);

test("the graph and the frame are used by keyboard alone", IN_BROWSER, async () => {
  const place = newPlace();
  await party("producer", place, "decoder");
  await party("consumer", place, "motion");
  const page = await openPage((await inspect({ where: place })).url);
  await says(page, ".node.stream", "camera");
  await page.keyboard.press("Tab");
  assert.equal(await page.locator(":focus").textContent(), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(":focus").getAttribute("id"), "content");

  await page.locator(".node.agent", { hasText: "decoder" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.match((await page.locator(":focus").textContent()) ?? "", /camera/);
  await page.keyboard.press("ArrowRight");
  assert.match((await page.locator(":focus").textContent()) ?? "", /motion/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await says(page, ".details h2", "camera");
  assert.equal(await page.locator(":focus").textContent(), "camera");
  await page.keyboard.press("Escape");
  await page.locator(".details").waitFor({ state: "detached" });
  assert.match((await page.locator(":focus").textContent()) ?? "", /camera/);
  await says(page, "#status", "Live");
});

test("what a thing waits for is explained on demand", IN_BROWSER, async () => {
  const place = newPlace();
  await party("producer", place, "decoder");
  await party("holder", place, "keeper");
  const page = await openPage((await inspect({ where: place })).url);
  await says(page, ".node.agent", /keeper.*frames behind/);
  await page.locator(".node.stream", { hasText: "camera" }).click();
  await says(page, ".details .facts", /RGBA 320×180, 225 KiB a frame/);
  await page.getByRole("button", { name: "What is it waiting for now?" }).click();
  await says(page, ".why [role=status]", /./);
});
