import { packed, packing } from "./packing.js";
import {
  agentBits,
  agentWords,
  aligned,
  alignmentOf,
  LINE,
  list,
  name,
  ownLine,
  perAgent,
  place,
  record,
  u32,
  u64,
  words,
} from "./record.js";
import type { AnyRecord, Counts, Placed } from "./record.js";
import { SIZE_NAMES, type Sizes } from "./sizes.js";

export { checkSizes, SIZES, type Sizes } from "./sizes.js";

/** Raised with any change of the layout; see layout.ts. */
export const LAYOUT_VERSION = 19;

/** An agent's name in shared words; never 0. */
export const IDENTITY = packing(32, { slot: 10, generation: 22 });

/** The tables, in the order in which the header has words for them. */
export const TABLE_NAMES = [...SIZE_NAMES, "retired"] as const;
export type TableName = (typeof TABLE_NAMES)[number];

export const HEADER = record({
  MAGIC: u32,
  VERSION: u32,
  SIZES: words(SIZE_NAMES.length), // one word a table
  FEATURES: u32, // bits of the features that every member must know
  CONTEXTS: u64, // how many fence contexts were ever allocated
  INODES: u64, // how many buffers were ever exported
  TICKETS: u32, // acquire contexts ever begun; wraps
  RETIRED: u32, // failures ever retired; wraps
  HANDLES: u32, // handles ever made; wraps
  REQUESTS: u32, // requests ever made; wraps, and tells which of two came first
  HINTS: words(TABLE_NAMES.length), // where the next search for a free slot begins, one word a table
  DOMAIN: words(4), // a random number that names the domain
  USED: words(TABLE_NAMES.length), // how many slots were ever used, one word a table
});

/** One joined thread. */
export const AGENT_STATE = packing(32, { phase: 10, generation: 22 });
export const AGENT_PHASE = { FREE: 0, LIVE: 1, DEAD: 2 } as const;

/** How many waits of an agent sleep in its event loop, and whether its thread blocks. */
export const SLEEPERS = packing(32, { inLoop: 30, blocks: 1 });

/** Who has invited an agent, and what has become of the invitation. */
export const INVITATION = packing(64, { inviter: 32, generation: 22, state: 3 });
export const INVITATION_STATE = {
  OPEN: 1,
  JOINED: 2, // others will notice the agent's end, and cannot yet
  WATCHED: 3, // others notice the agent's end
  ALONE: 4, // no system tells others of the agent's end
  REVOKED: 5,
  EXPIRED: 6, // it was not used in time
  ORPHANED: 7, // its inviter has left or died
} as const;

/** How many words a path or an abstract name of a socket has, with a 0 behind it. */
export const PLACE_NAME_WORDS = 28;

export const AGENT = record({
  STATE: packed(AGENT_STATE),
  REAPER: u32, // identity of the agent that sweeps this slot
  REQUESTS: u32, // requests ever posted to this agent; wraps
  MESSAGES: u32, // messages ever sent to this agent beside the segment; wraps
  RELEASED: u32, // identity of the last dead agent in the slot that has been released (recovery.8)
  NAMED: u32, // generation of the agent whose name is in NAME as a whole
  PROCESS: u32, // number of its process, 0 if it is not known
  INVITATION: packed(INVITATION), // of the agent that it names by its generation, if that is the slot's or the next one
  NAME: name,
  LISTENS: words(PLACE_NAME_WORDS), // where the agent has last begun to listen, "" if it has not
  DOORBELL: ownLine(u32), // counts the rings
  SLEEPERS: packed(SLEEPERS), // the substrate's own, beside the word that is rung
});

/** How a fence ended whose slot has been used again. */
export const RETIRED = record({
  TAG: u32, // 0 never written, index + 1 when complete, -(agent slot + 1) while that agent writes it
  SLOT: u32,
  GENERATION: u32,
  ERROR: u32,
  FIRST: u64, // sequence numbers
  LAST: u64,
});

