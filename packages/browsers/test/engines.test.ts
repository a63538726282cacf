/** Every engine does to a page what a user would, in the same way. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Engine, EnginePage } from "../src/index.js";
import { ENGINES, launch, missing } from "../src/index.js";
import type { Site } from "./site.js";
import { serveSite } from "./site.js";

const TIMEOUT = { timeout: 120_000 };

let folder: string;
let site: Site;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "dmabuf-browsers-"));
  site = await serveSite();
});
after(async () => {
  await site[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

for (const name of ENGINES) {
  const skip = missing(name) ?? false;
  describe(name, { skip, ...TIMEOUT }, () => {
    let engine: Engine;
    let page: EnginePage;
    before(async () => {
      engine = await launch(name);
      page = await engine.open();
    }, TIMEOUT);
    after(() => engine.close(), TIMEOUT);

    test("an engine says what it is", () => {
      assert.equal(engine.name, name);
      assert.match(engine.version, /^\d+\./);
    });

    test("a page that is cross-origin isolated has shared memory, and so have its workers", async () => {
      await page.goto(site.origin);
      assert.equal(await page.evaluate("crossOriginIsolated && new SharedArrayBuffer(4).byteLength"), 4);
      assert.equal(await page.until("globalThis.fromWorker"), 42);
    });

    test("evaluate() awaits promises, gives values as JSON does, and throws what the page throws", async () => {
      assert.deepEqual(await page.evaluate("Promise.resolve({ a: [1, 'ä'], b: undefined, c: null })"), {
        a: [1, "ä"],
        c: null,
      });
      assert.equal(await page.evaluate("undefined"), undefined);
      await assert.rejects(page.evaluate("Promise.reject(new RangeError('too far'))"), { message: "too far" });
      await assert.rejects(page.evaluate("{ no expression }"));
    });

    test("until() says what the value was that did not become true", async () => {
      await assert.rejects(page.until("0 * 7", { timeout: 100 }), /^Error: Not so within 100 ms: 0 \* 7 is 0/);
    });

    test("a page sees clicks, keys, values and files as a user's", async () => {
      await page.goto(site.origin);
      await page.click("#button");
      await page.click("#field");
      for (const key of ["a", "B", "Enter", "Control+b", name === "webkit" ? "Tab" : "Shift+Tab"])
        await page.press(key);
      await page.fill("#field", "some text");
      await page.fill("#range", "7");
      const file = join(folder, "picture.bin");
      await writeFile(file, new Uint8Array([0, 1, 254, 255]));
      await page.drop("#target", file);
      await page.until("events.some((event) => event.startsWith('drop'))");
      assert.deepEqual(await page.evaluate("events"), [
        "click trusted",
        "key a",
        "key B",
        "key Enter",
        "key b with Control",
        ...(name === "webkit" ? ["key Tab"] : ["key Tab with Shift", "focus button"]),
        "input some text",
        "change some text",
        "range 7",
        "drop picture.bin 0,1,254,255",
      ]);
      await assert.rejects(page.fill("#absent", ""), /No element #absent/);
    });

    test("a page is as large as asked, and its picture shows it", async () => {
      await page.resize(640, 480);
      assert.deepEqual(await page.evaluate("[innerWidth, innerHeight]"), [640, 480]);
      const path = join(folder, `${name}.png`);
      await page.screenshot(path);
      const png = await readFile(path);
      assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [640, 480]);
    });

    test("a page sees the color scheme that is preferred; WebKitGTK says what it cannot do", async () => {
      const isDark = "matchMedia('(prefers-color-scheme: dark)').matches";
      if (name === "webkit") {
        await assert.rejects(page.colorScheme("dark"), /Cannot choose a color scheme/);
        await assert.rejects(page.press("Shift+Tab"), /Cannot press Shift\+Tab/);
        return;
      }
      for (const scheme of ["dark", "light"] as const) {
        await page.colorScheme(scheme);
        assert.equal(await page.evaluate(isDark), scheme === "dark");
      }
    });

    test("a page may store as many bytes as it is given; engines but Chromium say that they cannot", async () => {
      if (name !== "chromium") return assert.rejects(page.limitStorage(5000), /Cannot limit what a page stores/);
      assert.equal(await page.evaluate(STORE), "stored");
      await page.limitStorage(5000);
      assert.equal(await page.evaluate(STORE), "QuotaExceededError");
    });

    test("uncaught errors and rejections are collected, and what is written by console.error(), until the next page", async () => {
      await page.goto(`${site.origin}/broken`);
      await page.until("document.title === 'broken'");
      await page.evaluate("new Promise((resolve) => setTimeout(resolve, 200))");
      assert.equal(page.errors.length, 2, page.errors.join("\n"));
      assert.match(page.errors.join("\n"), /nothing catches this/);
      assert.match(page.errors.join("\n"), /nothing hears this/);
      assert.equal(page.logged.length, 1, page.logged.join("\n"));
      assert.match(page.logged.join("\n"), /this is logged/);
      await page.goto(site.origin);
      assert.deepEqual(page.errors, []);
      assert.deepEqual(page.logged, []);
    });

    test("two pages have storages of their own", async () => {
      const other = await engine.open();
      await other.goto(site.origin);
      await other.evaluate("localStorage.setItem('mine', '1')");
      await page.goto(site.origin);
      assert.equal(await page.evaluate("localStorage.getItem('mine')"), null);
      await other.close();
      assert.equal(await page.evaluate("1 + 1"), 2);
    });
  });

  test(`${name} ends with the process that started it, and leaves no folder`, { skip, ...TIMEOUT }, async () => {
    const program = `
      import { launch } from ${JSON.stringify(import.meta.resolve("../src/index.js"))};
      const engine = await launch(${JSON.stringify(name)});
      await engine.open();
      process.kill(process.pid, "SIGKILL");`;
    const env = { ...process.env, TMPDIR: folder, DMABUF_TEST_MARK: `${name}-${process.pid}` };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { env });
    await assert.rejects(run, { signal: "SIGKILL" });
    await gone(`DMABUF_TEST_MARK=${name}-${process.pid}`);
    assert.deepEqual(
      (await readdir(folder)).filter((entry) => entry.startsWith("dmabuf-")),
      [],
    );
  });
}

/** Waits until no process, also none that removes folders, has this in its environment, and fails after a while if one still has. */
async function gone(mark: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const left = await holders(mark);
    if (left.length === 0) return;
    if (attempt > 200) assert.fail(`still there: ${left.join(", ")}`);
    await sleep(50);
  }
}

/** The processes that have this in their environment. */
async function holders(mark: string): Promise<string[]> {
  const numbers = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const found: string[] = [];
  for (const number of numbers) {
    const environment = await readFile(`/proc/${number}/environ`, "utf8").catch(() => "");
    if (!environment.includes(mark)) continue;
    found.push(await readFile(`/proc/${number}/comm`, "utf8").catch(() => number));
  }
  return found;
}

/** Stores a million bytes, and says what comes of it. */
const STORE = `(async () => {
  try {
    const file = await (await navigator.storage.getDirectory()).getFileHandle("million", { create: true });
    const stream = await file.createWritable();
    await stream.write(new Uint8Array(1e6));
    await stream.close();
    return "stored";
  } catch ({ name }) {
    return name;
  }
})()`;
