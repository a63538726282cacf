/** Who waits for whom in Chromium, beside processes that are stopped, or wait for each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

test("what waits for a stopped producer is red, and it goes on when that does", IN_BROWSER, async () => {
  const place = newPlace();
  const producer = await party("producer", place, "decoder");
  await party("consumer", place, "motion");
  const page = await openPage(`${(await inspect({ where: place })).url}#/waits`);
  await page.locator(".verdict:not(.stuck)").waitFor();
  await producer.kill("SIGSTOP");
  await page.getByRole("heading", { name: "Something is stuck" }).waitFor();
  await page.locator(".verdict", { hasText: /decoder.*stopped/ }).waitFor();
  await page.locator(".node.waiter.stuck.blamed", { hasText: /decoder.*stopped/ }).waitFor();
  await page.locator(".node.awaited.stuck", { hasText: "A frame of stream" }).waitFor();
  const motion = page.locator(".node.waiter.stuck", { hasText: "motion" });
  await motion.waitFor();
  assert.doesNotMatch((await motion.getAttribute("class")) ?? "", /blamed/, "it only waits");
  assert.equal(await page.locator(".way.stuck").count(), 2);
  await page.getByRole("row", { name: /motion.*waits for a frame of stream/ }).waitFor();

  // What is paused at stays, and is not asked for again.
  await page.getByRole("button", { name: "Pause" }).click();
  await producer.kill("SIGCONT");
  await page.waitForTimeout(1500);
  await page.locator(".verdict.stuck").waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.locator(".verdict:not(.stuck)").waitFor();
});

test("agents that wait for each other are marked as a circle, in the graph and in the list", IN_BROWSER, async () => {
  const place = newPlace();
  await party("left", place);
  await party("right", place);
  const page = await openPage(`${(await inspect({ where: place })).url}#/waits`);
  await page.locator(".verdict.stuck", { hasText: "closes the circle" }).waitFor();
  await page.locator(".node.waiter.blamed .circle-mark").nth(1).waitFor();
  assert.equal(await page.locator(".node .circle-mark").count(), 4, "two agents, and the two buffers that they want");
  assert.equal(await page.locator(".way.stuck").count(), 4);

  // By keyboard from one node to the next, and to its details.
  await page.locator("a.node.waiter", { hasText: "left" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".details h2", { hasText: "left" }).waitFor();
  await page.getByRole("button", { name: "List" }).click();
  await page.locator(".wait-item.stuck", { hasText: /of left.*stuck in a circle.*right uses a frame/ }).waitFor();
});