/** How many there are: a power of two, so that the index of the next one can wrap. */
export const RETIRED_KEPT = 1024;

/** A time of one generation of a slot. The unit is one nanosecond, or 256 of them if the value is in steps, as in `TIME`. */
export const TAGGED_TIME = packing(64, { value: 53, inSteps: 1, generation: 10 });

/** A range of failed sequence numbers. */
export const FAILURE = record({ FIRST: u64, LAST: u64, ERROR: u32 });

/** When a fence completed, and of which it is: by the lap of the ring, or by the fence's number. */
export const TIME = packing(64, { value: 53, inSteps: 1, tag: 10 });
export const TIME_ENTRY = record({ TIME: packed(TIME) });

/** How far a timeline is: the number of the last fence that completed. */
export const COMPLETED = packing(64, { sequence: 47, ended: 1, generation: 16 });
export const END_ERROR = packing(32, { error: 12, generation: 20 });

/** How many failures of a timeline stay readable, and how many completions keep their time. */
export const FAILURES_KEPT = 32;
export const TIMES_KEPT = 64;

/** Which fence of a timeline an agent has asked for whose owner only then ends its work. */
export const DEMAND = packing(64, { sequence: 47, listens: 1, generation: 16 });

/** What completes a timeline. */
export const TIMELINE_KIND = { PLAIN: 0, SOFTWARE: 1, QUEUE: 2, LONG_RUNNING: 3 } as const;

/** One fence context with a fixed owner. What a signal and a look at it need is in one cache line. */
export const TIMELINE = record({
  OWNER: ownLine(u32),
  GENERATION: u32,
  COMPLETED: packed(COMPLETED),
  LATEST: packed(TIME), // when that fence completed, or 0
  AWAITED: u64, // the lowest sequence number that an agent waits for, 0 for none
  DEADLINE: packed(TAGGED_TIME), // the earliest deadline asked for, CLOCK_MONOTONIC, 0 for none
  FORGOTTEN: u64, // the last sequence number of the failures no longer kept
  END_ERROR: packed(END_ERROR), // what pending fences end with; 0 while the timeline is open
  TIME_LIMIT: u32, // milliseconds without progress after which hang recovery ends the timeline
  FAILURES: u32, // how many failures were recorded
  FORGOTTEN_GENERATION: u32, // retired failures of this generation and earlier may be gone
  CONTEXT: u64, // the fence context number
  DRIVER_NAME: name,
  NAME: name,
  KIND: u32, // TIMELINE_KIND
  ACKNOWLEDGED: u64, // up to which number the owner has said that its work has finished, after the end
  DEMAND: packed(DEMAND), // 0 if the fences signal by themselves
  WAITERS: agentBits,
  FAILED: list(FAILURES_KEPT + 1, FAILURE), // one more than stay readable: the one being written
  TIMES: list(TIMES_KEPT, TIME_ENTRY),
});

export const ONE_SHOT_STATE = packing(32, { error: 12, signaled: 1, generation: 19 });
/** A fence's number, and whether its context counts in 32 bits. */
export const ONE_SHOT_NUMBER = packing(64, { seqno: 63, wraps: 1 });

/** A published fence that is no timeline's. */
export const ONE_SHOT = record({
  OWNER: u32,
  GENERATION: u32,
  STATE: packed(ONE_SHOT_STATE),
  ACKNOWLEDGED: u32, // the last generation whose publisher has given the slot back
  CONTEXT: u64,
  SEQUENCE: packed(ONE_SHOT_NUMBER),
  TIME: packed(TAGGED_TIME), // when it signaled
  TIME_LIMIT: u32, // milliseconds
  FORGOTTEN_GENERATION: u32,
  DEADLINE: packed(TAGGED_TIME),
  DRIVER_NAME: name,
  NAME: name,
  WAITERS: agentBits,
});

