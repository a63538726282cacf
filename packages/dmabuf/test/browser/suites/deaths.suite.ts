/** Who notices whose end in a browser, and what becomes of invitations that are lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Domain, type Invitation } from "../../../src/index.js";
import { until } from "../../agents.js";
import { Remote } from "./remote.js";

/** A worker that is terminated while it computes runs on for two seconds in Chromium. */
const PATIENT = { timeout: 30_000 };

function createDomain(agents = 8): Domain {
  return Domain.create({ agents, buffers: 16, timelines: 8, oneShots: 16, streams: 4 });
}

async function join(remote: Remote, invitation: Invitation): Promise<void> {
  await remote.tell("join", invitation, [invitation.port]);
}

/** Has one worker invite another one. */
async function introduce(inviter: Remote, invited: Remote, name: string): Promise<void> {
  await join(invited, await inviter.tell("invite", { name }));
}

/** Terminates workers while they wait for messages, or while they compute. */
async function terminate(how: "idle" | "busy", ...remotes: Remote[]): Promise<void> {
  if (how === "busy") for (const remote of remotes) await remote.tell("compute", undefined);
  for (const remote of remotes) remote.terminate();
}

for (const how of ["idle", "busy"] as const) {
  describe(`a worker that is terminated while it is ${how}`, () => {
    test("is noticed by the one that it has invited, whose waits end (lifeline.1)", PATIENT, async () => {
      using founder = new Remote();
      using other = new Remote();
      await founder.tell("create", "founder");
      await introduce(founder, other, "other");
      await other.tell("consume", await founder.tell("produce", undefined));
      await terminate(how, founder);
      assert.equal(await other.tell("ended", undefined), "ESRCH");
      await other.tell("alone", ["other"]);
    });

    test("together with the one that it has invited, is noticed as both (lifeline.3)", PATIENT, async () => {
      using domain = createDomain();
      using inviter = new Remote();
      using invited = new Remote();
      await join(inviter, domain.invite({ name: "inviter" }));
      await introduce(inviter, invited, "invited");
      const consumer = domain.import(await invited.tell("produce", undefined)).frames();
      assert.deepEqual(domain.agents, ["main", "inviter", "invited"]);
      await terminate(how, inviter, invited);
      (await consumer.next())![Symbol.dispose]();
      await assert.rejects(consumer.next(), { code: "ESRCH" });
      await until(() => domain.agents.length === 1);
    });
  });
}

describe("a worker that is terminated", () => {
  test("is noticed by the one that has invited it", PATIENT, async () => {
    using founder = new Remote();
    using other = new Remote();
    await founder.tell("create", "founder");
    await introduce(founder, other, "other");
    await founder.tell("consume", await other.tell("produce", undefined));
    other.terminate();
    assert.equal(await founder.tell("ended", undefined), "ESRCH");
    await founder.tell("alone", ["founder"]);
  });

  test("together with the one that has invited it, is noticed by the next below (lifeline.3)", PATIENT, async () => {
    using founder = new Remote();
    using middle = new Remote();
    using last = new Remote();
    await founder.tell("create", "founder");
    await introduce(founder, middle, "middle");
    await introduce(middle, last, "last");
    await last.tell("consume", await founder.tell("produce", undefined));
    founder.terminate();
    middle.terminate();
    assert.equal(await last.tell("ended", undefined), "ESRCH");
    await last.tell("alone", ["last"]);
  });

  test(
    "after the one that has invited it and others, is noticed by those (lifeline.2, lifeline.3)",
    PATIENT,
    async () => {
      using founder = new Remote();
      using one = new Remote();
      using two = new Remote();
      using three = new Remote();
      await founder.tell("create", "founder");
      await introduce(founder, one, "one");
      await introduce(founder, two, "two");
      await introduce(founder, three, "three");
      await two.tell("consume", await one.tell("produce", undefined));
      founder.terminate();
      await two.tell("alone", ["one", "two", "three"]);
      // One that watches and cannot look keeps no other from it.
      await three.tell("compute", undefined);
      one.terminate();
      assert.equal(await two.tell("ended", undefined), "ESRCH");
      await two.tell("alone", ["two", "three"]);
    },
  );
});

