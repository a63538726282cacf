import { currentHolds } from "../buffer/hold.js";
import { isUnanswered } from "../buffer/request-slot.js";
import { bufferText } from "../domain/buffer-name.js";
import { BUFFER, REQUEST, REQUEST_STATE, PLACE, STREAM, STREAM_BUFFERS, type Segment } from "../domain/layout.js";
import { isLive, liveAgentsIn, type Identity } from "../domain/agent-slot.js";
import { isKeyFinished, isKeySignaled, keyOwner } from "../domain/fence-slot.js";
import { isUserFenceSignaled, USER_FENCE_SLOTS } from "../fence/user-fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { holderOf, lockHolder, ticketOf } from "../reservation/lock.js";
import { tryReadEntries } from "../reservation/entries.js";
import { consumerCount, hasProducer, isStream, producerOf, slowConsumers } from "../stream/stream-slot.js";
import { slowMembers } from "../stream/stream-group.js";
import type { StoredActivity } from "./activity-slot.js";
import { fenceText, streamText, userFenceText, type Thing } from "./thing.js";

/** An agent that holds something up. */
export interface Holder {
  readonly agent: Identity;
  /** What it does, for people. */
  readonly text: string;
  readonly since?: number;
  readonly place?: string;
  /** Whether it only keeps others out, while it waits itself for those that read (hold.4). */
  readonly isClaim?: boolean;
}

/** What a walk reads: a segment, maybe of another process, and the entries that were found there. */
export interface Found extends Segment {
  readonly entries: readonly StoredActivity[];
  /** The agent that asks; 0 for an onlooker that is none. */
  readonly identity: Identity;
}

/**
 * The agents that hold a thing up, by the shared words alone; entries only say since when, and where. What is found is of no
 * single moment: an agent that was in the way may be so no longer.
 *
 * holders.1. All words are only read, so it works on a segment that is mapped so.
 * holders.2. A writer that waits for readers has its claim already: it is in the way of those that come, not of them.
 */
export function holdersOf(found: Found, thing: Thing): Holder[] {
  switch (thing.kind) {
    case "fence":
      return fenceHolders(found, thing.key);
    case "user-fence":
      return userFenceHolders(found, thing);
    case "own-fence":
      return [{ agent: found.identity, text: `has not signaled ${thing.name}` }];
    case "read":
      return writer(found, thing.slot);
    case "write":
      return [...writer(found, thing.slot), ...readers(found, thing.slot)];
    case "lock":
      return locker(found, thing.slot);
    case "buffer":
      return [
        ...writer(found, thing.slot),
        ...readers(found, thing.slot),
        ...locker(found, thing.slot),
        ...workers(found, thing.slot),
        ...mover(found, thing.slot),
      ];
    case "loan":
      return loanHolders(found, thing);
    case "frame":
      return frameHolders(found, thing);
    case "consumers":
      return [];
    case "answer":
      return answerHolders(found, thing);
  }
}

/** Whether the end of one of a thing's holders is enough. */
export function isAnyEnough(thing: Thing): boolean {
  return thing.kind === "loan" || thing.kind === "user-fence";
}

/** Whether a wait for a thing is over, as far as the words tell. */
export function isOver(found: Found, thing: Thing): boolean {
  if (thing.kind === "consumers") return consumerCount(found, thing) >= thing.count || !isStream(found, thing);
  return holdersOf(found, thing).every(({ agent }) => agent === 0);
}

function fenceHolders(found: Found, key: FenceKey): Holder[] {
  const agent = keyOwner(found, key);
  if (agent === 0 || isKeyFinished(found, key)) return [];
  const job = entryOf(found, agent, ({ does, slot, generation, number }) => {
    return does === "runs-job" && slot === key.slot && generation === key.generation && number === key.sequence;
  });
  const fence = fenceText(found, key);
  if (isKeySignaled(found, key)) return [{ agent, text: `has not finished its work for ${fence}, which timed out` }];
  return [
    { agent, text: job === undefined ? `has not signaled ${fence}` : `runs the job of ${fence}`, ...timeOf(job) },
  ];
}

/** Who has it and does not wait for it: any of them may signal it, and none has promised to. */
function userFenceHolders(found: Found, key: { readonly slot: number; readonly generation: number }): Holder[] {
  const { slot, generation } = key;
  if (!USER_FENCE_SLOTS.isLive(found, { slot, generation: generation >>> 0 }) || isUserFenceSignaled(found, slot))
    return [];
  const base = found.layout.userFence(slot);
  return liveAgentsIn(found, base + found.layout.USER_FENCE.REFERENCES)
    .filter((agent) => !isAwaiting(found, agent, slot))
    .map((agent) => ({ agent, text: `may signal ${userFenceText(found, slot)}, but promises nothing` }));
}

function isAwaiting(found: Found, agent: Identity, slot: number): boolean {
  return entryOf(found, agent, (entry) => entry.does === "awaits-user-fence" && entry.slot === slot) !== undefined;
}

/** The work that is pending on a buffer, or overdue. */
function workers(found: Found, slot: number): Holder[] {
  const entries = tryReadEntries(found, slot) ?? [];
  return entries.flatMap(({ key }) => fenceHolders(found, key));
}

