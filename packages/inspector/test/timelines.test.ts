/** The timelines in Chromium: 100,000 fences, panned and zoomed. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

const MANY = 100_000;

async function drawn(page: Page): Promise<number> {
  return Number(await page.locator("[data-drawn]").getAttribute("data-drawn"));
}

/** Pans and zooms in each of the browser's frames. What a frame takes is what is done until the next task. */
const MOVE_ABOUT = `(async () => {
  const lanes = document.querySelector(".lanes");
  const keys = ["0", "-", "ArrowLeft", "+"];
  const start = performance.now();
  let frames = 0;
  let work = 0;
  for (let now = start; now - start < 3000; frames++) {
    lanes.dispatchEvent(new KeyboardEvent("keydown", { key: keys[frames % keys.length], bubbles: true, cancelable: true }));
    now = await new Promise(requestAnimationFrame);
    const begun = performance.now();
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(undefined);
    });
    work += performance.now() - begun;
  }
  return { frames, seconds: (performance.now() - start) / 1000, work };
})()`;

/** Waits until so many fences are kept. */
async function keeps(page: Page, fences: number): Promise<void> {
  const limit = performance.now() + 200_000;
  for (;;) {
    const kept = Number(await page.locator("[data-kept]").getAttribute("data-kept"));
    if (kept >= fences) return;
    if (performance.now() > limit) throw new Error(`There are ${kept} fences of ${fences}`);
    await sleep(250);
  }
}

test("100,000 fences of 100 timelines are drawn, panned and zoomed", IN_BROWSER, async (t) => {
  const place = newPlace();
  await party("signaller", place, "gpu");
  const page = await openPage(`${(await inspect({ where: place })).url}#/timelines`);
  const region = page.locator(".lanes");
  await region.waitFor();
  const kept = page.locator("[data-kept]");
  await keeps(page, MANY);
  await page.getByRole("button", { name: "Pause" }).click();
  for (let i = 0; i < 3; i++) await page.getByRole("button", { name: "Zoom out" }).click();
  const all = Number(await kept.getAttribute("data-kept"));
  assert.ok(all >= MANY);
  // The lanes that can be seen, all of their fences: 100 lanes have as many each.
  const seen = await drawn(page);
  assert.ok(seen > all / 100, `${seen} of ${all}`);

  await region.focus();
  const { frames, seconds, work } = await page.evaluate<{ frames: number; seconds: number; work: number }>(MOVE_ABOUT);
  t.diagnostic(
    `${all} fences: ${(frames / seconds).toFixed(1)} frames a second, ${(work / frames).toFixed(2)} ms each`,
  );
  assert.ok(frames > 0);
  await region.press("0");
  assert.ok((await drawn(page)) > all / 100, "what was moved about is still in view");
});

test("a fence is chosen by keyboard, one that failed says so, and what is pending is shown", IN_BROWSER, async () => {
  const place = newPlace();
  await party("signaller", place, "gpu");
  const page = await openPage(`${(await inspect({ where: place })).url}#/timelines`);
  await page.locator(".lane-names li", { hasText: "stuck" }).filter({ hasText: "1 pending" }).waitFor();
  await page.getByRole("searchbox", { name: "Search timelines by name" }).fill("ring 3");
  await page.locator(".lane-names li", { hasText: "stuck" }).waitFor({ state: "detached" });
  await keeps(page, 1000);
  await page.getByRole("button", { name: "Pause" }).click();
  const region = page.locator(".lanes");
  await region.focus();
  const chosen = page.locator(".chosen");
  const said = new Set<string>();
  // Each twentieth fence of "ring 3" fails.
  for (let i = 0; i < 25; i++) {
    await region.press("[");
    said.add(/signaled|failed with EIO/.exec((await chosen.textContent()) ?? "")?.[0] ?? "");
  }
  assert.deepEqual([...said].sort(), ["failed with EIO", "signaled"]);
  assert.match((await chosen.textContent()) ?? "", /Fence \d+:\d+ of “ring 3” .* Its agent is gpu/s);
});
