/** Hosts that find each other by NATS: what the end of one server, of all, and of one of three disturbs. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missing, type Party, startCluster, startNats, type Lab, type NatsServer } from "dmabuf-host-lab";
import { allThere, joinAll, makeLab, ON_HOSTS, told, until } from "./on-hosts.js";

const WITH_NATS = { ...ON_HOSTS, skip: ON_HOSTS.skip || (missing("nats") ?? false) };
const LIMIT = 4_000;

function byServers(t: TestContext, lab: Lab, servers: readonly NatsServer[]): Promise<readonly Party[]> {
  return joinAll(t, lab, { peers: [], servers: servers.map(({ url }) => url), hostLimit: LIMIT });
}

/** Two that meet each other at the same time may begin anew. */
function lostBy(agents: readonly Party[]): unknown[] {
  return agents.flatMap((agent) => told(agent, "lost"));
}

test(
  "hosts find each other by a server, whose death loses none, and find one another again when it is back",
  WITH_NATS,
  async (t) => {
    const lab = makeLab(t);
    const server = await startNats(lab.hosts[0]);
    t.after(() => server.close());
    const agents = await byServers(t, lab, [server]);
    await allThere(agents);
    const lostAtFirst = lostBy(agents).length;
    await server.kill();
    await sleep(1.5 * LIMIT);
    assert.equal(lostBy(agents).length, lostAtFirst);
    await server.start();
    lab.hosts[1]!.cable(false);
    await until(() => lostBy(agents).length >= lostAtFirst + 2);
    lab.hosts[1]!.cable(true);
    await allThere(agents);
  },
);

test("a server that is stopped loses no host either", WITH_NATS, async (t) => {
  const lab = makeLab(t);
  const server = await startNats(lab.hosts[0]);
  t.after(() => server.close());
  const agents = await byServers(t, lab, [server]);
  await allThere(agents);
  const lostAtFirst = lostBy(agents).length;
  server.stop();
  await sleep(1.5 * LIMIT);
  assert.equal(lostBy(agents).length, lostAtFirst);
  server.goOn();
  await allThere(agents);
});

test("of three servers one is killed: no host is lost, and one that comes later is found", WITH_NATS, async (t) => {
  const lab = makeLab(t, 3);
  const servers = await startCluster(lab.hosts);
  for (const server of servers) t.after(() => server.close());
  const agents = await byServers(t, lab, servers);
  await allThere(agents);
  const lostAtFirst = lostBy(agents).length;
  await servers[0]!.kill();
  await sleep(1.5 * LIMIT);
  assert.equal(lostBy(agents).length, lostAtFirst);
  await agents[2]!.kill();
  const rest = agents.slice(0, 2);
  await until(() => rest.every((agent) => told(agent, "lost").at(-1)?.name === "c"));
  const late = await byServers(t, { hosts: lab.hosts.slice(2) } as unknown as Lab, servers);
  await allThere([...rest, ...late]);
});
