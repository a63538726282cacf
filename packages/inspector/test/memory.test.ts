/** Whose memory it is, in Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

test("memory is shown by exporter and by agent, with what was copied of it", IN_BROWSER, async () => {
  const place = newPlace();
  await party("producer", place, "decoder");
  await party("consumer", place, "motion");
  await party("copier", place, "archive");
  const page = await openPage(`${(await inspect({ where: place })).url}#/memory`);
  // Six frames of 320 × 180 pixels of 4 bytes, in whole pages, which three agents hold.
  const bytes = 6 * Math.ceil((320 * 180 * 4) / 4096) * 4096;
  const figure = (name: string) => page.locator(".figure", { hasText: name }).locator(".figure-value");
  await figure("Memory of buffers")
    .filter({ hasText: `${(bytes / 2 ** 20).toFixed(1)} MiB` })
    .waitFor();
  await figure("Not copied")
    .filter({ hasText: `${((2 * bytes) / 2 ** 20).toFixed(1)} MiB` })
    .waitFor();
  assert.equal(await page.locator(".shares li").count(), 1);
  await page
    .getByRole("table", { name: "Memory by agent" })
    .getByRole("row", { name: /motion/ })
    .waitFor();
  const copies = page.getByRole("table", { name: "What the library has copied" });
  await copies.getByRole("row", { name: /archive.*frame\.copy\(\).*MiB.*\/s/ }).waitFor();
  assert.equal(await copies.getByRole("row", { name: /motion/ }).count(), 0, "who only reads copies nothing");
});
