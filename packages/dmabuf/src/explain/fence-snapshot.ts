import { isLive, liveAgentsIn, type Identity } from "../domain/agent-slot.js";
import { isKeyFinished, isKeySignaled, keyOrigin, keyOwner } from "../domain/fence-slot.js";
import { ONE_SHOT, type Segment } from "../domain/layout.js";
import { usedSlots } from "../domain/table.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { SnapshotTimeline } from "../fence/timeline-snapshot.js";
import type { Usage } from "../reservation/usage.js";
import type { StoredActivity } from "./activity-slot.js";

/** A reservation that a fence is in. */
export interface SnapshotFenceUse {
  /** The buffer's number. */
  readonly inode: number;
  /** What the fence means for others that use the buffer. */
  readonly usage: Usage;
}

/** A fence that is not over, as far as any shared word names it. */
export interface SnapshotFence {
  /** `context:seqno`, as other parts of the snapshot name it. */
  readonly id: string;
  /** Its fence context. */
  readonly context: number;
  /** Its number in the context. */
  readonly seqno: number;
  /** The name of its timeline. */
  readonly name: string;
  /** What its work runs on, for people. */
  readonly driverName: string;
  /** Its timeline's place in the table; none if it is published by itself. */
  readonly timeline?: number;
  /** The agent that signals it, by its identity; 0 if it is gone. */
  readonly owner: number;
  /** The first moment at which it was pending, as far as that is known: since when an agent waits for it, or works on it. */
  readonly since?: number;
  /** Whether a time limit has ended it while its work may still be at the memory. */
  readonly overdue: boolean;
  /** The reservations that it is in. */
  readonly buffers: readonly SnapshotFenceUse[];
  /** The syncobjs that it is in, by their slots. */
  readonly syncobjs: readonly number[];
  /** The agents that wait for it, by their identities. */
  readonly awaitedBy: readonly number[];
}

type Growing = SnapshotFence & {
  since?: number;
  readonly buffers: SnapshotFenceUse[];
  readonly syncobjs: number[];
  readonly awaitedBy: Identity[];
};

/** The fences of a domain that are not over: those that any shared word names. A timeline's others have only a number. */
export class PendingFences {
  readonly #segment: Segment;
  readonly #timelines: ReadonlyMap<number, SnapshotTimeline>;
  /** By their keys; nothing for those that are over. */
  readonly #fences = new Map<string, Growing | undefined>();

  constructor(segment: Segment, timelines: readonly SnapshotTimeline[]) {
    this.#segment = segment;
    this.#timelines = new Map(timelines.map((timeline) => [timeline.slot, timeline]));
  }

  get all(): readonly SnapshotFence[] {
    return [...this.#fences.values()].filter((fence) => fence !== undefined);
  }

  /** The name of a fence; nothing if it is over. */
  nameOf(key: FenceKey): string | undefined {
    return this.#at(key)?.id;
  }

  /** The name of one that is in a reservation. */
  inBuffer(key: FenceKey, use: SnapshotFenceUse): string | undefined {
    const fence = this.#at(key);
    fence?.buffers.push(use);
    return fence?.id;
  }

  /** The name of one that is in a syncobj. */
  inSyncobj(key: FenceKey, slot: number): string | undefined {
    const fence = this.#at(key);
    if (fence !== undefined && !fence.syncobjs.includes(slot)) fence.syncobjs.push(slot);
    return fence?.id;
  }

  /** Those that are published by themselves. @returns How many slots of their table are taken. */
  addOneShots(): number {
    const { memory, layout } = this.#segment;
    let taken = 0;
    for (let index = 0; index < usedSlots(this.#segment, "oneShots"); index++) {
      const slot = layout.sizes.timelines + index;
      const base = layout.oneShot(slot);
      if (memory.load(base + ONE_SHOT.OWNER) === 0) continue;
      taken++;
      const generation = memory.load(base + ONE_SHOT.GENERATION);
      const fence = this.#at({ slot, generation, sequence: 1 });
      if (fence !== undefined) addTo(fence, rungBy(fence, liveAgentsIn(this.#segment, base + layout.ONE_SHOT.WAITERS)));
    }
    return taken;
  }

  /** What agents say that they wait for, or work on. */
  addActivities(entries: readonly StoredActivity[]): void {
    for (const { does, owner, slot, generation, number, since } of entries) {
      if (does !== "awaits-fence" && does !== "runs-job") continue;
      if (slot >= this.#segment.layout.fenceSlots) continue;
      const fence = this.#at({ slot, generation, sequence: number });
      if (fence === undefined) continue;
      if (does === "awaits-fence") addTo(fence, [owner]);
      fence.since = Math.min(fence.since ?? since, since);
    }
  }

  /** What agents are to be rung for. Of a timeline they are known together: they wait for the lowest number, or a later one. */
  addWaiters(): void {
    const { layout } = this.#segment;
    const known = new Map<number, Set<Identity>>();
    for (const { timeline, awaitedBy } of this.all) {
      if (timeline === undefined) continue;
      const agents = known.get(timeline) ?? new Set();
      for (const agent of awaitedBy) agents.add(agent);
      known.set(timeline, agents);
    }
    for (const { slot, generation, awaited } of this.#timelines.values()) {
      if (awaited === undefined) continue;
      const fence = this.#at({ slot, generation, sequence: awaited });
      if (fence === undefined) continue;
      const agents = liveAgentsIn(this.#segment, layout.timeline(slot) + layout.TIMELINE.WAITERS);
      addTo(
        fence,
        rungBy(fence, agents).filter((agent) => known.get(slot)?.has(agent) !== true),
      );
    }
  }

  #at(key: FenceKey): Growing | undefined {
    const id = `${key.slot} ${key.generation} ${key.sequence}`;
    if (!this.#fences.has(id)) this.#fences.set(id, this.#read(key));
    return this.#fences.get(id);
  }

  #read(key: FenceKey): Growing | undefined {
    const segment = this.#segment;
    if (isKeyFinished(segment, key)) return undefined;
    const timeline = this.#timelines.get(key.slot);
    const isKnown = timeline !== undefined && timeline.generation === key.generation;
    const origin = isKnown
      ? { context: timeline.context, seqno: key.sequence, timelineName: timeline.name, driverName: timeline.driverName }
      : keyOrigin(segment, key);
    if (origin === undefined) return undefined;
    const owner = keyOwner(segment, key);
    return {
      id: `${origin.context}:${origin.seqno}`,
      context: origin.context,
      seqno: origin.seqno,
      name: origin.timelineName,
      driverName: origin.driverName,
      ...(segment.layout.isTimeline(key.slot) && { timeline: key.slot }),
      owner: isLive(segment, owner) ? owner : 0,
      overdue: isKeySignaled(segment, key),
      buffers: [],
      syncobjs: [],
      awaitedBy: [],
    };
  }
}

/** The owner is rung by its own fences although it does not wait for them. */
function rungBy({ owner }: SnapshotFence, agents: readonly Identity[]): Identity[] {
  return agents.filter((agent) => agent !== owner);
}

function addTo(fence: Growing, agents: readonly Identity[]): void {
  for (const agent of agents) if (!fence.awaitedBy.includes(agent)) fence.awaitedBy.push(agent);
}
