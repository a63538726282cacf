/** Looking changes nothing: processes that are killed and stopped at random lose nothing while inspectors come and are killed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ProcessDomain } from "dmabuf/node";

const LIMITED = { timeout: 280_000 };
const LIBRARY = dirname(createRequire(import.meta.url).resolve("dmabuf/package.json"));
const CHAOS = join(LIBRARY, "dist", "test", "process", "chaos", "main.js");
const MAIN = new URL("../src/main.js", import.meta.url).pathname;
const SECONDS = 4;
/** Milliseconds that an inspector lives at most after its page has seen the domain. */
const LIFE = 1_500;

test(
  "a chaos run has the same invariants while inspectors show it and its bytes, and are killed again and again",
  LIMITED,
  async (t) => {
    const chaos = program(t, CHAOS, "--seconds", String(SECONDS));
    let domain: string | undefined;
    while (domain === undefined && !chaos.isOver()) {
      domain = ProcessDomain.domains().domains.find(({ processes }) => processes.includes(chaos.child.pid!))?.domain;
      await sleep(20);
    }
    assert.ok(domain !== undefined, chaos.said());

    let [snapshots, bytes] = [0, 0];
    while (!chaos.isOver()) {
      const seen = await onlooker(t, domain);
      snapshots += seen.snapshots;
      bytes += seen.bytes;
    }
    assert.equal(chaos.child.exitCode, 0, chaos.said());
    assert.ok(snapshots > 0, "no page has seen the domain");
    assert.ok(bytes > 0, "no page has seen what is in a buffer");
  },
);

/** A program, killed with the test. */
function program(t: TestContext, ...args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let [said, isOver] = ["", false];
  for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", (text) => (said += text));
  const ended = once(child, "close").then(() => (isOver = true));
  return { child, ended, isOver: () => isOver, said: () => said };
}

/** Comes, shows a page what there is, and is killed at any moment of it. @returns What the page has seen before. */
async function onlooker(t: TestContext, domain: string): Promise<{ snapshots: number; bytes: number }> {
  const inspector = program(t, MAIN, domain, "--no-open");
  const seen = { snapshots: 0, bytes: 0 };
  let url: string | undefined;
  while (url === undefined && !inspector.isOver()) {
    url = /http:\S+\n/.exec(inspector.said())?.[0].trim();
    await sleep(20);
  }
  const looks = url === undefined ? undefined : look(url, seen);
  while (seen.snapshots === 0 && !inspector.isOver()) await sleep(20);
  await Promise.race([sleep(Math.random() * LIFE), inspector.ended]);
  inspector.child.kill("SIGKILL");
  await inspector.ended;
  await looks;
  // One that comes when the domain ends says so, and no inspector has ended by a mistake of its own.
  assert.doesNotMatch(inspector.said(), /\n {4}at /);
  return seen;
}

/** What a page does: hears of each change, and asks for the bytes of one buffer after the other. It ends with the inspector. */
async function look(url: string, seen: { snapshots: number; bytes: number }): Promise<void> {
  try {
    const [events] = (await once(get(url.replace("/?", "/events?")), "response")) as [IncomingMessage];
    for await (const text of events.setEncoding("utf8") as AsyncIterable<string>) {
      seen.snapshots += text.match(/^event: (first|change)$/gm)?.length ?? 0;
      for (const [, inode] of text.matchAll(/"inode":(\d+)/g)) {
        const answer = await fetch(`${url.replace("/?", "/bytes?")}&buffer=${inode}&length=4096`);
        if ((await answer.arrayBuffer()).byteLength > 0 && answer.ok) seen.bytes++;
      }
    }
  } catch {
    // The inspector was killed in the middle of it.
  }
}
