/** The validator's reports in Chromium. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { IN_BROWSER, inspect, newPlace, openPage, party } from "./harness.js";

test("reports of a program that traces are shown", IN_BROWSER, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "inspector-reports-"));
  Object.assign(process.env, { DMABUF_VALIDATE: "1", DMABUF_TRACE: folder });
  t.after(() => {
    delete process.env["DMABUF_VALIDATE"];
    delete process.env["DMABUF_TRACE"];
    rmSync(folder, { recursive: true, force: true });
  });
  const place = newPlace();
  await party("blender", place);
  const page = await openPage(`${(await inspect({ where: place })).url}#/reports`);
  await page.getByRole("status").filter({ hasText: "1 report; 1 agent traces." }).waitFor();
  await page.locator(".report", { hasText: /lock-order.*red.*Said by blender/s }).waitFor();
});

test("where no agent traces it says how to get reports", IN_BROWSER, async () => {
  const place = newPlace();
  await party("crowd", place);
  const page = await openPage(`${(await inspect({ where: place })).url}#/reports`);
  await page.getByRole("status").filter({ hasText: "No agent of this domain traces." }).waitFor();
  await page.getByText("DMABUF_VALIDATE=1 DMABUF_TRACE=1 node program.js").waitFor();
});