test("a thread that leaves hands over those that it has invited (lifeline.3)", PATIENT, async () => {
  using founder = new Remote();
  using other = new Remote();
  await founder.tell("create", "founder");
  const invitation = await founder.tell("invite", { name: "main" });
  using domain = Domain.join(invitation);
  await introduce(founder, other, "other");
  await founder.tell("leave", undefined);
  await until(() => domain.agents.length === 2);
  other.terminate();
  await until(() => domain.agents.length === 1);
});

test("a worker that writes on after terminate() has its buffer until it has stopped", PATIENT, async () => {
  using domain = createDomain();
  using writer = new Remote();
  const buffer = domain.allocate(4);
  await join(writer, domain.invite());
  await writer.tell("write", buffer.handle());
  const count = new Uint32Array(buffer.segments[0]!.memory, buffer.segments[0]!.offset, 1);
  await until(() => count[0]! > 0);
  writer.terminate();
  using access = await buffer.access("write");
  const [last] = count;
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(count[0], last);
  assert.equal(access.bytes.byteLength, 4096);
});

describe("an invitation that is lost leaves no place taken:", () => {
  test("its worker is terminated before it joins, and the limit passes", PATIENT, async () => {
    using domain = createDomain(2);
    for (let i = 0; i < 2; i++) {
      using remote = new Remote();
      // It will not come to the next order.
      await remote.tell("compute", undefined);
      const invitation = domain.invite({ limit: 50 });
      void remote.tell("join", invitation, [invitation.port]);
      assert.throws(() => domain.invite(), { code: "ENOSPC" });
      remote.terminate();
      await until(() => hasRoom(domain));
    }
  });

  test("its inviter is terminated", PATIENT, async () => {
    using domain = createDomain(3);
    using inviter = new Remote();
    using late = new Remote();
    await join(inviter, domain.invite());
    const lost = await inviter.tell("invite", { name: "lost", limit: Infinity });
    assert.throws(() => domain.invite(), { code: "ENOSPC" });
    inviter.terminate();
    await until(() => hasRoom(domain));
    assert.match(await late.tell("attempt", lost, [lost.port]), /^ESTALE: .*its inviter has left or died/);
    domain.invite();
    domain.invite();
  });

  test("it is revoked, and the worker that comes too late is told so", PATIENT, async () => {
    using domain = createDomain(2);
    using late = new Remote();
    const invitation = domain.invite();
    assert.equal(domain.revoke(invitation), true);
    assert.match(await late.tell("attempt", invitation, [invitation.port]), /^ESTALE: .*it was revoked/);
    assert.ok(hasRoom(domain));
  });
});

test("a worker cannot be expelled: it may run on after terminate()", PATIENT, async () => {
  using domain = createDomain();
  using remote = new Remote();
  const invitation = domain.invite({ name: "worker" });
  await join(remote, invitation);
  assert.throws(() => domain.expel(invitation), { code: "EBUSY", message: /agent "worker"/ });
  remote.terminate();
  await until(() => domain.agents.length === 1);
  domain.expel(invitation);
});

test("domain.ready of the one that makes the domain waits for its own lock", PATIENT, async () => {
  using domain = createDomain();
  await domain.ready;
  const { navigator } = globalThis as unknown as {
    navigator: { locks: { query(): Promise<{ held: { name: string }[] }> } };
  };
  const { held } = await navigator.locks.query();
  assert.ok(held.some(({ name }) => name.startsWith(`dmabuf ${domain.id} `)));
});

/** Whether there is room for one more agent. */
function hasRoom(domain: Domain): boolean {
  try {
    return domain.revoke(domain.invite());
  } catch {
    return false;
  }
}
