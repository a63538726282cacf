import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain, isPending, joinDomain, pause, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { slotOf } from "./agent-slot.js";
import { Agent, type WaitCondition } from "./agent.js";
import { AGENT } from "./layout.js";

const never = { arm: () => {}, ready: () => false };

const unexpected = (): never => {
  throw new Error("this watch must not end");
};

/** The word that counts an agent's rings. */
function bellOf(agent: Agent): number {
  return agent.layout.agent(slotOf(agent.identity)) + AGENT.DOORBELL;
}

function ring(agent: Agent): number {
  agent.memory.add(bellOf(agent), 1);
  return agent.memory.wake(bellOf(agent));
}

test("a watch is armed before it is looked at, at its start and after each ring", { timeout: 10_000 }, async (t) => {
  const agent = agentOf(createDomain(t));
  const calls: string[] = [];
  const done = new Promise<void>((resolve) => {
    const awaited = {
      arm: () => void calls.push("arm"),
      ready: () => calls.push("look") === 4,
    };
    agent.watch(awaited, resolve);
  });
  assert.deepEqual(calls, ["arm", "look"]);
  ring(agent);
  await done;
  assert.deepEqual(calls, ["arm", "look", "arm", "look"]);
});

test("watches that callbacks add leave one sleeper at the doorbell, however many there were", async (t) => {
  const agent = agentOf(createDomain(t));
  let rings = 0;
  let left = 20;
  const next = (): void => {
    const seen = rings;
    if (left-- > 0) agent.watch({ arm: () => {}, ready: () => rings > seen }, next);
  };
  agent.watch(never, () => {});
  next();
  while (left >= 0) {
    rings++;
    ring(agent);
    await pause(0);
  }
  assert.equal(ring(agent), 1);
});

test("a watch whose condition or callback throws is reported, and the others go on", { timeout: 10_000 }, async (t) => {
  const agent = agentOf(createDomain(t));
  let open = false;
  let called = 0;
  const failures: unknown[] = [];
  const bad = {
    arm: () => {},
    ready: () => {
      if (open) throw new Error("bad condition");
      return false;
    },
  };
  agent.watch(bad, unexpected, (error) => failures.push(error));
  agent.watch({ arm: () => {}, ready: () => open }, () => void called++);
  open = true;
  ring(agent);
  await until(() => called === 1);
  assert.deepEqual(failures, [new Error("bad condition")]);
});

test("a watch that was ended is not looked at again", async (t) => {
  const agent = agentOf(createDomain(t));
  let looks = 0;
  const counted: WaitCondition = { arm: () => {}, ready: () => looks++ < 0, recheckAfter: () => 1 };
  const end = agent.watch(counted, unexpected);
  end();
  ring(agent);
  await pause(20);
  assert.equal(looks, 1);
});

test("a wait that begins after its agent has left is ECANCELED", { timeout: 10_000 }, async (t) => {
  const domain = createDomain(t);
  const worker = joinDomain(t, domain);
  const fence = worker.import(domain.createTimeline().createFence().handle());
  worker.close();
  await assert.rejects(agentOf(worker).wait(never), { code: "ECANCELED" });
  await assert.rejects(fence.wait(), { code: "ECANCELED" });
});

test("waitSync() and wait() look again at the end of their time", { ...BLOCKS, timeout: 10_000 }, async (t) => {
  const agent = agentOf(createDomain(t));
  assert.equal(agent.waitSync(never, 0), false);
  assert.equal(agent.waitSync(never, 5), false);
  let looks = 0;
  // Ready only at a look that no ring asks for.
  const overdue = { arm: () => {}, ready: () => ++looks === 3 };
  assert.equal(await agent.wait(overdue, { timeout: 5 }), true);
});

test(
  "a blocking wait for another agent's fence leaves no sleeper behind",
  { ...BLOCKS, timeout: 10_000 },
  async (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    await untilQuiet(agentOf(worker));
    const fence = worker.import(domain.createTimeline().createFence().handle());
    assert.equal(fence.waitSync({ timeout: 1 }), "timed-out");
    assert.equal(ring(agentOf(worker)), 0);
  },
);

test("spinning that does not help is cut down, and now and then tried in full again (agent.1)", BLOCKS, (t) => {
  const agent = agentOf(createDomain(t));
  let now = 0;
  const clocked = new Agent(agent, agent.identity, { ...agent.host, nowNs: () => (now += 100), spinNs: 50_000 });
  const looks = Array.from({ length: 65 }, () => {
    let count = 0;
    // The time passes before it parks.
    clocked.waitSync({ arm: () => void (now += 1e6), ready: () => ++count === 0 }, 1);
    return count;
  });
  assert.ok(looks[0]! > looks[1]! && looks[1]! > looks[2]!);
  assert.ok(looks[63]! < looks[0]! / 10);
  assert.equal(looks[64], looks[0]);
});

test("a wait for a hold that is taken rings no agent while it lasts", { timeout: 10_000 }, async (t) => {
  const domain = createDomain(t);
  const worker = joinDomain(t, domain);
  const buffer = domain.allocate(1);
  const theirs = worker.import(buffer.handle());
  await untilQuiet(agentOf(domain));
  for (const [held, wanted] of [
    ["write", "read"],
    ["write", "write"],
    ["read", "write"],
  ] as const) {
    const access = theirs.tryAccess(held)!;
    const waiting = buffer.access(wanted);
    const rings = agentOf(domain).memory.load(bellOf(agentOf(domain)));
    assert.equal(await isPending(waiting), true);
    assert.equal(agentOf(domain).memory.load(bellOf(agentOf(domain))), rings);
    access[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  }
});

/** Waits until nothing rings the agent any more, and it waits for nothing: it is watched late in Firefox and WebKit. */
async function untilQuiet(agent: Agent): Promise<void> {
  const rings = (): number => agent.memory.load(bellOf(agent));
  for (let seen = -1; seen !== rings(); await pause(50)) seen = rings();
  await until(() => ring(agent) === 0);
}
