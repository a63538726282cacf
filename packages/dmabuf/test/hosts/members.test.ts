/** Which hosts there are, on real networks that break: with a process for each host's agent. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Party } from "dmabuf-host-lab";
import { allThere, joinAll, makeLab, ON_HOSTS, told, until, type Told } from "./on-hosts.js";
import { PLANTED, plant, type PlantedName } from "./planted.js";

/** Long enough for a machine that is ten times slower to be heard in time. */
const PATIENT = 8_000;
const LIMIT = 2_000;

async function self(agent: Party): Promise<Told> {
  return agent.ask<Told>("self");
}

test(
  "three hosts find each other, and one that is killed is lost at once to both others (host-peers.3)",
  ON_HOSTS,
  async (t) => {
    const lab = makeLab(t, 3);
    const agents = await joinAll(t, lab, { hostLimit: 60_000 });
    await allThere(agents);
    await agents[2]!.kill();
    const others = agents.slice(0, 2);
    await until(() => others.every((agent) => told(agent, "lost").length === 1));
    for (const agent of others) assert.equal(told(agent, "lost")[0]!.name, "c");
    await allThere(others);
  },
);

/** A cable is pulled for longer than the limit. What each host is called afterwards must be new (host-peers.6). */
async function cutAndMend(t: TestContext, fault?: PlantedName): Promise<void> {
  const lab = makeLab(t);
  const agents = await joinAll(t, lab, { hostLimit: LIMIT }, fault);
  await allThere(agents);
  const begin = performance.now();
  lab.hosts[1]!.cable(false);
  await until(() => agents.every((agent) => told(agent, "lost").length > 0));
  assert.ok(performance.now() - begin >= LIMIT * 0.7, "beats were heard until the cable was pulled");
  lab.hosts[1]!.cable(true);
  await allThere(agents);
  for (const agent of agents) {
    for (const [index, { id, incarnation }] of told(agent, "found").entries()) {
      const before = told(agent, "found")
        .slice(0, index)
        .filter((other) => other.id === id);
      const last = Math.max(0, ...before.map((other) => other.incarnation));
      assert.ok(incarnation > last, `incarnation ${incarnation} was accepted after ${last}`);
    }
  }
}

test(
  "two hosts whose cable was pulled lose each other, and meet again under new incarnations (host-peers.6)",
  ON_HOSTS,
  (t) => cutAndMend(t),
);

/** A host is stopped without a network, so that it cannot be told: it must find out by itself that it is lost (host-peers.5). */
async function stopAlone(t: TestContext, fault?: PlantedName): Promise<void> {
  const lab = makeLab(t);
  const agents = await joinAll(t, lab, { hostLimit: LIMIT }, fault);
  await allThere(agents);
  const sleeper = agents[1]!;
  const before = (await self(sleeper)).incarnation;
  lab.hosts[1]!.cable(false);
  await sleeper.stop();
  await sleep(2 * LIMIT);
  sleeper.goOn();
  await until(() => told(sleeper, "lost").length > 0);
  assert.ok((await self(sleeper)).incarnation > before, "it has not found by its own clock that it is lost");
  lab.hosts[1]!.cable(true);
  await allThere(agents);
}

test("a host that was stopped finds by its own clock that it is lost, and comes back (host-peers.5)", ON_HOSTS, (t) =>
  stopAlone(t),
);

/** Hosts that have nothing to say stay connected (host-peers.1). */
async function stayIdle(t: TestContext, fault?: PlantedName): Promise<void> {
  const limit = fault === undefined ? PATIENT : LIMIT;
  const agents = await joinAll(t, makeLab(t), { hostLimit: limit }, fault);
  await allThere(agents);
  await sleep(1.5 * limit);
  assert.deepEqual(
    agents.flatMap((agent) => told(agent, "lost")),
    [],
  );
}

test("hosts that have nothing to say to each other stay connected (host-peers.1)", ON_HOSTS, (t) => stayIdle(t));

test("a network that loses packets loses no host", ON_HOSTS, async (t) => {
  const lab = makeLab(t);
  for (const host of lab.hosts) host.lose(20);
  const agents = await joinAll(t, lab, { hostLimit: PATIENT });
  await allThere(agents);
  await sleep(3_000);
  assert.deepEqual(
    agents.flatMap((agent) => told(agent, "lost")),
    [],
  );
});

test("each fault has its place in the library", () => {
  for (const fault of Object.values(PLANTED)) plant(fault);
});

const FOUND: readonly [PlantedName, typeof stopAlone, RegExp][] = [
  ["past incarnation", cutAndMend, /incarnation 1 was accepted after 1/],
  ["no look at its own clock", stopAlone, /it has not found by its own clock that it is lost/],
  ["no beat", stayIdle, /was silent for \d+ ms/],
];

for (const [fault, run, found] of FOUND) {
  test(`the fault is found: ${fault}`, ON_HOSTS, (t) => assert.rejects(run(t, fault), found));
}
