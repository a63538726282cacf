/** The program, as a person starts it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { newPlace, party } from "./harness.js";

const PATIENT = { timeout: 120_000 };
const MAIN = new URL("../src/main.js", import.meta.url).pathname;

function start(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stdout,
    stderr,
  }));
  const said = async (what: RegExp): Promise<string> => {
    for (;;) {
      const found = what.exec(stdout)?.[0];
      if (found !== undefined) return found;
      await Promise.race([
        once(child.stdout, "data"),
        ended.then(({ stderr }) => Promise.reject(new Error(`It ended: ${stderr}`))),
      ]);
    }
  };
  return { child, ended, said };
}

test("the program prints the page's address, serves it on loopback alone, and ends with Ctrl-C", PATIENT, async () => {
  const place = newPlace();
  const { pid } = await party("crowd", place);
  for (const domain of [place, String(pid)]) {
    const { child, ended, said } = start(domain, "--no-open");
    const url = await said(/http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}/);
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<title>dmabuf inspector<\/title>/);
    // A page that listens does not keep the program.
    const events = await fetch(url.replace("/?", "/events?"));
    child.kill("SIGINT");
    const { code, signal } = await ended;
    assert.deepEqual([code, signal], [0, null]);
    await events.text().catch(() => {});
  }
});

test("a domain's own name leads to it", PATIENT, async () => {
  const place = newPlace();
  await party("crowd", place);
  const { ProcessDomain } = await import("dmabuf/node");
  const { domains } = ProcessDomain.domains();
  const domain = domains.find(({ places }) => places.includes(place))?.domain ?? "";
  const { child, ended, said } = start(domain, "--no-open");
  await said(/http:\S+/);
  child.kill("SIGTERM");
  assert.equal((await ended).code, 0);
});

test("what cannot be shown is said in one line, without a stack", PATIENT, async () => {
  const wrong: [args: string[], said: RegExp, code?: number][] = [
    [[newPlace(), "--no-open"], /^dmabuf-inspector: .*no process listens there/],
    [["999999999", "--no-open"], /^dmabuf-inspector: .*there is no such process/],
    [["0123456789abcdef0123456789abcdef", "--no-open"], /^dmabuf-inspector: .*there is none of that name/],
    [["--port", "70000"], /must be a whole number from 0 to 65535/, 2],
    [["--nonsense"], /unknown option/, 2],
  ];
  for (const [args, said, expected = 1] of wrong) {
    const { code, stderr, stdout } = await start(...args).ended;
    assert.equal(code, expected, args.join(" "));
    assert.match(stderr, said);
    assert.equal(stdout, "");
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("a port that another program has is said to be so", PATIENT, async () => {
  const place = newPlace();
  await party("crowd", place);
  const first = start(place, "--no-open");
  const port = new URL(await first.said(/http:\S+/)).port;
  const { code, stderr } = await start(place, "--no-open", "--port", port).ended;
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^dmabuf-inspector: Cannot serve the inspector on port ${port}`));
  first.child.kill("SIGINT");
  await first.ended;
});

test("--help tells the options", PATIENT, async () => {
  const { code, stdout } = await start("--help").ended;
  assert.equal(code, 0);
  for (const option of ["--port", "--open", "--no-open", "--wait", "[domain]"])
    assert.ok(stdout.includes(option), option);
});
