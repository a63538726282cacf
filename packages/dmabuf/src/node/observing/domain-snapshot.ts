import type { Identity } from "../../domain/agent-slot.js";
import { readSegment, type SegmentSnapshot } from "../../explain/segment-snapshot.js";
import type { Protocol } from "../../protocol/protocol.js";
import { findAgents, HOST, lives, type ProcessOf } from "./observed-agents.js";
import type { ObservedSegment } from "./observed-segment.js";

/** One agent of a domain, in a snapshot. */
export interface SnapshotAgent {
  /** By this number the other parts of a snapshot name it. No other agent of the domain ever has it. */
  readonly identity: number;
  /** The agent's name, for people. */
  readonly name: string;
  /** The number of its process; none if it is dead, or in a process that this one may not look into. */
  readonly process?: number;
  /** "stopped": its process is, by a signal or a debugger. "dead": its thread or its process has ended. */
  readonly state: "live" | "stopped" | "dead";
}

/**
 * A domain as it is at about one moment: plain data, for JSON and `postMessage()` as it is. Each part is read by itself
 * while the agents go on, so that what one part names may be missing in another.
 */
export interface DomainSnapshot extends SegmentSnapshot {
  /** That of the form of this object. */
  readonly version: 1;
  /** The domain, as its handles name it. */
  readonly domain: string;
  /** When the look began, in monotonic nanoseconds. */
  readonly at: number;
  /** The same moment in milliseconds since 1970. */
  readonly wallClock: number;
  /** The agents that have joined and not left, and the dead whose places no other has taken. */
  readonly agents: readonly SnapshotAgent[];
}

/** Options of `DomainObserver.snapshot()`. */
export interface SnapshotOptions {
  /**
   * Completions of timelines up to this time are left out: mostly the `at` of the snapshot before, in monotonic nanoseconds.
   * Default 0: all that are kept.
   */
  readonly since?: number;
}

/** Reads a domain's tables, each once. */
export function snapshotOf(segment: ObservedSegment, processOf: ProcessOf, since: number): DomainSnapshot {
  const at = Math.floor(HOST.nowNs());
  const wallClock = Date.now();
  const agents = findAgents(segment, processOf);
  const view = { memory: segment.memory, layout: segment.layout, protocol: withLives(segment, agents) };
  return {
    version: 1,
    domain: segment.domain,
    at,
    wallClock,
    agents: agents.map(({ identity, name, process, state }) => ({
      identity,
      name,
      ...(process !== undefined && { process }),
      state,
    })),
    ...readSegment(view, agents.length, since),
  };
}

/** The protocols with what the kernel says of agents, which is asked once for each of them (domain-observer.3). */
function withLives(
  segment: ObservedSegment,
  agents: readonly { readonly identity: Identity; readonly state: string }[],
): Protocol {
  const known = new Map(agents.map(({ identity, state }) => [identity, Number(state !== "dead")]));
  const isLive = (identity: Identity): number => {
    const state = known.get(identity) ?? Number(lives(segment, identity));
    known.set(identity, state);
    return state;
  };
  return Object.create(segment.protocol, { isLive: { value: isLive } }) as Protocol;
}
