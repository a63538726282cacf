import { bufferInode } from "../buffer/buffer-slot.js";
import type { ActivityName } from "../domain/activity.js";
import { bufferText } from "../domain/buffer-name.js";
import { isIndex, REQUEST } from "../domain/layout.js";
import type { StoredActivity } from "./activity-slot.js";
import type { PendingFences } from "./fence-snapshot.js";
import type { Found } from "./holders.js";
import { awaitedThing, describeThing, fenceText, streamText, type Thing } from "./thing.js";
import { waitsIn } from "./waits.js";

/** What an agent holds or waits for. Which of the names there is depends on what it is. */
export interface SnapshotThing {
  /** Of a buffer it says what of it: a hold to read or to write, its reservation's lock, or its exporter's answer. */
  readonly kind:
    "fence" | "user-fence" | "read" | "write" | "lock" | "buffer" | "answer" | "loan" | "frame" | "consumers";
  /** A fence, as `context:seqno`. */
  readonly fence?: string;
  /** A user fence, by its slot. */
  readonly userFence?: number;
  /** A buffer, by its inode. */
  readonly buffer?: number;
  /** A stream, by its slot. */
  readonly stream?: number;
  /** Of a frame or loan that the agent has: the place of its buffer in the stream. */
  readonly place?: number;
}

/** What an agent does that lasts: it holds something that others may wait for, or it waits itself. */
export interface SnapshotWait {
  /** The agent, by its identity. */
  readonly agent: number;
  /** What it does; a wait begins with "awaits". */
  readonly does: ActivityName;
  /** The same for people, after the agent's name: "waits for a frame of stream "camera"". */
  readonly text: string;
  /** What it is about, by what the other parts of the snapshot call that. */
  readonly about?: SnapshotThing;
  /** Since when, in monotonic nanoseconds; unknown of what has lasted for less than a tenth of a second. */
  readonly since?: number;
  /** Whether its thread is blocked by it. */
  readonly blocks: boolean;
  /** Where in the program, if the agent has the option "debug" or `DMABUF_DEBUG=1`. */
  readonly place?: string;
  /** Whether the agent has said so. Otherwise it has asked to be rung, and may have gone on without. */
  readonly sure: boolean;
}

/** What agents do that lasts. */
export function activitiesIn(found: Found, fences: PendingFences): SnapshotWait[] {
  const told = found.entries.map((entry): SnapshotWait => {
    const { owner, does, since, blocks, place } = entry;
    const about = aboutEntry(found, fences, entry);
    return {
      agent: owner,
      does,
      text: entryText(found, entry),
      ...(about !== undefined && { about }),
      since,
      blocks,
      ...(place !== "" && { place }),
      sure: true,
    };
  });
  // What was told is there already.
  const others = [...waitsIn(found)].flatMap(([agent, waits]) =>
    waits
      .filter(({ since }) => since === undefined)
      .map(({ thing, blocks, isSure }): SnapshotWait => {
        const about = aboutThing(found, fences, thing);
        const text = `waits for ${describeThing(found, thing)}`;
        return { agent, does: doesFor(thing), text, ...(about !== undefined && { about }), blocks, sure: isSure };
      }),
  );
  return [...told, ...others];
}

function doesFor(thing: Thing): ActivityName {
  switch (thing.kind) {
    case "buffer":
      return "awaits-write";
    case "own-fence":
      return "awaits-fence";
    default:
      return `awaits-${thing.kind}`;
  }
}

function aboutThing(found: Found, fences: PendingFences, thing: Thing): SnapshotThing | undefined {
  switch (thing.kind) {
    case "fence": {
      const fence = fences.nameOf(thing.key);
      return fence === undefined ? undefined : { kind: "fence", fence };
    }
    case "user-fence":
      return { kind: "user-fence", userFence: thing.slot };
    case "own-fence":
      return undefined;
    case "loan":
    case "frame":
    case "consumers":
      return { kind: thing.kind, stream: thing.slot };
    case "answer": {
      const slot = found.memory.load(found.layout.request(thing.slot) + REQUEST.BUFFER);
      return aboutBuffer(found, "answer", slot);
    }
    default:
      return aboutBuffer(found, thing.kind, thing.slot);
  }
}

function aboutBuffer(
  found: Found,
  kind: "read" | "write" | "lock" | "buffer" | "answer",
  slot: number,
): SnapshotThing | undefined {
  return isIndex(slot, found.layout.sizes.buffers) ? { kind, buffer: bufferInode(found, slot) } : undefined;
}

function aboutEntry(found: Found, fences: PendingFences, entry: StoredActivity): SnapshotThing | undefined {
  const { does, slot, generation, number } = entry;
  switch (does) {
    case "reads":
      return aboutBuffer(found, "read", slot);
    case "writes":
      return aboutBuffer(found, "write", slot);
    case "locks":
      return aboutBuffer(found, "lock", slot);
    case "uses-frame":
    case "fills-loan":
      if (!isIndex(slot, found.layout.sizes.streams)) return undefined;
      return { kind: does === "uses-frame" ? "frame" : "loan", stream: slot, place: number };
    case "acquires":
      return undefined;
    case "runs-job":
      if (!isIndex(slot, found.layout.fenceSlots)) return undefined;
      return aboutThing(found, fences, { kind: "fence", key: { slot, generation, sequence: number } });
    default: {
      const thing = awaitedThing(found.layout, entry);
      return thing && aboutThing(found, fences, thing);
    }
  }
}

function entryText(found: Found, entry: StoredActivity): string {
  const { does, slot, generation, number } = entry;
  const { sizes, fenceSlots } = found.layout;
  const buffer = (): string => (isIndex(slot, sizes.buffers) ? bufferText(found, slot) : "a buffer");
  const stream = (): string => (isIndex(slot, sizes.streams) ? streamText(found, slot) : "a stream");
  switch (does) {
    case "reads":
      return `holds a read access of ${buffer()}`;
    case "writes":
      return `holds a write access of ${buffer()}`;
    case "locks":
      return `holds the lock of ${buffer()}`;
    case "uses-frame":
      return `uses a frame of ${stream()}`;
    case "fills-loan":
      return `fills a loan of ${stream()}`;
    case "acquires":
      return "holds the locks of an acquire context";
    case "runs-job":
      if (!isIndex(slot, fenceSlots)) return "runs a job";
      return `runs the job of ${fenceText(found, { slot, generation, sequence: number })}`;
    default: {
      const thing = awaitedThing(found.layout, entry);
      return `waits for ${thing === undefined ? "what is gone" : describeThing(found, thing)}`;
    }
  }
}
