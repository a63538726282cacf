import type { Agent } from "../../src/domain/agent.js";
import type { Fence } from "../../src/fence/fence.js";
import { allocateContexts, createTimeline } from "../../src/fence/timeline.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import type { Usage } from "../../src/reservation/usage.js";
import { opsFence } from "./support.js";

/** How the fences of a context can be stored in shared memory: on its timeline, or published one by one. */
export const LINE_KINDS = ["timeline", "published"] as const;
export type LineKind = (typeof LINE_KINDS)[number];

/** A fence context that makes fences with the numbers 1, 2 and so on. */
export interface Line {
  fences(count: number): Fence[];
}

export function makeLine(agent: Agent, kind: LineKind): Line {
  const create = kind === "timeline" ? timelineFences(agent) : singleFences(agent);
  return { fences: (count) => Array.from({ length: count }, create) };
}

function timelineFences(agent: Agent): () => Fence {
  const timeline = createTimeline(agent);
  return () => timeline.createFence();
}

function singleFences(agent: Agent): () => Fence {
  const context = allocateContexts(agent, 1);
  let seqno = 0;
  return () => opsFence(agent, {}, context, ++seqno);
}

/** Adds a fence in a lock section of its own. */
export function addFence(reservation: Reservation, fence: Fence, usage: Usage): void {
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(fence, usage);
}

/** The entries of the reservation, place by place: context, number and usage. */
export function places(reservation: Reservation): [context: number, seqno: number, usage: Usage][] {
  using _lock = reservation.lockSync();
  return [...reservation.lockedFences()].map(({ fence, usage }) => [fence.context, fence.seqno, usage]);
}