/** A slot that is held by references. While it is claimed, its version is the claimer's slot. */
export const SLOT_STATE = packing(64, { phase: 2, version: 30, generation: 32 });
export const SLOT_PHASE = { FREE: 0, CLAIMED: 1, LIVE: 2 } as const;

/** A handle in flight: who sent it, and its number in the domain. */
export const INFLIGHT = packing(32, { sender: 11, number: 21 });

/** The reservation's lock: the holder's identity and ticket, 0 if it is open. */
export const LOCK = packing(64, { holder: 32, ticket: 32 });
/** What an attempt to take the lock finds: it is the caller's now, or what that does next. */
export const LOCK_ATTEMPT = { TAKEN: 0, WAIT: 1, GIVE_WAY: 2, OWN: 3 } as const;

/** The levels of usages (usage.ts). */
export const USAGE_LEVEL = { KERNEL: 0, WRITE: 1, READ: 2, BOOKKEEP: 3 } as const;

/** One fence of a reservation. */
export const ENTRY_FENCE = packing(32, { level: 2, slot: 30 });
export const ENTRY = record({ FENCE: packed(ENTRY_FENCE), GENERATION: u32, SEQUENCE: u64 });

/** One copy of a reservation's fences, with room for two of each agent, so that each can read and write. */
export const RESERVATION = record({
  COUNT: u32,
  WRITES: u32, // how many fences of usage kernel and write were ever added; wraps
  ENTRIES: list(roomOf, ENTRY),
});

function roomOf({ agents }: Sizes): number {
  return 2 * agents;
}

/** Importers of one agent. */
export const ATTACHED = packing(32, { all: 16, dynamic: 16 });
/** Which lists with a word for each agent were ever used. */
export const TOUCHED = packing(32, { attachments: 1, pins: 1 });

/** One buffer, its references, holds and reservation. */
export const BUFFER = record({
  STATE: packed(SLOT_STATE),
  LOCK: packed(LOCK),
  PUBLISHED: u32, // counts the reservation's updates; its lowest bit says which copy is valid
  SIZE: u64, // bytes
  INODE: u64,
  FILE: u64, // the inode's number of the memory file that the bytes are in, for those that look on; 0 if it is not one
  FILE_OFFSET: u64, // where they begin in it
  EXPORTER: u32, // identity
  FLAGS: u32, // which operations its exporter has of its own (EXPORTER_FLAG), 0 for plain data; and whether its pages are pinned
  VERSION: u32, // how often its storage was moved; wraps
  MOVER: u32, // identity of the agent that moves its storage just now
  INFLIGHT_USED: u32, // how many places for handles in flight were ever used
  TOUCHED: packed(TOUCHED),
  NAMED: u32, // counts the renames; its lowest bit says which of the two copies of the name is valid
  RENAMER: u32, // identity of the agent that renames it just now
  NAME: name,
  OTHER_NAME: name, // the second copy
  EXPORTER_NAME: name,
  WRITER: ownLine(u32), // identity of the agent with the write hold
  CONTENT: u32, // how often agents have written the bytes by their own code; wraps
  READERS: agentBits,
  HOLD_WAITERS: agentBits,
  REFERENCES: ownLine(agentBits),
  LOCK_WAITERS: agentBits,
  WORD_WAITERS: agentBits, // of those that wait for memory fences
  INFLIGHT: perAgent, // as many places as there may be agents
  ATTACHMENTS: perAgent, // ATTACHED
  PINS: perAgent, // how often the agent has pinned the storage
  COPIES: list(2, RESERVATION),
});

/** How many buffers a stream may have, consumers at the same time, and groups of them in its life. */
export const STREAM_BUFFERS = 32;
export const STREAM_CONSUMERS = 64;
export const STREAM_GROUPS = 8;

/** The frame that a place holds, if it is full. Its number wraps. */
export const PLACE_FRAME = packing(32, { full: 1, number: 31 });

/** One place of a stream's ring. It changes only under the write hold of its buffer. */
export const PLACE = record({
  FRAME: packed(PLACE_FRAME),
  BUFFER: u32, // slot
});

