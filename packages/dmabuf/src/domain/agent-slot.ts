import { forEachBit, testBit } from "./bits.js";
import { AGENT, AGENT_PHASE, AGENT_STATE, IDENTITY, PLACE_NAME_WORDS, type Segment } from "./layout.js";
import { claimFree, usedSlots } from "./table.js";
import { readName, readText, writeName, writeText } from "./text.js";

/**
 * The agents that are joined: one slot for each.
 *
 * agent-slot.1. An identity, (generation, slot) in one word, is never given to two agents, and is never 0.
 * agent-slot.2. A slot goes FREE → LIVE → DEAD → FREE with the next generation; each step is one compare-exchange.
 * agent-slot.3. Only the reaper that holds the slot's claim takes it from DEAD to FREE (see recovery.ts).
 * agent-slot.4. A doorbell only counts up: a ring between reading it and parking on it keeps the agent awake.
 * agent-slot.5. What shared words say of an agent is not believed: an agent that has no slot in the table is not live,
 *     and is not rung.
 * agent-slot.6. A name is stored after its agent is live, and then NAMED: until then it is no agent's. A reader looks
 *     afterwards whether the slot has moved on: the next agent is live before it writes its name.
 */

const LAST_GENERATION = 2 ** IDENTITY.generation.width - 1;

/** An agent's name in shared words. */
export type Identity = number;

/** A segment as one joined agent sees it. */
export interface Member extends Segment {
  readonly identity: Identity;
}

export function slotOf(identity: Identity): number {
  return IDENTITY.slot.in(identity);
}

export function generationOf(identity: Identity): number {
  return IDENTITY.generation.in(identity);
}

/**
 * Takes a free agent slot, which is live from then on.
 *
 * @param mayTake Asked before a slot is tried. Default: any.
 * @param passBy Called when a slot that was tried is not free.
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimAgentSlot(
  segment: Segment,
  name: string,
  mayTake: (slot: number) => boolean = () => true,
  passBy: (slot: number) => void = () => {},
): Identity {
  return claimFree(segment, "agents", "join the domain", (slot) => {
    if (!mayTake(slot)) return undefined;
    const identity = takeAgentSlot(segment, slot, name);
    if (identity === undefined) passBy(slot);
    return identity;
  });
}

/** Takes one slot, if it is free. */
function takeAgentSlot({ memory, layout }: Segment, slot: number, name: string): Identity | undefined {
  const base = layout.agent(slot);
  const state = memory.load(base + AGENT.STATE);
  const last = AGENT_STATE.generation.in(state);
  // A slot whose generations are used up stays out of use: an identity is never given twice.
  if (AGENT_STATE.phase.in(state) !== AGENT_PHASE.FREE || last === LAST_GENERATION) return undefined;
  const generation = last + 1;
  const live = stateOf(generation, AGENT_PHASE.LIVE);
  if (memory.compareExchange(base + AGENT.STATE, state, live) !== state) return undefined;
  memory.store(base + AGENT.PROCESS, 0);
  memory.store(base + AGENT.LISTENS, 0);
  writeName(memory, base + AGENT.NAME, name);
  // SYNC POINT name-before-named: pairs with nameOf().
  memory.store(base + AGENT.NAMED, generation);
  return identityOf(generation, slot);
}

/** The identity of the live agent in a slot, or 0. */
export function liveIn(segment: Segment, slot: number): Identity {
  return slot < segment.layout.sizes.agents ? agentIn(segment, slot, AGENT_PHASE.LIVE) : 0;
}

/** The identity of the agent in a slot, or 0 if the slot is in another phase. */
function agentIn({ memory, layout }: Segment, slot: number, phase: number): Identity {
  const state = memory.load(layout.agent(slot) + AGENT.STATE);
  return AGENT_STATE.phase.in(state) === phase ? identityOf(AGENT_STATE.generation.in(state), slot) : 0;
}

export function identityOf(generation: number, slot: number): Identity {
  return IDENTITY.generation.of(generation) | IDENTITY.slot.of(slot);
}

function stateOf(generation: number, phase: number): number {
  return AGENT_STATE.generation.of(generation) | AGENT_STATE.phase.of(phase);
}

export function isLive(segment: Segment, identity: Identity): boolean {
  return segment.protocol.isLive(identity) !== 0;
}

/** All live agents. */
export function* liveAgents(segment: Segment): Generator<Identity> {
  const used = usedSlots(segment, "agents");
  for (let slot = 0; slot < used; slot++) {
    const identity = liveIn(segment, slot);
    if (identity !== 0) yield identity;
  }
}

/** All live agents but this one. */
export function* otherAgents(member: Member): Generator<Identity> {
  for (const identity of liveAgents(member)) if (identity !== member.identity) yield identity;
}

