/** The hosts and the network of the lab do what tests rely on. */
import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DelayProxy, Lab, missing, Party, type LabHost } from "../src/index.js";

const PEER = new URL("peer.js", import.meta.url);
const PORT = 7_000;
const skip = missing("network", "loss") ?? false;
if (skip !== false) console.error(`host-lab: skipped: ${skip}`);
const OPTIONS = { skip, timeout: 120_000 };

function makeLab(t: TestContext, hosts = 2): Lab {
  const lab = Lab.create(hosts);
  t.after(() => lab.close());
  return lab;
}

function start(t: TestContext, host?: LabHost): Party {
  const party = new Party(PEER, { host });
  t.after(() => party.kill());
  return party;
}

/** A server on the first host, and a client on the second that is connected to it. */
async function pair(t: TestContext, lab: Lab): Promise<readonly [Party, Party]> {
  const [server, client] = [start(t, lab.hosts[0]), start(t, lab.hosts[1])];
  await server.ask("serve", PORT);
  await client.ask("connect", { host: lab.hosts[0]!.address, port: PORT });
  return [server, client];
}

function namespaces(): string[] {
  if (!existsSync("/run/netns")) return [];
  return readdirSync("/run/netns").filter((name) => name.startsWith(`dmabuf-${process.pid}-`));
}

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await sleep(5);
}

test("three hosts reach each other, and have ports and abstract sockets of their own (lab.1)", OPTIONS, async (t) => {
  const before = readFileSync("/proc/net/dev", "utf8").split("\n").length;
  const lab = makeLab(t, 3);
  const parties = lab.hosts.map((host) => start(t, host));
  const place = "\0dmabuf lab test";
  for (const party of parties) {
    await party.ask("serve", PORT);
    await party.ask("serve", place);
  }
  for (const party of parties) {
    for (const { address } of lab.hosts) {
      await party.ask("connect", { host: address, port: PORT });
      await party.ask("send", 1_000);
    }
    await party.ask("connect", { path: place });
    await party.ask("send", 10);
  }
  assert.equal(readFileSync("/proc/net/dev", "utf8").split("\n").length, before);
  lab.close();
  assert.deepEqual(namespaces(), []);
  await until(() => parties.every(({ hasEnded }) => hasEnded));
});

test("a host has the rate that it is given, and its bytes are counted", OPTIONS, async (t) => {
  const lab = makeLab(t);
  const [, client] = await pair(t, lab);
  const host = lab.hosts[1]!;
  host.rate(80);
  const before = host.bytes();
  // 10 MB/s, less what the queue takes at once.
  assert.ok((await client.ask<number>("send", 4_000_000)) >= 300);
  const after = host.bytes();
  for (const way of ["received", "sent"] as const) {
    const bytes = after[way] - before[way];
    assert.ok(bytes >= 4_000_000 && bytes < 6_000_000, `${way} ${bytes}`);
  }
  host.rate();
  await client.ask("send", 4_000_000);
});

test("packets are lost, and TCP mends it", OPTIONS, async (t) => {
  const lab = makeLab(t);
  const [, client] = await pair(t, lab);
  for (const host of lab.hosts) host.lose(50);
  await client.ask("send", 4_000_000);
  assert.ok(lab.hosts[0]!.lost() + lab.hosts[1]!.lost() > 0);
  for (const host of lab.hosts) host.lose(0);
  await client.ask("send", 1_000);
});

test("a reset ends connections with an error, and new ones come as soon as it is over", OPTIONS, async (t) => {
  const lab = makeLab(t);
  const [, client] = await pair(t, lab);
  lab.hosts[0]!.reset(true);
  client.ask("send", 1_000).catch(() => {});
  assert.equal(await client.hear("error"), "ECONNRESET");
  lab.hosts[0]!.reset(false);
  await client.ask("connect", { host: lab.hosts[0]!.address, port: PORT });
  await client.ask("send", 1_000);
});

test("a cable that is pulled is silence, and what was sent comes when it is in again (lab.3)", OPTIONS, async (t) => {
  const lab = makeLab(t);
  const [server, client] = await pair(t, lab);
  lab.hosts[0]!.cable(false);
  const sent = client.ask("send", 1_000);
  await sleep(500);
  assert.deepEqual([client.news, server.news, await client.ask("received")], [[], [], 0]);
  lab.hosts[0]!.cable(true);
  assert.ok(((await sent) as number) >= 490);
});

test("a long cable delays all bytes, loses none, and can be cut", { timeout: 60_000 }, async (t) => {
  const [server, client] = [start(t), start(t)];
  const port = await server.ask<number>("serve", 0);
  const proxy = await DelayProxy.start({ host: "127.0.0.1", port }, 40);
  t.after(() => proxy.close());
  await client.ask("connect", { host: "127.0.0.1", port: proxy.port });
  assert.ok((await client.ask<number>("send", 1_000_000)) >= 79);
  proxy.cut();
  await client.hear("closed");
});

test(
  "a party that is stopped answers when it goes on, and one that is killed never",
  { timeout: 60_000 },
  async (t) => {
    const party = start(t);
    await party.stop();
    const asked = party.ask("received");
    assert.equal(await Promise.race([asked, sleep(100).then(() => "nothing")]), "nothing");
    party.goOn();
    assert.equal(await asked, 0);
    await assert.rejects(party.ask("dance"), /there is no order dance/);
    await party.stop();
    const unheard = party.ask("received");
    const refused = assert.rejects(unheard, /the process has ended with SIGKILL/);
    await party.kill();
    await refused;
    await assert.rejects(party.ask("received"), /the process has ended with SIGKILL/);
  },
);

/** What an owner has, which is killed. */
async function doomedLab(): Promise<{ readonly pid: number; readonly pids: number[] }> {
  const owner = fork(fileURLToPath(new URL("doomed.js", import.meta.url)));
  const [{ pids }] = (await once(owner, "message")) as [{ pids: number[] }];
  return { pid: owner.pid!, pids };
}

function leftOf(owner: number): string[] {
  return readdirSync("/run/netns").filter((name) => name.startsWith(`dmabuf-${owner}-`));
}

const NATS = { ...OPTIONS, skip: missing("network", "loss", "nats") ?? false };

test("nothing is left of a lab whose owner was killed (lab.2)", NATS, async () => {
  const { pid, pids } = await doomedLab();
  assert.equal(leftOf(pid).length, 3);
  process.kill(pid, "SIGKILL");
  await until(() => leftOf(pid).length === 0 && pids.every((each) => !existsSync(`/proc/${each}`)));
});

test("what a dead owner and its dead guardian have left is removed by the next lab (lab.2)", NATS, async (t) => {
  const { pid, pids } = await doomedLab();
  const children = spawnSync("ps", ["-o", "pid=,args=", "--ppid", String(pid)], { encoding: "utf8" }).stdout;
  const guardian = children.split("\n").find((line) => line.includes("guardian dmabuf-"));
  process.kill(Number.parseInt(guardian!, 10), "SIGKILL");
  process.kill(pid, "SIGKILL");
  await until(() => !existsSync(`/proc/${pid}`));
  assert.equal(leftOf(pid).length, 3);
  makeLab(t);
  assert.equal(leftOf(pid).length, 0);
  await until(() => pids.every((each) => !existsSync(`/proc/${each}`)));
});
