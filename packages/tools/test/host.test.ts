/** `dmabuf host`: what it says of itself, of the hosts that come and go, and of a wrong command line. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { rawFormat } from "dmabuf";
import { Hosts } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";
import { dmabuf, DMABUF, LIMITED } from "./processes.js";

const KEY = "a key of these tests";

function keyFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-host-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "key");
  writeFileSync(file, `${KEY}\n`, { mode: 0o600 });
  return file;
}

interface Running {
  readonly child: ChildProcess;
  /** Until it has said that. */
  said(what: RegExp): Promise<RegExpExecArray>;
}

function start(t: TestContext, ...args: readonly string[]): Running {
  const child = spawn(process.execPath, [DMABUF, "host", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  let look = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    look();
  });
  return {
    child,
    async said(what) {
      for (;;) {
        const found = what.exec(text);
        if (found !== null) return found;
        await new Promise<void>((resolve) => (look = resolve));
      }
    },
  };
}

test("two hosts say where they are, and that the other one has come and gone; Ctrl-C ends them", LIMITED, async (t) => {
  const file = keyFile(t);
  const places = [1, 2].map((n) => `@dmabuf host test ${process.pid} ${n}`);
  const common = ["--bind", "127.0.0.1", "--key-file", file, "--limit", "10000"];
  const one = start(t, ...common, "--name", "one", "--listen", places[0]!);
  const [, address] = await one.said(
    /Host one listens for others at (127\.0\.0\.1:\d+)\. Its domain is at @dmabuf host/,
  );
  const two = start(t, ...common, "--name", "two", "--listen", places[1]!, "--peers", address!);
  await one.said(/ {2}\+ two at 127\.0\.0\.1:\d+\n/);
  await two.said(/ {2}\+ one at 127\.0\.0\.1:\d+\n/);
  // A process of the domain uses the host.
  using domain = await ProcessDomain.connect(places[0]!);
  await using hosts = await Hosts.connect(domain);
  assert.deepEqual(
    hosts.list().map(({ name }) => name),
    ["two"],
  );
  two.child.kill("SIGINT");
  assert.deepEqual(await once(two.child, "exit"), [0, null]);
  await one.said(/ {2}- two at .*has left/);
  one.child.kill("SIGTERM");
  assert.deepEqual(await once(one.child, "exit"), [0, null]);
});

test("the streams of --streams alone are offered, and each relay is said on both hosts", LIMITED, async (t) => {
  const file = keyFile(t);
  const places = [3, 4].map((n) => `@dmabuf host test ${process.pid} ${n}`);
  const common = ["--bind", "127.0.0.1", "--key-file", file, "--limit", "10000"];
  const offered = ["--streams", "camera,screen"];
  const one = start(t, ...common, "--name", "one", "--listen", places[0]!, ...offered);
  const [, address] = await one.said(/listens for others at (127\.0\.0\.1:\d+)\./);
  const two = start(t, ...common, "--name", "two", "--listen", places[1]!, "--peers", address!);
  await two.said(/ {2}\+ one at/);
  using there = await ProcessDomain.connect(places[0]!);
  using hidden = there.createStream({ name: "hidden", format: rawFormat(8) });
  using camera = there.createStream({ name: "camera", format: rawFormat(8) });
  using here = await ProcessDomain.connect(places[1]!);
  await using hosts = await Hosts.connect(here);
  {
    using stream = await hosts.findStream("camera", { timeout: 20_000 });
    using consumer = stream.frames();
    await camera.waitForConsumers(1);
    (await camera.loan())?.publish({ data: 7 });
    using frame = await consumer.next({ timeout: 20_000 });
    assert.equal(frame?.data, 7);
    await one.said(/ {2}> stream camera to two\n/);
    await two.said(/ {2}> stream camera from one\n/);
    assert.deepEqual(
      (await hosts.streams()).map(({ name }) => name),
      ["camera"],
      `${hidden.name} is offered`,
    );
  }
  await two.said(/ {2}\| stream camera from one: No consumer is left\n/);
  await one.said(/ {2}\| stream camera to two: The other host takes no more/);
});

test("a wrong command line says what is missing, and what cannot be done is said in one line", LIMITED, async (t) => {
  const bind = ["host", "--bind", "127.0.0.1"];
  const key = ["--key-file", keyFile(t)];
  for (const [args, code, says] of [
    [["host"], 2, /required option '-b, --bind <address>'/],
    [[...bind, "--listen", "@x"], 2, /How do hosts find each other\?/],
    [[...bind, ...key], 2, /--listen PLACE makes one, --connect PLACE joins one/],
    [[...bind, ...key, "--listen", "@x", "--connect", "@y"], 2, /cannot be used with/],
    [[...bind, ...key, "--port", "x", "--listen", "@x"], 2, /from 0 to 65535/],
    [[...bind, "--key-file", "/no/such/file", "--listen", "@x"], 1, /Cannot read the key: ENOENT/],
    [[...bind, ...key, "--connect", "@dmabuf nothing listens here"], 3, /no process listens at @dmabuf nothing/],
    [
      ["host", "--bind", "192.0.2.1", ...key, "--listen", `@dmabuf ${process.pid} b`],
      1,
      /Cannot listen at 192\.0\.2\.1/,
    ],
    [[...bind, "--servers", "nats://127.0.0.1:1", "--listen", `@dmabuf ${process.pid} c`], 3, /Cannot connect to NATS/],
  ] as const) {
    const result = await dmabuf(...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.doesNotMatch(result.stderr, /\n {4}at /);
  }
});
