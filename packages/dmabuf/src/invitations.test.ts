/** Invitations that no thread uses, that several use, and that are taken back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, die, joinDomain, pause, until } from "../test/agents.js";
import { Domain as StreamsDomain } from "./streams.js";
import { Domain } from "./threads.js";

const PATIENT = { timeout: 10_000 };

/** Joins by an invitation again, which needs a port. */
function joinAgain(domain: Domain, invitation: ReturnType<Domain["invite"]>): Domain {
  const spare = domain.invite();
  domain.revoke(spare);
  return Domain.join({ ...invitation, port: spare.port });
}

const isVoid = (why: RegExp): object => ({
  code: "ESTALE",
  message: new RegExp(`the invitation is void, because ${why.source}`),
});

/** Whether a domain has room for one more agent. */
function hasRoom(domain: {
  invite(): { readonly port: { close(): void } };
  revoke(invitation: never): boolean;
}): boolean {
  try {
    return domain.revoke(domain.invite() as never);
  } catch {
    return false;
  }
}

describe("an invitation", () => {
  test("is used once: the next thread is told so, even when the first one has left (invitation-slot.4)", (t) => {
    const domain = createDomain(t);
    const invitation = domain.invite();
    const joined = Domain.join(invitation);
    assert.throws(() => joinAgain(domain, invitation), isVoid(/it was used before/));
    joined.close();
    assert.throws(() => joinAgain(domain, invitation), isVoid(/it was used before/));
  });

  test("keeps no place when joining by it fails after it was used", (t) => {
    const domain = createDomain(t, { agents: 2 });
    const [noPort, wrong] = [{ postMessage() {} } as never, { name: "TypeError" }];
    for (const Joining of [Domain, StreamsDomain] as const) {
      const own = Joining === Domain ? domain : StreamsDomain.create({ agents: 2 });
      const invitation = own.invite();
      assert.throws(() => Joining.join({ ...invitation, port: noPort }), wrong);
      assert.equal(hasRoom(own), true);
      assert.deepEqual(own.agents, ["main"]);
      own.close();
    }
  });

  test("is no agent that is listed until a thread has joined by it", (t) => {
    const domain = createDomain(t);
    const invitation = domain.invite({ name: "late" });
    assert.deepEqual(domain.agents, ["main"]);
    using _late = Domain.join(invitation);
    assert.deepEqual(domain.agents, ["main", "late"]);
  });

  test("that is lost keeps its place no longer than its limit", PATIENT, async (t) => {
    const domain = createDomain(t, { agents: 2 });
    const invitation = domain.invite({ limit: 20 });
    assert.equal(hasRoom(domain), false);
    await until(() => hasRoom(domain));
    assert.equal(domain.revoke(invitation), false);
  });

  test(
    "that was not used within its limit says so to the thread that comes late (invitation-slot.4)",
    PATIENT,
    async (t) => {
      const domain = createDomain(t);
      const invitation = domain.invite({ limit: 5 });
      await pause(6);
      await until(() => !domain.revoke(invitation));
      assert.throws(() => Domain.join(invitation), isVoid(/it was not used within its limit/));
    },
  );

  test("that was used outlives its limit, and one without a limit has none", PATIENT, async (t) => {
    const domain = createDomain(t);
    using _joined = Domain.join(domain.invite({ name: "used", limit: 5 }));
    const patient = domain.invite({ limit: Infinity });
    await pause(20);
    assert.deepEqual(domain.agents, ["main", "used"]);
    assert.equal(domain.revoke(patient), true);
  });

  test("whose port is closed keeps no place", DIES, async (t) => {
    const domain = createDomain(t, { agents: 2 });
    const invitation = domain.invite();
    await die(domain, invitation);
    assert.throws(() => Domain.join(invitation), isVoid(/it was revoked, or its port was closed/));
    assert.ok(hasRoom(domain));
  });

  test("is void when its inviter has left, and keeps no place", (t) => {
    const domain = createDomain(t, { agents: 3 });
    const inviter = joinDomain(t, domain);
    const invitation = inviter.invite();
    inviter.close();
    assert.throws(() => Domain.join(invitation), isVoid(/its inviter has left or died/));
    domain.invite();
    domain.invite();
  });

  test("refuses a limit that is none", (t) => {
    const domain = createDomain(t);
    for (const limit of [-1, NaN]) {
      assert.throws(() => domain.invite({ limit }), { name: "RangeError", message: /option "limit"/ });
    }
  });
});

for (const [entry, Entry] of [
  ["dmabuf", Domain],
  ["dmabuf/streams", StreamsDomain],
] as const) {
  describe(`revoke() of ${entry}`, () => {
    test("takes back what is not used, once, and its place is free at once", () => {
      using domain = Entry.create({ agents: 2, buffers: 4, streams: 2 });
      const invitation = domain.invite();
      assert.deepEqual([domain.revoke(invitation), domain.revoke(invitation)], [true, false]);
      assert.throws(() => Entry.join(invitation), isVoid(/it was revoked/));
      const next = domain.invite();
      assert.equal(domain.revoke(invitation), false);
      using _joined = Entry.join(next);
      assert.equal(domain.revoke(next), false);
      assert.equal(domain.agents.length, 2);
    });
  });

  describe(`expel() of ${entry}`, () => {
    test("is EBUSY for a thread whose end is noticed, takes back what is not used, and does nothing for one that has left", () => {
      using domain = Entry.create({ agents: 3, buffers: 4, streams: 2 });
      const [invitation, unused] = [domain.invite({ name: "busy" }), domain.invite()];
      const joined = Entry.join(invitation);
      assert.throws(() => domain.expel(invitation), { code: "EBUSY", message: /agent "busy": it may still run/ });
      domain.expel(unused);
      assert.throws(() => Entry.join(unused), isVoid(/it was revoked/));
      joined.close();
      domain.expel(invitation);
      assert.deepEqual(domain.agents, ["main"]);
    });
  });
}

test("an invitation of another thread, or of another domain, is EINVAL, and what is none a TypeError", (t) => {
  const domain = createDomain(t);
  const joined = joinDomain(t, domain);
  const foreign = [joined.invite(), createDomain(t).invite()];
  for (const call of ["revoke", "expel"] as const) {
    for (const invitation of foreign) assert.throws(() => domain[call](invitation), { code: "EINVAL" });
    assert.throws(() => domain[call]({} as never), { name: "TypeError" });
  }
  domain.close();
  for (const call of ["revoke", "expel"] as const) {
    assert.throws(() => domain[call](foreign[0]!), { code: "EBADF" });
  }
});
