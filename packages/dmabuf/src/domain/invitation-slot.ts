import { DmaBufError } from "../errors.js";
import { AGENT, AGENT_PHASE, AGENT_STATE, INVITATION, INVITATION_STATE, type Segment } from "./layout.js";
import {
  claimAgentSlot,
  generationOf,
  identityOf,
  isLive,
  liveAgents,
  nameOf,
  retireAgentSlot,
  ring,
  slotOf,
  type Identity,
  type Member,
} from "./agent-slot.js";
import { usedSlots } from "./table.js";

/**
 * The invitations of a domain of threads: each keeps an agent slot for a thread that may never come.
 *
 * invitation-slot.1. One compare-exchange decides whether an invitation is used or void, and for whom: of those that
 *     join by it, that take it back, and that find its inviter gone, one gets it.
 * invitation-slot.2. An inviter writes the invitation into a free slot before it takes the slot: no slot is live whose
 *     inviter cannot be found. Another agent takes the slot only if that inviter is not live.
 * invitation-slot.3. The agent that makes an invitation void gives the slot back at once, for no agent holds anything in
 *     its name. What it leaves undone by its own death, the one that releases the inviter does (recovery.8).
 * invitation-slot.4. The invitation stays as it is until the slot is taken again: one that joins too late is told why.
 * invitation-slot.5. An agent that says that it is WATCHED rings all: those that want to watch it wait for that.
 */

export type InvitationState = (typeof INVITATION_STATE)[keyof typeof INVITATION_STATE];

const { OPEN, JOINED, WATCHED, ALONE, REVOKED, EXPIRED, ORPHANED } = INVITATION_STATE;

const WHY_VOID: Readonly<Record<number, string>> = {
  [REVOKED]: "it was revoked, or its port was closed",
  [EXPIRED]: "it was not used within its limit",
  [ORPHANED]: "its inviter has left or died",
};

/**
 * Takes a free agent slot for a thread that is yet to come.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimInvited(member: Member, name: string): Identity {
  return claimAgentSlot(member, name, (slot) => writeInvitation(member, slot));
}

/** invitation-slot.2. */
function writeInvitation(member: Member, slot: number): boolean {
  const { memory, layout, identity } = member;
  const old = memory.load64(wordIn(member, slot));
  // SYNC POINT invitation-before-state: should another agent take the slot after this look, the invitation is another one.
  const state = memory.load(layout.agent(slot) + AGENT.STATE);
  if (AGENT_STATE.phase.in(state) !== AGENT_PHASE.FREE) return false;
  const generation = AGENT_STATE.generation.in(state) + 1;
  const isTaken = INVITATION.generation.in(old) === generation && isLive(member, INVITATION.inviter.in(old) | 0);
  return !isTaken && exchange(member, slot, old, wordOf(identity, generation, OPEN));
}

/** Says of an agent that came in another way than by an invitation how it is to be seen. */
export function noteState(member: Member, state: InvitationState): void {
  const { memory, identity } = member;
  memory.store64(wordIn(member, slotOf(identity)), wordOf(0, generationOf(identity), state));
}

/**
 * Uses an invitation (invitation-slot.1).
 *
 * @param isNoticed Whether a system tells others when the caller ends.
 * @throws {DmaBufError} `ESTALE` if it is void.
 */
export function useInvitation(segment: Segment, identity: Identity, inviter: Identity, isNoticed: boolean): void {
  const generation = generationOf(identity);
  const [old, next] = [OPEN, isNoticed ? JOINED : ALONE].map((state) => wordOf(inviter, generation, state));
  const isUsed = exchange(segment, slotOf(identity), old!, next!);
  // The agent may have been given up, or never have been in this domain.
  if (isUsed && isLive(segment, identity)) return;
  const why = WHY_VOID[invitationState(segment, identity)] ?? "it was used before";
  throw new DmaBufError("ESTALE", `Cannot join the domain: the invitation is void, because ${why}`);
}

/** Makes an invitation void that is not used, and gives its slot back; returns whether it was not used. */
export function endInvitation(member: Member, identity: Identity, state: InvitationState): boolean {
  const generation = generationOf(identity);
  const [old, next] = [OPEN, state].map((state) => wordOf(member.identity, generation, state));
  const isEnded = exchange(member, slotOf(identity), old!, next!);
  if (isEnded) retireAgentSlot(member, identity);
  return isEnded;
}

/** Does that for one slot, if the agent that has gone had invited to it, and ends what it has left undone itself. */
export function orphanInvitation(segment: Segment, slot: number, gone: Identity): void {
  let word = segment.memory.load64(wordIn(segment, slot));
  if ((INVITATION.inviter.in(word) | 0) !== gone) return;
  const generation = INVITATION.generation.in(word);
  if (INVITATION.state.in(word) === OPEN) {
    const orphaned = wordOf(gone, generation, ORPHANED);
    const found = segment.memory.compareExchange64(wordIn(segment, slot), word, orphaned);
    // Another agent that does the same may stop here.
    word = found === word ? orphaned : found;
  }
  if (INVITATION.state.in(word) >= REVOKED) retireAgentSlot(segment, identityOf(generation, slot));
}

/** What has become of the invitation of an agent; 0 for one that was not invited, or whose slot has moved on. */
export function invitationState(segment: Segment, identity: Identity): number {
  return INVITATION.state.in(wordFor(segment, identity));
}

/** The names of the agents that have joined and not left. */
export function agentNames(segment: Segment): string[] {
  return [...liveAgents(segment)]
    .filter((identity) => invitationState(segment, identity) !== OPEN)
    .map((identity) => nameOf(segment, identity))
    .filter((name) => name !== undefined);
}

/** The agent is watched from now on. */
export function sayWatched(member: Member): void {
  const { identity } = member;
  const word = wordFor(member, identity);
  exchange(member, slotOf(identity), word, wordOf(INVITATION.inviter.in(word), generationOf(identity), WATCHED));
  const used = usedSlots(member, "agents");
  for (let slot = 0; slot < used; slot++) ring(member, slot);
}

function wordFor(segment: Segment, identity: Identity): bigint {
  if (slotOf(identity) >= segment.layout.sizes.agents) return 0n;
  const word = segment.memory.load64(wordIn(segment, slotOf(identity)));
  return INVITATION.generation.in(word) === generationOf(identity) ? word : 0n;
}

function wordIn({ layout }: Segment, slot: number): number {
  return layout.agent(slot) + AGENT.INVITATION;
}

function wordOf(inviter: Identity, generation: number, state: number): bigint {
  return INVITATION.inviter.of(inviter) | INVITATION.generation.of(generation) | INVITATION.state.of(state);
}

function exchange(segment: Segment, slot: number, old: bigint, next: bigint): boolean {
  if (slot >= segment.layout.sizes.agents) return false;
  return segment.memory.compareExchange64(wordIn(segment, slot), old, next) === old;
}
