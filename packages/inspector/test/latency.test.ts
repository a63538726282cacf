/** How long frames wait, in programs that trace and in one that does not. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

/** The environment of a program that traces. */
function traced(t: TestContext): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-inspector-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return { DMABUF_TRACE: folder };
}

test("waits of frames are measured where both ends trace, and estimated where one does not", IN_BROWSER, async (t) => {
  const place = newPlace();
  const environment = traced(t);
  await party("producer", place, "decoder", environment);
  await party("consumer", place, "motion", environment);
  await party("consumer", place, "histogram");
  const page = await openPage(`${(await inspect({ where: place })).url}#/latency`);
  const of = (name: string) => page.locator(".latency", { hasText: name });
  await of("motion").getByText("Measured").waitFor();
  await of("motion")
    .getByRole("img", { name: /^Waits of [\d,]+ frames, measured: half of them at most [\d.]+ (µs|ms)/ })
    .waitFor();
  await of("motion").locator("canvas").waitFor();
  await of("histogram").getByText("Estimated").waitFor();
  await of("histogram")
    .getByRole("img", { name: /^Average waits of \d+ seconds?, estimated: / })
    .waitFor();
  // More frames come, and are counted.
  const frames = of("motion").locator("dd").last();
  const before = Number((await frames.textContent())?.replaceAll(",", ""));
  assert.ok(before > 0);
  await page.waitForRequest(/\/latency/);
  await page.waitForRequest(/\/latency/);
  await page.waitForResponse(/\/latency/);
  await page.getByRole("button", { name: "Pause" }).click();
  assert.ok(Number((await frames.textContent())?.replaceAll(",", "")) > before);
});

test("a domain without consumers says that there is nothing to measure", IN_BROWSER, async () => {
  const place = newPlace();
  await party("crowd", place);
  const page = await openPage(`${(await inspect({ where: place })).url}#/latency`);
  await page.getByText("No stream of the domain has a consumer").waitFor();
});
