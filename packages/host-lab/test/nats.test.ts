/** NATS servers of a test's own: alone and three together, killed, stopped and started again. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Lab, missing, Party, startCluster, startNats, type LabHost, type NatsServer } from "../src/index.js";

const PEER = new URL("peer.js", import.meta.url);
const skip = missing("nats") ?? false;
if (skip !== false) console.error(`host-lab: skipped: ${skip}`);
const OPTIONS = { skip, timeout: 180_000 };
const ON_HOSTS = { ...OPTIONS, skip: missing("nats", "network", "loss") ?? false };

/** A client that speaks to a server. */
async function connect(t: TestContext, { url }: NatsServer, host?: LabHost): Promise<Party> {
  const client = new Party(PEER, { host });
  t.after(() => client.kill());
  const { hostname, port } = new URL(url);
  await client.ask("connect", { host: hostname, port: Number(port) });
  await client.ask("say", { line: 'CONNECT {"verbose":true}', expected: "+OK" });
  return client;
}

test("a server is killed, and started again at its place", OPTIONS, async (t) => {
  const server = await startNats();
  t.after(() => server.close());
  const client = await connect(t, server);
  await server.kill();
  await client.hear("closed");
  await assert.rejects(connect(t, server), /ECONNREFUSED/);
  await server.start();
  await connect(t, server);
  const { pid } = server;
  server.close();
  while (existsSync(`/proc/${pid}`)) await sleep(5);
});

test("a server that is stopped says nothing until it goes on", ON_HOSTS, async (t) => {
  const lab = Lab.create(2);
  t.after(() => lab.close());
  const server = await startNats(lab.hosts[0]);
  t.after(() => server.close());
  const client = await connect(t, server, lab.hosts[1]);
  server.stop();
  const pong = client.ask("say", { line: "PING", expected: "PONG" });
  assert.equal(await Promise.race([pong, sleep(200).then(() => "nothing")]), "nothing");
  server.goOn();
  await pong;
});

test("of a cluster of three, two go on without the third", ON_HOSTS, async (t) => {
  const lab = Lab.create(3);
  t.after(() => lab.close());
  const servers = await startCluster(lab.hosts);
  for (const server of servers) t.after(() => server.close());
  const [first, second, third] = await Promise.all(servers.map((server, i) => connect(t, server, lab.hosts[i])));
  const say = async (from: Party, to: Party, subject: string): Promise<void> => {
    const heard = to.ask("say", { line: `SUB ${subject} ${subject}`, expected: `MSG ${subject} ${subject} 5` });
    // The other server hears of the subscription some time later.
    for (let isHeard = false; !isHeard; await sleep(20)) {
      await from.ask("say", { line: `PUB ${subject} 5\r\nhello`, expected: "+OK" });
      isHeard = await Promise.race([heard.then(() => true), sleep(20).then(() => false)]);
    }
  };
  await say(first!, third!, "before");
  await servers[1]!.kill();
  await second!.hear("closed");
  await say(first!, third!, "after");
});
