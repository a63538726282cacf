/** The command, and each way in which it isolates the page. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { launch, missing } from "dmabuf-browsers";
import { servePage } from "../src/server.js";
import { Drive, LONG, untilThere } from "./drive.js";

const MAIN = new URL("../src/main.js", import.meta.url).pathname;
const PATIENT = { timeout: 120_000 };
const IN_CHROMIUM = { ...LONG, skip: missing("chromium") ?? false };

function start(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, ended };
}

test("--help tells every option", PATIENT, async () => {
  const { code, stdout, stderr } = await start("--help").ended;
  assert.equal(code, 0);
  assert.equal(stderr, "");
  for (const option of ["--port", "--open", "--isolation", "coop", "document", "service-worker", "none"]) {
    assert.match(stdout, new RegExp(option));
  }
});

test("wrong options are errors in plain words, with the status 2", PATIENT, async () => {
  const wrong: [args: string[], says: RegExp][] = [
    [["--port", "tea"], /--port.*tea.*whole number from 0 to 65535/],
    [["--port", "65536"], /--port.*65536.*whole number from 0 to 65535/],
    [["--isolation", "glass"], /--isolation.*glass.*coop, document, service-worker, none/],
    [["--teapot"], /unknown option '--teapot'/],
    [["clip.mp4"], /too many arguments/],
  ];
  for (const [args, says] of wrong) {
    const { code, stdout, stderr } = await start(...args).ended;
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr.replaceAll("\n", " "), says);
    assert.match(stderr, /--help/);
  }
});

test("a port in use is an error in one line", PATIENT, async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await start("--port", String(port)).ended;
  other.close();
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^demo:web: .*${port}.*\n$`));
});

test("the command prints the page's address, serves it with the headers, and ends with Ctrl-C", PATIENT, async () => {
  const { child, ended } = start();
  let said = "";
  for await (const text of child.stdout) {
    said += String(text);
    if (said.includes("\n")) break;
  }
  const url = /^The page: (http:\/\/localhost:\d+\/)\n$/.exec(said)?.[1];
  assert.ok(url !== undefined, said);
  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>dmabuf in the browser<\/title>/);
  assert.equal(page.headers.get("Cross-Origin-Opener-Policy"), "same-origin");
  assert.equal(page.headers.get("Cross-Origin-Embedder-Policy"), "require-corp");
  assert.equal((await fetch(`${url}absent.js`)).status, 404);
  assert.equal((await fetch(url, { method: "POST" })).status, 405);
  child.kill("SIGINT");
  assert.equal((await ended).code, 0);
});

for (const isolation of ["document", "service-worker"] as const) {
  test(`the page is isolated and plays with --isolation ${isolation}`, IN_CHROMIUM, async () => {
    await using server = await servePage({ isolation });
    await using engine = await launch("chromium");
    const drive = await Drive.open(engine, server.url);
    assert.match(await drive.text("[data-mark=isolated]"), /isolated: yes/);
    await drive.click("[data-mark=play]");
    await drive.untilAllPlay();
    await drive.assertNoErrors();
  });
}

test("without isolation the page says what to do, and its button isolates it", IN_CHROMIUM, async () => {
  await using server = await servePage({ isolation: "none" });
  await using engine = await launch("chromium");
  const page = await engine.open();
  await page.goto(server.url);
  await page.until("document.querySelector('[data-mark=isolated]')?.textContent.includes('isolated: no')");
  const says = await page.evaluate<string>("document.querySelector('[data-mark=isolation]').textContent");
  assert.match(says, /is not cross-origin isolated/);
  assert.match(says, /Cross-Origin-Opener-Policy: same-origin/);
  assert.match(says, /Cross-Origin-Embedder-Policy: require-corp/);
  assert.equal(await page.evaluate("document.querySelector('[data-mark=play]')"), null);
  await page.click("[data-mark=isolation] button");
  await untilThere(page, "crossOriginIsolated && document.querySelector('[data-mark=play]') !== null");
  assert.deepEqual([...page.errors], []);
});
