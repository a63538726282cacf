/**
 * A reader of "In the browser in five minutes" gets what the page says, in three engines. Its commands are typed into a shell and
 * its files saved as it says, in an empty folder, with the packed library.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { ENGINES, launch, missing } from "dmabuf-browsers";
import { filesIn, noRegistry, readersFolder, stepsOf, terminal } from "./reader.js";

const STEPS = stepsOf("docs/in-the-browser.md");
const FILES = filesIn(STEPS);
const [INSTALL, START] = Array.from(STEPS.matchAll(/```sh\n(.*?)```/gs), ([, text]) => text!.trim().split("\n"));

const SAID = 'document.querySelector("output").value';

test("its commands and files do what the page says, in each engine", { timeout: 800_000 }, async (t) => {
  const reason = noRegistry();
  if (reason !== false) return t.skip(reason);
  assert.deepEqual([...FILES.keys()], ["vite.config.js", "index.html", "main.js", "worker.js"]);
  assert.equal([...INSTALL!, ...START!].length, 4);

  const { folder, env } = await readersFolder(t);
  const begin = performance.now();
  const shell = terminal(t, folder, env);
  for (const line of INSTALL!) await shell.run(line);
  for (const [name, text] of FILES) writeFileSync(join(folder, "frames-page", name), text);
  const serves = shell.says(/http:\/\/localhost:\d+\//);
  shell.type(START![0]!);
  await serves;
  const [address] = /http:\/\/localhost:\d+\//.exec(shell.said)!;

  for (const name of ENGINES) {
    await t.test(name, { skip: missing(name) ?? false, timeout: 240_000 }, async (t) => {
      const engine = await launch(name);
      t.after(() => engine.close());
      const page = await engine.open();
      await page.goto(address);
      const brightness = `/^brightness \\d+, 0 bytes copied$/.test(${SAID})`;
      await page.until(brightness, { timeout: 120_000 });
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      t.diagnostic(`${seconds} s from the first command until the first picture is measured`);
      const seen = `document.querySelector("canvas").getContext("2d").getImageData(960, 540, 1, 1).data.join()`;
      await page.until(`(globalThis.before ??= ${seen}) !== ${seen}`, { timeout: 60_000 });
      await page.click("button");
      const gone = /^the meter has gone; here are still page and painter$/.source;
      await page.until(`/${gone}/.test(${SAID})`, { timeout: 60_000 });
      await page.until(`(globalThis.after ??= ${seen}) !== ${seen}`, { timeout: 60_000 });
      assert.deepEqual(page.errors, []);
    });
  }
});