/** Marks an agent dead; returns false if it was not live. Any agent may do it that knows that this one will not run again. */
export function markDead({ memory, layout }: Segment, identity: Identity): boolean {
  if (slotOf(identity) >= layout.sizes.agents) return false;
  const generation = generationOf(identity);
  const live = stateOf(generation, AGENT_PHASE.LIVE);
  const word = layout.agent(slotOf(identity)) + AGENT.STATE;
  return memory.compareExchange(word, live, stateOf(generation, AGENT_PHASE.DEAD)) === live;
}

/** The identity of the dead agent in a slot whose sweep is not complete, or 0. */
export function deadIn(segment: Segment, slot: number): Identity {
  return agentIn(segment, slot, AGENT_PHASE.DEAD);
}

/**
 * The agent whose bit is set for a slot, or 0 if it is not live. The bit of an agent that has died stays until it is
 * swept, and counts for nothing: no agent waits for the sweep.
 */
function liveAgentOf(segment: Segment, array: number, slot: number): Identity {
  const identity = liveIn(segment, slot);
  // SYNC POINT sweep-before-free: if the agent that was found is the next one in the slot, the dead one's bit is gone by
  // now. That agent would be waited for, and would never ring.
  return identity !== 0 && testBit(segment.memory, array, slot) ? identity : 0;
}

/** The live agents whose bits are set in an array. */
export function liveAgentsIn(segment: Segment, array: number): Identity[] {
  const agents: Identity[] = [];
  forEachBit(segment.memory, array, segment.layout.agentWords, (slot) =>
    agents.push(liveAgentOf(segment, array, slot)),
  );
  return agents.filter((identity) => identity !== 0);
}

/** Opens a swept slot to the next joiner. Only the reaper that holds the claim may call this. */
export function freeAgentSlot({ memory, layout }: Segment, dead: Identity): void {
  memory.store(layout.agent(slotOf(dead)) + AGENT.STATE, stateOf(generationOf(dead), AGENT_PHASE.FREE));
}

/** Opens the slot of an agent that leaves by itself, unless another agent has declared it dead. */
export function retireAgentSlot({ memory, layout }: Segment, identity: Identity): void {
  const generation = generationOf(identity);
  const word = layout.agent(slotOf(identity)) + AGENT.STATE;
  memory.compareExchange(word, stateOf(generation, AGENT_PHASE.LIVE), stateOf(generation, AGENT_PHASE.FREE));
}

/** Empty for an identity whose slot has moved on, or that no agent can have. */
export function agentName(segment: Segment, identity: Identity): string {
  return nameOf(segment, identity) ?? "";
}

/** Says where this agent listens, for those that look on. */
export function sayWhere({ memory, layout, identity }: Member, place: string): void {
  writeText(memory, layout.agent(slotOf(identity)) + AGENT.LISTENS, PLACE_NAME_WORDS, place);
}

/** Where an agent has last begun to listen; "" if it has not. */
export function placeOf({ memory, layout }: Segment, identity: Identity): string {
  return readText(memory, layout.agent(slotOf(identity)) + AGENT.LISTENS, PLACE_NAME_WORDS);
}

/** agent-slot.6. */
export function nameOf({ memory, layout }: Segment, identity: Identity): string | undefined {
  if (slotOf(identity) >= layout.sizes.agents) return undefined;
  const base = layout.agent(slotOf(identity));
  const generation = generationOf(identity);
  if (memory.load(base + AGENT.NAMED) !== generation) return undefined;
  const name = readName(memory, base + AGENT.NAME);
  return AGENT_STATE.generation.in(memory.load(base + AGENT.STATE)) === generation ? name : undefined;
}

/** Which agents hold a call up, for its message. */
export function waitsFor(member: Member, others: Iterable<Identity>): string {
  const names = nameAgents(member, others);
  return names === "" ? "what it waited for has only just ended" : `it waits for ${names}`;
}

/** Agents for messages; empty if there are none. @param others Each may be named several times; 0 is no agent. */
export function nameAgents(member: Member, others: Iterable<Identity>): string {
  const identities = [...new Set(others)].filter((identity) => identity !== 0);
  const named = (identity: Identity): string => `"${agentName(member, identity)}"`;
  const agents = identities.filter((identity) => identity !== member.identity).map(named);
  const parts = agents.length === 0 ? [] : [`agent ${agents.join(", ")}`];
  if (agents.length < identities.length) parts.unshift(`this thread (${named(member.identity)})`);
  return parts.join(" and ");
}

/** Wakes an agent, whether it waits synchronously, asynchronously or both. */
export function ring(segment: Segment, slot: number): void {
  segment.protocol.ring(slot);
}

/** Rings every agent whose bit is set, and clears the bits. */
export function ringAll(segment: Segment, array: number): void {
  segment.protocol.ringAll(array);
}