/** What a consumer loses when it is slower than the producer; 0 while it only joins or leaves; a group has its own. */
export const CONSUMER_POLICY = { BLOCK: 1, DROP_OLDEST: 2, NEWEST: 3, SHARED: 4 } as const;

/** One consumer of a stream. */
export const CONSUMER = record({
  OWNER: ownLine(u32),
  POLICY: u32,
  CURSOR: u32, // number of the next frame it has not taken; wraps
  GROUP: u32, // of a member: which group of the stream
  TURN: u32, // of a member: since when it waits for a frame, by the group's TURNS; 0 while it does not
});

/** What a group has to do with the frame of a place, unless an agent has it: then its identity. */
export const CLAIM = { OPEN: 0, DONE: 1 } as const;

/** Consumers of a stream that share the work: each frame goes to one of them. */
export const GROUP = record({
  POLICY: ownLine(u32), // CONSUMER_POLICY; 0 until the first member has joined
  TURNS: u32, // how often a member has begun to wait; wraps
  MISSED: u32, // frames that were dropped before a member had done them; wraps
  TAKEN: packed(PLACE_FRAME), // the latest frame that a member has taken, if the policy is NEWEST
  NAME: name, // bytes behind its end are 0xff (stream-group.8)
  CLAIMS: words(STREAM_BUFFERS), // CLAIM, one for each place
});

/**
 * What the look of a producer or of a consumer finds: a place, or NONE, or that the stream has ended; besides, whether its
 * buffer is READY, since the work on it has finished and its storage was never moved, and how many frames are between a
 * consumer's cursor and the frame: so many times BEYOND. A member of a group may find that another one comes first.
 */
export const FOUND = { NONE: 32, ENDED: 33, NOT_YET: 34, READY: 64, BEYOND: 128 } as const;

/** How many words of UTF-8 the description of a stream's format has. */
export const FORMAT_WORDS = 128;

/** How a stream ended: 0 for an open one, 1 for its end, else the errno it failed with + 1. */
export const STREAM_END = packing(32, { end: 11, left: 1, generation: 20 });

/** A frame stream. Both sides read the first line; the second one and the places are the producer's, a cursor its consumer's. */
export const STREAM = record({
  GENERATION: u32,
  OWNER: u32, // identity of the producer, 0 if it has left
  END: packed(STREAM_END), // `left`: the producer is gone
  PRODUCER_WAITS: u32, // 1 while the producer wants to hear of consumers that have moved on
  CONSUMERS_USED: u32, // how many consumers' places were ever used
  GROUPS_USED: u32, // how many groups there are
  RING: u32, // how many of its places have a buffer
  LOST: u32, // how many frames were lost before they came to the producer; wraps
  NAME: name,
  FORMAT: words(FORMAT_WORDS), // of its frames, for those that look on (format-text.ts)
  PUBLISHED: ownLine(u32), // frames ever published, with those of LOST; wraps
  WAITERS: agentBits,
  PLACES: ownLine(list(STREAM_BUFFERS, PLACE)),
  JOINED: list(STREAM_CONSUMERS, CONSUMER),
  SHARING: list(STREAM_GROUPS, GROUP),
});

/** The tables of streams, and of what they need, in the order in which the segment has them after its header. */
export const STREAM_TABLES = {
  agents: AGENT,
  retired: RETIRED,
  timelines: TIMELINE,
  oneShots: ONE_SHOT,
  buffers: BUFFER,
  streams: STREAM,
} as const;

type Starts = Readonly<Record<TableName | "end", number>>;

function startsOf(counts: Counts, tables: object): Starts {
  let end: number = HEADER.WORDS;
  const starts = Object.entries<AnyRecord>(tables as Record<string, AnyRecord>).map(([table, item]) => {
    const start = aligned(end, alignmentOf(item));
    end = start + counts[table as TableName] * place(item, counts).WORDS;
    return [table, start] as const;
  });
  // Tables without a slot may follow, which begin where their alignment says.
  return Object.fromEntries([...starts, ["end", aligned(end, LINE)]]) as unknown as Starts;
}

