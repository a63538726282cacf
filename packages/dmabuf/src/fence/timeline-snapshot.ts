import { keyDeadline, keyStatus, keyTime } from "../domain/fence-slot.js";
import { COMPLETED, TIMELINE, TIMELINE_KIND, TIMES_KEPT, type Segment } from "../domain/layout.js";
import { loadNumber } from "../domain/record.js";
import { usedSlots } from "../domain/table.js";
import { readName } from "../domain/text.js";
import type { TimelineKey } from "../domain/timeline-slot.js";
import { errorCode } from "../errors.js";

/** A fence of a timeline that has completed. */
export interface SnapshotCompletion {
  /** Its number on the timeline. */
  readonly seqno: number;
  /** When, in monotonic nanoseconds. Fences that completed together have the same time. */
  readonly at: number;
  /** The errno name that it failed with. */
  readonly error?: string;
}

/** A timeline as it is at one moment. */
export interface SnapshotTimeline {
  /** Its place in the table. */
  readonly slot: number;
  /** Which of all timelines that ever had the place. */
  readonly generation: number;
  /** The fence context: the first half of its fences' names. */
  readonly context: number;
  /** Its name, for people. */
  readonly name: string;
  /** "timeline": its owner signals it. "software": any agent may. The others are a queue's. */
  readonly kind: "timeline" | "software" | "queue" | "long-running queue";
  /** What its work runs on, for people. */
  readonly driverName: string;
  /** The agent that signals its fences, by its identity. */
  readonly owner: number;
  /** The number of the last fence that has completed; 0 if there is none. */
  readonly completed: number;
  /** The lowest number that an agent waits for. */
  readonly awaited?: number;
  /** The errno name that its pending fences have ended with, if it has ended. */
  readonly end?: string;
  /** Milliseconds without progress after which hang recovery ends it. */
  readonly timeLimit: number;
  /** The completions whose time is kept, at most the last 64, the latest first. */
  readonly lastTimes: readonly SnapshotCompletion[];
  /** The earliest deadline that an agent has asked for, in monotonic nanoseconds. */
  readonly deadline?: number;
}

/**
 * The timelines that are open, or have ended and were not given back.
 *
 * @param since Completions up to this time are left out.
 */
export function timelinesIn(segment: Segment, since: number): SnapshotTimeline[] {
  const slots = Array.from({ length: usedSlots(segment, "timelines") }, (_, slot) => slot);
  return slots.map((slot) => timelineIn(segment, slot, since)).filter((timeline) => timeline !== undefined);
}

const KINDS: Readonly<Record<number, SnapshotTimeline["kind"]>> = {
  [TIMELINE_KIND.PLAIN]: "timeline",
  [TIMELINE_KIND.SOFTWARE]: "software",
  [TIMELINE_KIND.QUEUE]: "queue",
  [TIMELINE_KIND.LONG_RUNNING]: "long-running queue",
};

function timelineIn(segment: Segment, slot: number, since: number): SnapshotTimeline | undefined {
  const { memory, layout } = segment;
  const base = layout.timeline(slot);
  const generation = memory.load(base + TIMELINE.GENERATION);
  const owner = memory.load(base + TIMELINE.OWNER);
  if (owner === 0) return undefined;
  const key = { slot, generation };
  const word = memory.load64(base + TIMELINE.COMPLETED);
  const completed = COMPLETED.sequence.in(word);
  const awaited = loadNumber(memory, base + TIMELINE.AWAITED);
  const end = COMPLETED.ended.in(word) === 0 ? 0 : keyStatus(segment, { ...key, sequence: completed + 1 });
  const deadline = keyDeadline(segment, { ...key, sequence: 0 });
  const timeline = {
    ...key,
    context: loadNumber(memory, base + TIMELINE.CONTEXT),
    name: readName(memory, base + TIMELINE.NAME),
    kind: KINDS[memory.load(base + TIMELINE.KIND)] ?? "timeline",
    driverName: readName(memory, base + TIMELINE.DRIVER_NAME),
    owner,
    completed,
    ...(awaited > completed && { awaited }),
    ...(end < 0 && { end: errorCode(-end) }),
    timeLimit: memory.load(base + TIMELINE.TIME_LIMIT),
    lastTimes: lastTimes(segment, key, completed, since),
    ...(deadline > 0 && { deadline }),
  };
  // What was read is of one timeline if its slot has not moved on.
  return memory.load(base + TIMELINE.GENERATION) === generation ? timeline : undefined;
}

function lastTimes(segment: Segment, key: TimelineKey, completed: number, since: number): SnapshotCompletion[] {
  const { memory, layout } = segment;
  const canFail = memory.load(layout.timeline(key.slot) + TIMELINE.FAILURES) !== 0;
  const times: SnapshotCompletion[] = [];
  for (let seqno = completed; seqno > Math.max(0, completed - TIMES_KEPT); seqno--) {
    const at = keyTime(segment, { ...key, sequence: seqno });
    if (at === undefined || at <= since) break;
    const status = canFail ? keyStatus(segment, { ...key, sequence: seqno }) : 1;
    times.push({ seqno, at, ...(status < 0 && { error: errorCode(-status) }) });
  }
  return times;
}
