/** Looking changes nothing: processes that are killed and stopped at random lose nothing while onlookers come and are killed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DMABUF, json, PLAIN_ENVIRONMENT, until } from "./processes.js";
import { Terminal } from "./terminal.js";

const LIMITED = { timeout: 280_000 };
const LIBRARY = dirname(createRequire(import.meta.url).resolve("dmabuf/package.json"));
const CHAOS = join(LIBRARY, "dist", "test", "process", "chaos", "main.js");
const SECONDS = 4;
/** Milliseconds that an onlooker lives at most. */
const LIFE = 1_500;

interface List {
  readonly domains: readonly { readonly domain: string; readonly processes: readonly number[] }[];
}

test(
  "a chaos run has the same invariants while top looks at it in a terminal and is killed again and again",
  LIMITED,
  async (t) => {
    const chaos = spawn(process.execPath, [CHAOS, "--seconds", String(SECONDS)], { env: PLAIN_ENVIRONMENT });
    t.after(() => chaos.kill("SIGKILL"));
    let said = "";
    for (const output of [chaos.stdout, chaos.stderr]) output.setEncoding("utf8").on("data", (text) => (said += text));
    const ended = once(chaos, "close");
    let domain: string | undefined;
    await until(async () => {
      const { domains } = await json<List>(0, "ls").catch(() => ({ domains: [] }));
      domain = domains.find(({ processes }) => processes.includes(chaos.pid!))?.domain;
      return domain !== undefined || chaos.exitCode !== null;
    });
    assert.ok(domain !== undefined, said);

    let looked = 0;
    while (chaos.exitCode === null && chaos.signalCode === null) looked += Number(await onlooker(t, domain));
    const [code] = (await ended) as [number];
    assert.equal(code, 0, said);
    assert.ok(looked > 0, "no onlooker has seen the domain");
  },
);

/** Comes, looks, and is killed at any moment of it. @returns Whether it has seen the domain before. */
async function onlooker(t: TestContext, domain: string): Promise<boolean> {
  const args = [DMABUF, "top", domain, "--interval", "0.2"];
  const terminal = new Terminal(t, process.execPath, args, { columns: 100, rows: 30 });
  const isSeen = (): boolean => /\d+ buffers/.test(terminal.screen.text);
  let isOver = false;
  void terminal.ended.then(() => (isOver = true));
  await until(() => isSeen() || isOver);
  await sleep(Math.random() * LIFE);
  const hasSeen = isSeen();
  if (!isOver) process.kill(terminal.pid, "SIGKILL");
  await terminal.ended;
  return hasSeen;
}