/** Where everything is in a domain of some sizes that has streams, and no feature that they do not need. */
export class StreamLayout {
  readonly sizes: Sizes;
  readonly counts: Counts;
  /** Words in an array with a bit for each agent. */
  readonly agentWords: number;
  /** How many timelines and one-shots there are together. */
  readonly fenceSlots: number;
  /** Fences that a reservation has room for. */
  readonly reservationEntries: number;
  readonly words: number;

  readonly TIMELINE: Placed<typeof TIMELINE>;
  readonly ONE_SHOT: Placed<typeof ONE_SHOT>;
  readonly BUFFER: Placed<typeof BUFFER>;
  readonly RESERVATION: Placed<typeof RESERVATION>;
  readonly STREAM: Placed<typeof STREAM>;

  // Numbers of their own, and not the table of starts: these are looked up all the time.
  readonly #agents: number;
  readonly #timelines: number;
  readonly #timelineWords: number;
  readonly #oneShots: number;
  readonly #oneShotWords: number;
  readonly #buffers: number;
  readonly #bufferWords: number;
  readonly #streams: number;
  readonly #streamWords: number;
  readonly #starts: Starts;

  /** @param retired How many failures are kept; other than the layout's own only on a model, for all agents. */
  constructor(sizes: Sizes, retired = RETIRED_KEPT, tables: object = STREAM_TABLES) {
    const counts = (this.counts = { ...sizes, retired });
    this.sizes = sizes;
    this.agentWords = agentWords(counts);
    this.fenceSlots = sizes.timelines + sizes.oneShots;
    this.reservationEntries = roomOf(counts);
    this.TIMELINE = place(TIMELINE, counts);
    this.ONE_SHOT = place(ONE_SHOT, counts);
    this.BUFFER = place(BUFFER, counts);
    this.RESERVATION = place(RESERVATION, counts);
    this.STREAM = place(STREAM, counts);
    const starts = (this.#starts = startsOf(counts, tables));
    this.words = starts.end;
    this.#agents = starts.agents;
    this.#timelines = starts.timelines;
    this.#timelineWords = this.TIMELINE.WORDS;
    this.#oneShots = starts.oneShots;
    this.#oneShotWords = this.ONE_SHOT.WORDS;
    this.#buffers = starts.buffers;
    this.#bufferWords = this.BUFFER.WORDS;
    this.#streams = starts.streams;
    this.#streamWords = this.STREAM.WORDS;
  }

  agent(slot: number): number {
    return this.#agents + slot * AGENT.WORDS;
  }

  retired(index: number): number {
    return this.#starts.retired + (index % this.counts.retired) * RETIRED.WORDS;
  }

  timeline(slot: number): number {
    return this.#timelines + slot * this.#timelineWords;
  }

  /** Fence slots are numbered through: the timelines first, then the one-shots. */
  oneShot(fenceSlot: number): number {
    return this.#oneShots + (fenceSlot - this.sizes.timelines) * this.#oneShotWords;
  }

  isTimeline(fenceSlot: number): boolean {
    return fenceSlot < this.sizes.timelines;
  }

  buffer(slot: number): number {
    return this.#buffers + slot * this.#bufferWords;
  }

  /** One of the two copies of a buffer's fences. */
  reservation(bufferSlot: number, copy: number): number {
    return this.buffer(bufferSlot) + this.BUFFER.COPIES + copy * this.RESERVATION.WORDS;
  }

  stream(slot: number): number {
    return this.#streams + slot * this.#streamWords;
  }

  /** Where a table begins. */
  start(table: TableName): number {
    return this.#starts[table];
  }
}

/** Whether a value from elsewhere is the index of one of `count` things. */
export function isIndex(value: unknown, count: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;
}
