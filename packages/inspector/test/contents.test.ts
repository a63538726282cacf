/** What is in buffers, in Chromium: the pixels that another process has written. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { IN_BROWSER, inspect, newPlace, openPage, party, PATIENCE } from "./harness.js";

async function gallery(): Promise<Page> {
  const place = newPlace();
  await party("gallery", place);
  const page = await openPage(`${(await inspect({ where: place })).url}#/buffers`);
  await page.locator(".table-body a").first().waitFor();
  return page;
}

/** Opens the details of a stream's first buffer, or of another one, and what is in it. */
async function open(page: Page, name: string, button: string): Promise<void> {
  await page.getByRole("searchbox").fill(name);
  await page.locator(".table-body a", { hasText: name }).first().click();
  await page.locator(".details h2", { hasText: name }).waitFor();
  await page.getByRole("button", { name: button }).click();
}

/** The red, green, blue and alpha of a place of the picture, from 0 to 1 across and down; nothing if there is no picture. */
async function pixel(page: Page, across: number, down: number): Promise<number[] | undefined> {
  return page.evaluate<number[] | undefined>(`(() => {
    const canvas = document.querySelector("canvas.picture");
    if (canvas === null) return undefined;
    const [x, y] = [canvas.width * ${across}, canvas.height * ${down}];
    return Array.from(canvas.getContext("2d").getImageData(Math.floor(x), Math.floor(y), 1, 1).data);
  })()`);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + PATIENCE;
  while (!(await isSo())) {
    if (performance.now() > limit) throw new Error(`It did not come to be: ${what}`);
    await sleep(20);
  }
}

/** A canvas is empty before it is drawn. */
async function isDrawn(page: Page): Promise<void> {
  await until(async () => (await pixel(page, 0, 0))?.[3] === 255, "a picture");
}

test("the picture that a process has written into a buffer is drawn, pixel by pixel", IN_BROWSER, async () => {
  const page = await gallery();
  await open(page, "halves", "Show the picture in it");
  await isDrawn(page);
  assert.deepEqual(await pixel(page, 0.25, 0.5), [255, 0, 0, 255]);
  assert.deepEqual(await pixel(page, 0.75, 0.5), [0, 0, 255, 255]);
  await page.getByRole("img", { name: "The BGRA picture in the buffer, 64 by 36 pixels" }).waitFor();
  // As bytes, and back.
  await page.getByRole("button", { name: "Bytes", exact: true }).click();
  await page.locator(".hex", { hasText: "0000 00 00 ff 00 00 00 ff 00" }).waitFor();
  await page.getByRole("button", { name: "Picture" }).click();
  await isDrawn(page);
});

test("a picture that is larger than the details is drawn smaller, and says so", IN_BROWSER, async () => {
  const page = await gallery();
  await open(page, "wide", "Show the picture in it");
  await isDrawn(page);
  assert.deepEqual(await pixel(page, 0.5, 0.5), [255, 255, 255, 255]);
  await page.locator("figcaption", { hasText: "640×360 of 1920×1080 pixels" }).waitFor();
});

test("a tensor is drawn as a heat map with its range, and audio as waves", IN_BROWSER, async () => {
  const page = await gallery();
  await open(page, "weights", "Show the tensor in it");
  await isDrawn(page);
  assert.deepEqual(await pixel(page, 0.1, 0.1), [68, 1, 84, 255]);
  assert.deepEqual(await pixel(page, 0.9, 0.1), [253, 231, 37, 255]);
  assert.deepEqual(await pixel(page, 0.1, 0.9), [214, 39, 40, 255]);
  await page.getByRole("img", { name: "A float32 tensor of 2 × 3: from -1 to 3, 1 on average" }).waitFor();
  await page.locator("figcaption", { hasText: "1 number is not finite, in red" }).waitFor();
  // What is open stays open from buffer to buffer.
  await page.getByRole("searchbox").fill("voice");
  await page.locator(".table-body a", { hasText: "voice" }).first().click();
  await page.getByRole("img", { name: "Channel 1, at most 25 % of full volume" }).waitFor();
  await page.locator("figcaption", { hasText: "Channel 2: silence" }).waitFor();
});

test("the bytes of any buffer are shown, and followed as they change", IN_BROWSER, async () => {
  const page = await gallery();
  await open(page, "counter", "Show its bytes");
  const hex = page.locator(".hex", { hasText: /^0000 [\da-f]{2} 64 6d 61 00 00 00 00 .dma····/ });
  await hex.waitFor();
  const was = await hex.textContent();
  const hasChanged = async (before: string | null): Promise<void> =>
    until(async () => (await page.locator(".hex").textContent()) !== before, "other bytes");
  await page.getByRole("button", { name: "Refresh" }).click();
  await hasChanged(was);
  const follow = page.locator(".contents").getByRole("button", { name: "Follow" });
  await follow.press("Enter");
  assert.equal(await follow.getAttribute("aria-pressed"), "true");
  for (let i = 0; i < 3; i++) await hasChanged(await page.locator(".hex").textContent());
  await follow.press("Enter");
  await page.getByRole("button", { name: "Bytes after" }).click();
  await page.locator(".hex", { hasText: /^0080 00 00/ }).waitFor();
  await page.getByRole("button", { name: "Bytes before" }).click();
  await page.locator(".hex", { hasText: /^0000 / }).waitFor();
});
