import assert from "node:assert/strict";
import { Agent, type WaitCondition } from "../../src/domain/agent.js";
import { claimAgentSlot, type Identity, type Member } from "../../src/domain/agent-slot.js";
import { armKey, endKey, FENCE_RECOVERY, isKeySignaled, keyStatus } from "../../src/domain/fence-slot.js";
import { writeHeader } from "../../src/domain/header.js";
import { AGENT, IDENTITY, Layout, ONE_SHOT, TIMELINE, type Segment } from "../../src/domain/layout.js";
import { claimOneShot, completeOneShot, freeOneShot } from "../../src/domain/one-shot-slot.js";
import { recover } from "../../src/domain/recovery.js";
import { claimTimeline, completeTimeline, freeTimeline, type FenceKey } from "../../src/domain/timeline-slot.js";
import { DmaBufError } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { modelHost } from "../../src/testing/index.js";
import { wordName } from "../word-names.js";
import { segmentOf as segmentOn } from "../../src/domain/segment-protocol.js";

/**
 * A domain so small that every interleaving in it can be tried: one slot of each kind, and four agents, who have joined
 * before the test begins.
 */
export const LAYOUT = new Layout(
  {
    agents: 4,
    timelines: 1,
    oneShots: 1,
    buffers: 1,
    streams: 1,
    requests: 1,
    syncobjs: 1,
    userFences: 1,
    orders: 0,
    activities: 1,
    copies: 1,
  },
  16,
);

/** Words behind the domain's own: what agents tell each other by a message in real life. */
export const SCRATCH = LAYOUT.words;
export const WORDS = LAYOUT.words + 2;

export const OWNER = identity(0);
export const FIRST = identity(1);
export const SECOND = identity(2);
export const THIRD = identity(3);

/** Monotonic nanoseconds; when does not matter here. */
export const NOW = 1e9;

/** Milliseconds. */
export const TIME_LIMIT = 1000;

export type Kind = "timeline" | "one-shot";
export const KINDS: readonly Kind[] = ["timeline", "one-shot"];

/** The agent that took a slot as its `generation`th. */
export function identity(slot: number, generation = 1): Identity {
  return IDENTITY.generation.of(generation) | IDENTITY.slot.of(slot);
}

/** Makes the memory a domain in which the four agents have joined. */
export function createDomain(memory: Substrate): void {
  writeHeader(memory, LAYOUT.sizes, [1, 2, 3, 4]);
  for (let slot = 0; slot < LAYOUT.sizes.agents; slot++) claimAgentSlot(segmentOf(memory), "a");
}

export function segmentOf(memory: Substrate): Segment {
  return segmentOn(memory, LAYOUT);
}

export function memberOf(memory: Substrate, identity: Identity): Member {
  return { ...segmentOf(memory), identity };
}

export function agentOf(memory: Substrate, identity: Identity): Agent {
  return new Agent(segmentOf(memory), identity, modelHost(memory));
}

/** A fence of the timeline's, or the published one. */
export function keyOf(kind: Kind, generation = 1, sequence = 1): FenceKey {
  return { slot: kind === "timeline" ? 0 : LAYOUT.sizes.timelines, generation, sequence };
}

/** The word that names the owner of the timeline or of the published fence. */
export function ownerWord(kind: Kind): number {
  const { slot } = keyOf(kind);
  return kind === "timeline" ? LAYOUT.timeline(slot) + TIMELINE.OWNER : LAYOUT.oneShot(slot) + ONE_SHOT.OWNER;
}

/** Takes the slot of a kind for an agent; returns its new generation, 0 if another agent has the slot. */
export function claim(memory: Substrate, kind: Kind, owner: Identity): number {
  const options = { name: "n", driverName: "d", timeLimit: TIME_LIMIT };
  return unlessFull(() => {
    const member = memberOf(memory, owner);
    if (kind === "timeline") return claimTimeline(member, options).generation;
    return claimOneShot(member, { ...options, context: 1, seqno: 1, seqno32: false }).generation;
  });
}

/** Runs something that returns a number; 0 if there is no room for it. */
export function unlessFull(run: () => number): number {
  try {
    return run();
  } catch (error) {
    if (error instanceof DmaBufError && error.code === "ENOSPC") return 0;
    throw error;
  }
}

/** Completes a fence, as its owner does: a timeline's only after the one before it. Returns who decided it. */
export function complete(memory: Substrate, key: FenceKey, error = 0, time = NOW): boolean {
  if (!LAYOUT.isTimeline(key.slot)) return completeOneShot(segmentOf(memory), key, error, time);
  return completeTimeline(memberOf(memory, OWNER), key, key.sequence - 1, key.sequence, time, error);
}

/** Ends a fence, and all of its timeline's that are pending, as hang recovery does. */
export function end(memory: Substrate, key: FenceKey, error: number, time = NOW): void {
  endKey(segmentOf(memory), key, error, time);
}

/** Gives the slot of a kind back, as its owner does. */
export function free(memory: Substrate, kind: Kind, owner: Identity): void {
  const { slot } = keyOf(kind);
  if (kind === "timeline") freeTimeline(segmentOf(memory), slot, owner);
  else freeOneShot(segmentOf(memory), slot, owner);
}

/** A fence's status; one that is signaled is not pending again. */
export function look(memory: Substrate, key: FenceKey): number {
  const signaled = isKeySignaled(segmentOf(memory), key);
  const status = keyStatus(segmentOf(memory), key);
  if (signaled) assert.notEqual(status, 0, "a signaled fence is pending again");
  return status;
}

/** A fence is signaled: with fewer looks than the fence itself makes, so that more agents can be tried. */
export function signalOf(agent: Agent, key: FenceKey): WaitCondition {
  return { arm: () => armKey(agent, key), ready: () => isKeySignaled(agent, key) };
}

/** An agent that blocks until a fence is signaled. */
export const waitsForKey =
  (self: Identity, key: FenceKey) =>
  (memory: Substrate): boolean => {
    const agent = agentOf(memory, self);
    return agent.waitSync(signalOf(agent, key));
  };

/** Gives back what a dead agent held. */
export function recoverFrom(memory: Substrate, reaper: Identity, dead: Identity): void {
  recover(memberOf(memory, reaper), dead, FENCE_RECOVERY, NOW);
}

/** How often an agent was rung. */
export function rings(memory: Substrate, slot: number): number {
  return memory.load(LAYOUT.agent(slot) + AGENT.DOORBELL);
}

/** The names of a layout's words in traces. */
export function namesOf(layout: Layout): (word: number) => string {
  return (word) => (word < layout.words ? wordName(layout, word) : `message ${word - layout.words}`);
}