function writer(found: Found, slot: number): Holder[] {
  const { writer: agent } = currentHolds(found, slot);
  if (agent === 0) return [];
  const entry = entryOf(found, agent, ({ does, slot: other }) => does === "writes" && other === slot);
  const isClaim = entry === undefined && liveAgentsIn(found, currentHolds(found, slot).readers).length > 0;
  const text = isClaim
    ? `is the next to write ${bufferText(found, slot)}`
    : `holds a write access of ${bufferText(found, slot)}`;
  return [{ agent, text, isClaim, ...timeOf(entry) }];
}

function readers(found: Found, slot: number): Holder[] {
  return liveAgentsIn(found, currentHolds(found, slot).readers).map((agent) => {
    const entry = entryOf(found, agent, ({ does, slot: other }) => does === "reads" && other === slot);
    return { agent, text: `holds a read access of ${bufferText(found, slot)}`, ...timeOf(entry) };
  });
}

function locker(found: Found, slot: number): Holder[] {
  const word = lockHolder(found, slot);
  const agent = holderOf(word);
  if (agent === 0) return [];
  const entry = entryOf(found, agent, ({ does, slot: other, number }) => {
    return (does === "locks" && other === slot) || (does === "acquires" && number === ticketOf(word) >>> 0);
  });
  return [{ agent, text: `holds the lock of ${bufferText(found, slot)}`, ...timeOf(entry) }];
}

function mover(found: Found, slot: number): Holder[] {
  const agent = found.memory.load(found.layout.buffer(slot) + BUFFER.MOVER);
  return isLive(found, agent) ? [{ agent, text: `moves the storage of ${bufferText(found, slot)}` }] : [];
}

/** Who uses the buffers of a ring, works on them, or has not taken what it may not miss. */
function loanHolders(found: Found, key: { readonly slot: number; readonly generation: number }): Holder[] {
  const stream = streamText(found, key.slot);
  if (!isStream(found, key)) return [];
  const holders = new Map<Identity, Holder>();
  const add = (holder: Holder): void => {
    if (!holders.has(holder.agent)) holders.set(holder.agent, holder);
  };
  for (const slot of ringOf(found, key.slot)) {
    const { writer, readers } = currentHolds(found, slot);
    for (const agent of isLive(found, writer) ? [writer] : []) {
      add({
        agent,
        text: `has a loan of ${stream} that it has not published`,
        ...usedSince(found, agent, key.slot, "fills-loan"),
      });
    }
    for (const agent of liveAgentsIn(found, readers)) {
      add({ agent, text: `uses a frame of ${stream}`, ...usedSince(found, agent, key.slot, "uses-frame") });
    }
    workers(found, slot).forEach(add);
  }
  for (const agent of [...slowConsumers(found, key), ...slowMembers(found, key)]) {
    add({ agent, text: `has not taken all frames of ${stream}` });
  }
  return [...holders.values()];
}

/** The producer, or who works on the frames that it has published. */
function frameHolders(found: Found, key: { readonly slot: number; readonly generation: number }): Holder[] {
  if (!hasProducer(found, key)) return [];
  const agent = producerOf(found, key.slot);
  const work = ringOf(found, key.slot).flatMap((slot) => workers(found, slot));
  const loan = usedSince(found, agent, key.slot, "fills-loan");
  const text = `has published no further frame of ${streamText(found, key.slot)}`;
  return [{ agent, text, ...loan }, ...work.filter((holder) => holder.agent !== agent)];
}

function answerHolders(
  found: Found,
  { slot, generation }: { readonly slot: number; readonly generation: number },
): Holder[] {
  const base = found.layout.request(slot);
  const word = found.memory.load64(base + REQUEST.STATE);
  if (REQUEST_STATE.generation.in(word) !== generation >>> 0 || !isUnanswered(word)) return [];
  const agent = found.memory.load(base + REQUEST.EXPORTER);
  const buffer = found.memory.load(base + REQUEST.BUFFER);
  const named = buffer >= 0 && buffer < found.layout.sizes.buffers ? bufferText(found, buffer) : "a buffer";
  return [{ agent, text: `has not answered what it was asked as the exporter of ${named}` }];
}

/** The slots of a stream's buffers. */
function ringOf({ memory, layout }: Segment, slot: number): number[] {
  const base = layout.stream(slot);
  const places = base + layout.STREAM.PLACES;
  const count = Math.min(memory.load(base + STREAM.RING) >>> 0, STREAM_BUFFERS);
  const slots = Array.from({ length: count }, (_, i) => memory.load(places + i * PLACE.WORDS + PLACE.BUFFER));
  return slots.filter((buffer) => buffer >= 0 && buffer < layout.sizes.buffers);
}

/** The frame or loan that an agent has longest. */
function usedSince(found: Found, agent: Identity, stream: number, does: "fills-loan" | "uses-frame"): Time {
  const used = found.entries.filter((entry) => entry.owner === agent && entry.does === does && entry.slot === stream);
  return timeOf(used.sort((a, b) => a.since - b.since)[0]);
}

function entryOf(found: Found, agent: Identity, isOne: (entry: StoredActivity) => boolean): StoredActivity | undefined {
  return found.entries.find((entry) => entry.owner === agent && isOne(entry));
}

type Time = Pick<Holder, "since" | "place">;

function timeOf(entry: StoredActivity | undefined): Time {
  if (entry === undefined) return {};
  return { since: entry.since, ...(entry.place !== "" && { place: entry.place }) };
}
