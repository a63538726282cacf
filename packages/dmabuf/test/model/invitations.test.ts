import assert from "node:assert/strict";
import { isLive, markDead, retireAgentSlot, type Identity } from "../../src/domain/agent-slot.js";
import {
  claimInvited,
  endInvitation,
  invitationState,
  sayWatched,
  useInvitation,
} from "../../src/domain/invitation-slot.js";
import { AGENT, AGENT_PHASE, INVITATION_STATE } from "../../src/domain/layout.js";
import { leave } from "../../src/domain/recovery.js";
import { codeOf } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { faulty } from "./interleavings.js";
import {
  agentOf,
  createDomain,
  FIRST,
  identity,
  LAYOUT,
  memberOf,
  NOW,
  OWNER,
  recoverFrom,
  SECOND,
  segmentOf,
  THIRD,
  unlessFull,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";

// Invitations are used, taken back and orphaned at once, and their inviters die: src/domain/invitation-slot.ts.

/** The agent that OWNER invites, into the slot that FIRST has left. */
const INVITED = identity(1, 2);
const STATE = LAYOUT.agent(1) + AGENT.STATE;
const INVITATION = LAYOUT.agent(1) + AGENT.INVITATION;
const { JOINED, WATCHED, REVOKED } = INVITATION_STATE;

function invite(memory: Substrate): void {
  createDomain(memory);
  retireAgentSlot(segmentOf(memory), FIRST);
  assert.equal(claimInvited(memberOf(memory, OWNER), "a"), INVITED);
}

/** Returns whether it has joined. */
function joins(memory: Substrate): boolean {
  try {
    useInvitation(segmentOf(memory), INVITED, OWNER, true);
    return true;
  } catch (error) {
    assert.equal(codeOf(error), "ESTALE");
    return false;
  }
}

const revokes = (memory: Substrate): boolean => endInvitation(memberOf(memory, OWNER), INVITED, REVOKED);

/** Agents are not rung here: none waits. */
const finds =
  (self: Identity, dead: Identity) =>
  (memory: Substrate): void =>
    recoverFrom(
      faulty(memory, () => ({ wake: () => 0, add: () => 0 })),
      self,
      dead,
    );

function checkSlot(memory: Substrate, isJoined: boolean): void {
  const state = memory.load(STATE);
  assert.deepEqual([state >>> 10, state & 1023], [2, isJoined ? AGENT_PHASE.LIVE : AGENT_PHASE.FREE]);
}

const NOT_EXCHANGED: Mistake = {
  name: "An invitation that is looked at and then stored",
  report: /^The check threw/,
  plant: (memory) => ({
    compareExchange64(word, expected, replacement) {
      const old = memory.load64(word);
      if (old === expected) memory.store64(word, replacement);
      return old;
    },
  }),
};

testProtocol({
  name: "of two that join by an invitation and one that takes it back one gets it, even if the last one dies (invitation-slot.1, invitation-slot.3)",
  options: {
    prepare: invite,
    agents: { first: joins, second: joins, inviter: revokes },
    crash: { agents: ["inviter"], recover: { finder: finds(THIRD, OWNER) } },
    check(memory, { results, crashed }) {
      const winners = [results["first"], results["second"], results["inviter"]].filter(Boolean);
      assert.ok(crashed.length > 0 ? winners.length < 2 : winners.length === 1);
      checkSlot(memory, results["first"] === true || results["second"] === true);
    },
  },
  mistakes: [
    NOT_EXCHANGED,
    {
      name: "One that releases an inviter and does not look at what that has left undone",
      report: /^The check threw/,
      agent: "finder",
      plant: (memory) => ({ load64: (word) => (word === INVITATION ? 0n : memory.load64(word)) }),
    },
  ],
});

testProtocol({
  name: "an invitation whose inviter leaves is used, or its slot is free (invitation-slot.1, invitation-slot.3)",
  options: {
    prepare: invite,
    agents: { joiner: joins, inviter: (memory) => leave(memberOf(memory, OWNER), [], NOW) },
    crash: { agents: ["inviter"], recover: { finder: finds(THIRD, OWNER) } },
    check: (memory, { results }) => checkSlot(memory, results["joiner"] === true),
  },
  mistakes: [NOT_EXCHANGED],
});

testProtocol({
  name: "an invitation of a dead inviter is used, or its slot is free, even if one of those that find it dies (invitation-slot.3)",
  options: {
    prepare(memory) {
      invite(memory);
      markDead(segmentOf(memory), OWNER);
    },
    agents: { joiner: joins, first: finds(SECOND, OWNER), second: finds(THIRD, OWNER) },
    crash: { agents: ["first"] },
    check: (memory, { results }) => checkSlot(memory, results["joiner"] === true),
  },
  mistakes: [
    {
      name: "An orphaned invitation whose slot is only given back by the one that has orphaned it",
      report: /^The check threw/,
      agent: "second",
      plant: (memory) => ({
        compareExchange64(word, expected, replacement) {
          const old = memory.compareExchange64(word, expected, replacement);
          return old === expected ? old : 0n;
        },
      }),
    },
  ],
});

const invites = (self: Identity) => (memory: Substrate) => unlessFull(() => claimInvited(memberOf(memory, self), ""));

testProtocol({
  name: "of two that invite to one slot one gets it, and if it dies, the slot is free or the other's (invitation-slot.2, agent-slot.1)",
  options: {
    prepare(memory) {
      createDomain(memory);
      retireAgentSlot(segmentOf(memory), FIRST);
    },
    agents: { second: invites(SECOND), third: invites(THIRD) },
    crash: {
      recover: { finder: (memory, victim) => finds(OWNER, victim === 0 ? SECOND : THIRD)(memory) },
    },
    check(memory, { results, crashed }) {
      const got = [results["second"], results["third"]];
      if (crashed.length === 0) assert.deepEqual(got.map(Number).sort(), [0, INVITED]);
      const isLeft = isLive(segmentOf(memory), INVITED);
      const inviter = isLeft ? Number(memory.load64(INVITATION) & 0xffff_ffffn) : 0;
      if (isLeft) assert.ok(isLive(segmentOf(memory), inviter), "the slot's inviter is dead");
      if (crashed.length === 0) assert.equal(inviter, got[0] === INVITED ? SECOND : THIRD);
    },
  },
  mistakes: [
    NOT_EXCHANGED,
    {
      name: "A slot that is taken before the invitation is written",
      report: /^The check threw.*the slot's inviter is dead|^The check threw/s,
      plant: (memory) => {
        let late: (() => void) | undefined;
        return {
          compareExchange64(word, expected, replacement) {
            late = () => void memory.compareExchange64(word, expected, replacement);
            return expected;
          },
          compareExchange(word, expected, replacement) {
            const old = memory.compareExchange(word, expected, replacement);
            if (word === STATE) late?.();
            return old;
          },
        };
      },
    },
  ],
});

testProtocol({
  name: "one that waits for an agent to be watched hears of it (invitation-slot.5)",
  options: {
    prepare(memory) {
      invite(memory);
      joins(memory);
    },
    agents: {
      waiter(memory) {
        const isWatched = (): boolean => invitationState(segmentOf(memory), INVITED) !== JOINED;
        return agentOf(memory, SECOND).waitSync({ arm: () => {}, ready: isWatched });
      },
      invited: (memory) => sayWatched(memberOf(memory, INVITED)),
    },
    check(memory, { results }) {
      assert.equal(results["waiter"], true);
      assert.equal(invitationState(segmentOf(memory), INVITED), WATCHED);
    },
    merge: true,
  },
  mistakes: [
    {
      name: "An agent that rings before it says that it is watched",
      report: /sleep/,
      agent: "invited",
      plant: (memory) => {
        let said: (() => void) | undefined;
        let rung = 0;
        return {
          compareExchange64(word, expected, replacement) {
            said = () => void memory.compareExchange64(word, expected, replacement);
            return expected;
          },
          wake(word) {
            const woken = memory.wake(word);
            if (++rung === LAYOUT.sizes.agents) said?.();
            return woken;
          },
        };
      },
    },
  ],
});
