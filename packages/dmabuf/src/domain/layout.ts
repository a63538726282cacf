import { DmaBufError } from "../errors.js";
import type { Substrate } from "../substrate/substrate.js";
import { checkReadSizes, SIZE_NAMES, type Sizes } from "./sizes.js";
import { POINTS_WORDS, SYNCOBJ } from "./syncobj-words.js";

export { checkSizes, DEFAULT_SIZES, SIZES, type Sizes } from "./sizes.js";
export { POINT, POINT_FLAG, SYNCOBJ, SYNCOBJ_FENCES } from "./syncobj-words.js";

/**
 * Where everything in the control segment stands. No other module computes an offset.
 *
 * layout.1. A zeroed segment with a valid header is an empty domain: no table needs to be initialised.
 * layout.2. 64-bit words stand at even indices; every slot's stride is even.
 * layout.3. Any change of a table below, or in syncobj-words.ts, raises LAYOUT_VERSION; a joiner with another version
 *      is refused.
 */
export const LAYOUT_VERSION = 7;

const MAGIC = 0x66756264; // "dbuf" in memory

export const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  SIZES: 2, // one word a table, in the order of SIZE_NAMES
  FEATURES: 9, // bits of the features that every member must know
  CONTEXTS: 10, // 64 bits: how many fence contexts were ever allocated
  INODES: 12, // 64 bits: how many buffers were ever exported
  TICKETS: 14, // acquire contexts ever begun; wraps
  OBITUARIES: 15, // obituaries ever written; wraps
  HANDLES: 16, // handles ever made; wraps
  REQUESTS: 17, // requests ever made; wraps, and tells which of two came first
  HINTS: 18, // where the next search for a free slot begins: one word a table, in the order of TABLE_NAMES
  DOMAIN: 26, // four words: a random number that names the domain
  USED: 32, // how many slots were ever used: one word a table, in the order of TABLE_NAMES
  WORDS: 48,
} as const;

/** One joined thread. */
export const AGENT = {
  STATE: 0, // generation << 10 | AGENT_STATE
  REAPER: 1, // identity of the agent that sweeps this slot, 0 for none
  REQUESTS: 2, // requests ever posted to this agent; wraps
  MESSAGES: 3, // messages ever sent to this agent beside the segment; wraps
  SLEEPERS: 4, // whether its thread blocks, how many of its waits sleep in its event loop; the substrate's own
  RELEASED: 6, // identity of the last dead agent in the slot of whom all that others wait for has been ended (recovery.8)
  NAMED: 7, // generation of the agent whose name stands in NAME as a whole
  NAME: 8,
  DOORBELL: 16, // counts the rings; a line of its own
  WORDS: 32,
} as const;

export const AGENT_STATE = { FREE: 0, LIVE: 1, DEAD: 2 } as const;

/** One fence context with a fixed owner. The bit arrays and rings follow the fixed part. */
export const TIMELINE = {
  OWNER: 0, // identity of the owner, 0 if the slot is free
  GENERATION: 1, // counts the slot's uses
  COMPLETED: 2, // 64 bits: generation << 48 | ended << 47 | sequence number
  AWAITED: 4, // 64 bits: the lowest sequence number somebody waits for, 0 for nobody
  DEADLINE: 6, // 64 bits: generation << 53 | the earliest deadline asked for, CLOCK_MONOTONIC nanoseconds, 0 for none
  CONTEXT: 8, // 64 bits: the fence context number
  FORGOTTEN: 10, // 64 bits: the last sequence number of the failures no longer kept
  END_ERROR: 12, // generation << 12 | positive errno that pending fences end with, 0 while the timeline is open
  TIME_LIMIT: 13, // milliseconds without progress after which hang recovery ends the timeline
  FAILURES: 14, // how many failures were recorded
  FORGOTTEN_GENERATION: 15, // obituaries of this generation and earlier may be gone
  DRIVER_NAME: 16,
  NAME: 24,
  ACKNOWLEDGED: 32, // 64 bits: up to which number the owner has said that its work has finished, after the end
  ARRAYS: 34,
} as const;

/** How many failures of a timeline stay readable. One more slot exists: the one being written. */
export const FAILURES_KEPT = 32;

/** A range of failed sequence numbers. */
export const FAILURE = {
  FIRST: 0, // 64 bits
  LAST: 2, // 64 bits
  ERROR: 4, // positive errno
  WORDS: 6,
} as const;

/** How many completions of a timeline keep their time. */
export const TIMES_KEPT = 64;

/** When a fence completed. */
export const TIME = {
  LOW: 0, // nanoseconds, low 32 bits
  TAGGED_HIGH: 1, // lap of the ring << 21 | nanoseconds, high 21 bits
  WORDS: 2,
} as const;

/** A published fence that is no timeline's. */
export const ONE_SHOT = {
  OWNER: 0, // identity of the publisher, 0 if the slot is free
  GENERATION: 1,
  STATE: 2, // generation << 13 | signaled << 12 | positive errno
  ACKNOWLEDGED: 3, // the last generation whose publisher has let go of the slot
  CONTEXT: 4, // 64 bits
  SEQUENCE: 6, // 64 bits: counts in 32 bits << 63 | number
  TIME: 8, // 64 bits: generation << 53 | nanoseconds, 0 while the fence is pending
  TIME_LIMIT: 10, // milliseconds
  FORGOTTEN_GENERATION: 11,
  DEADLINE: 12, // 64 bits, as a timeline's
  DRIVER_NAME: 14,
  NAME: 22,
  ARRAYS: 30,
} as const;

/** How a fence ended whose slot has been reused. */
export const OBITUARY = {
  TAG: 0, // 0 never written, index + 1 when complete, -(agent slot + 1) while that agent writes it
  SLOT: 1,
  GENERATION: 2,
  ERROR: 3,
  FIRST: 4, // 64 bits
  LAST: 6, // 64 bits
  WORDS: 8,
} as const;

/** A power of two, so that the index of the next one can wrap. */
export const OBITUARIES_KEPT = 1024;

/** One buffer, its references, holds and reservation. */
export const BUFFER = {
  STATE: 0, // 64 bits: generation << 32 | version or claimer << 2 | SLOT_STATE
  LOCK: 2, // 64 bits: ticket << 32 | identity of the holder, 0 if open
  PUBLISHED: 4, // counts the reservation's updates; its lowest bit says which copy is valid
  WRITER: 5, // identity of the agent with the write hold, 0 for none
  SIZE_LOW: 6, // bytes
  SIZE_HIGH: 7,
  INODE_LOW: 8,
  INODE_HIGH: 9,
  EXPORTER: 10, // identity of the exporter
  FLAGS: 11, // which operations its exporter has of its own (EXPORTER_FLAG), 0 for plain data
  VERSION: 12, // how often its storage was moved; wraps
  MOVER: 13, // identity of the agent that moves its storage just now, 0 for none
  TRANSITS_USED: 14, // how many places for handles in flight were ever used
  TOUCHED: 15, // which arrays with a word for each agent were ever used: 1 attachments, 2 pins
  NAMED: 16, // counts the renames; its lowest bit says which of the two copies of the name is valid
  RENAMER: 17, // identity of the agent that renames it just now, 0 for none
  NAME: 18,
  OTHER_NAME: 26, // the second copy
  EXPORTER_NAME: 34,
  ARRAYS: 42,
} as const;

/** Of a slot that is held by references. */
export const SLOT_STATE = { FREE: 0, CLAIMED: 1, LIVE: 2 } as const;

/** One entry of a reservation. */
export const ENTRY = {
  SLOT: 0, // fence slot << 2 | usage
  GENERATION: 1,
  SEQUENCE: 2, // 64 bits
  WORDS: 4,
} as const;

/** A frame stream. */
export const STREAM = {
  GENERATION: 0,
  OWNER: 1, // identity of the producer, 0 if it has left
  END: 2, // generation << 12 | producer gone << 11 | 0 open, 1 ended, else the positive errno it failed with + 1
  PUBLISHED: 3, // frames ever published; wraps
  CONSUMERS: 5, // how many consumers' places were ever used
  PRODUCER_WAITS: 4, // 1 while the producer wants to hear of consumers that have moved on
  NAME: 8,
  ARRAYS: 16,
} as const;

/** How many buffers a stream may have, and consumers at the same time. */
export const STREAM_BUFFERS = 32;
export const STREAM_CONSUMERS = 64;

/** One place of a stream's ring. It changes only under the write hold of its buffer. */
export const PLACE = {
  FULL: 0, // 1 if it holds a frame
  FRAME: 1, // the frame's number; wraps
  WORDS: 2,
} as const;

/** One consumer of a stream. */
export const CONSUMER = {
  OWNER: 0, // identity of the consumer's agent, 0 if free
  POLICY: 1, // what it loses (stream-slot.ts), 0 while it only joins or leaves
  CURSOR: 2, // number of the next frame it has not taken; wraps
  WORDS: 4,
} as const;

/** Something asked of an exporter in another agent, or of an importer by its exporter. */
export const REQUEST = {
  STATE: 0, // 64 bits: generation << 32 | value << 26 | errno << 14 | requester's slot << 4 | no answer << 3 | phase
  REQUESTER: 2, // identity
  EXPORTER: 3, // identity of whoever is asked
  BUFFER: 4, // slot
  BUFFER_GENERATION: 5,
  OPERATION: 6, // REQUEST_OPERATION
  MODE: 7, // 0 read, 1 write
  ATTACHMENT: 8, // the requester's number of the importer's tie to the buffer
  MAPPING: 9, // the requester's number of the mapping
  IMPORTER: 10, // 1 dynamic | 2 allows peer to peer
  ORDER: 11, // which of two requests came first: by signed difference
  LOCK: 12, // 64 bits: the requester's lock word, which the exporter takes over, 0 if the request needs no lock
  NAME: 14, // the importer's
  WORDS: 22,
} as const;

export const REQUEST_PHASE = { FREE: 0, CLAIMED: 1, POSTED: 2, TAKEN: 3, DONE: 4 } as const;

/** Offsets that depend on the sizes of a domain. */
export class Layout {
  readonly sizes: Sizes;
  readonly obituariesKept: number;
  /** Words in an array with a bit for each agent. */
  readonly agentWords: number;
  /** Fences that a reservation has room for: twice the number of agents, so that each can read and write. */
  readonly reservationEntries: number;
  readonly words: number;
  /** Within a timeline's slot. */
  readonly failures: number;
  readonly times: number;
  /** Within a buffer's slot. */
  readonly references: number;
  readonly readers: number;
  readonly lockWaiters: number;
  readonly holdWaiters: number;
  readonly transits: number;
  /** One word an agent: its attached importers, and in the high half those of them that are dynamic. */
  readonly attachments: number;
  /** One word an agent: how often it has pinned the storage. */
  readonly pins: number;
  /** Within a stream's slot. */
  readonly consumerWaiters: number;
  readonly places: number;
  readonly consumers: number;
  /** Within a syncobj's slot. */
  readonly syncobjReferences: number;
  readonly syncobjTransits: number;
  readonly syncobjWaiters: number;

  readonly #reservations: number;
  readonly #reservationWords: number;
  readonly #agents: number;
  readonly #obituaries: number;
  readonly #timelines: number;
  readonly #timelineWords: number;
  readonly #oneShots: number;
  readonly #oneShotWords: number;
  readonly #buffers: number;
  readonly #bufferWords: number;
  readonly #streams: number;
  readonly #streamWords: number;
  readonly #requests: number;
  readonly #syncobjs: number;
  readonly #syncobjWords: number;

  /** @param obituariesKept Other than the layout's own only on a model, where all agents are given the same. */
  constructor(sizes: Sizes, obituariesKept = OBITUARIES_KEPT) {
    this.sizes = sizes;
    this.obituariesKept = obituariesKept;
    this.agentWords = even(Math.ceil(sizes.agents / 32));
    this.reservationEntries = 2 * sizes.agents;

    this.failures = TIMELINE.ARRAYS + this.agentWords;
    this.times = this.failures + (FAILURES_KEPT + 1) * FAILURE.WORDS;
    this.#timelineWords = this.times + TIMES_KEPT * TIME.WORDS;
    this.#oneShotWords = ONE_SHOT.ARRAYS + this.agentWords;

    this.references = BUFFER.ARRAYS;
    this.readers = this.references + this.agentWords;
    this.lockWaiters = this.readers + this.agentWords;
    this.holdWaiters = this.lockWaiters + this.agentWords;
    this.transits = this.holdWaiters + this.agentWords;
    this.attachments = this.transits + even(sizes.agents);
    this.pins = this.attachments + even(sizes.agents);
    this.#reservations = this.pins + even(sizes.agents);
    this.#reservationWords = 2 + this.reservationEntries * ENTRY.WORDS;
    this.#bufferWords = this.#reservations + 2 * this.#reservationWords;

    this.consumerWaiters = STREAM.ARRAYS;
    this.places = this.consumerWaiters + this.agentWords;
    this.consumers = this.places + STREAM_BUFFERS * PLACE.WORDS;
    this.#streamWords = this.consumers + STREAM_CONSUMERS * CONSUMER.WORDS;

    this.syncobjReferences = SYNCOBJ.ARRAYS;
    this.syncobjTransits = this.syncobjReferences + this.agentWords;
    this.syncobjWaiters = this.syncobjTransits + even(sizes.agents);
    this.#syncobjWords = this.syncobjWaiters + this.agentWords + 2 * POINTS_WORDS;

    this.#agents = HEADER.WORDS;
    this.#obituaries = this.#agents + sizes.agents * AGENT.WORDS;
    this.#timelines = this.#obituaries + obituariesKept * OBITUARY.WORDS;
    this.#oneShots = this.#timelines + sizes.timelines * this.#timelineWords;
    this.#buffers = this.#oneShots + sizes.oneShots * this.#oneShotWords;
    this.#streams = this.#buffers + sizes.buffers * this.#bufferWords;
    this.#requests = this.#streams + sizes.streams * this.#streamWords;
    this.#syncobjs = this.#requests + sizes.requests * REQUEST.WORDS;
    this.words = this.#syncobjs + sizes.syncobjs * this.#syncobjWords;
  }

  agent(slot: number): number {
    return this.#agents + slot * AGENT.WORDS;
  }

  obituary(index: number): number {
    return this.#obituaries + (index % this.obituariesKept) * OBITUARY.WORDS;
  }

  /** Fence slots are numbered through: the timelines first, then the one-shots. */
  timeline(slot: number): number {
    return this.#timelines + slot * this.#timelineWords;
  }

  isTimeline(fenceSlot: number): boolean {
    return fenceSlot < this.sizes.timelines;
  }

  oneShot(fenceSlot: number): number {
    return this.#oneShots + (fenceSlot - this.sizes.timelines) * this.#oneShotWords;
  }

  buffer(slot: number): number {
    return this.#buffers + slot * this.#bufferWords;
  }

  /** The first word of one of a reservation's two copies: its number of entries; the entries begin two words later. */
  reservation(bufferSlot: number, copy: number): number {
    return this.buffer(bufferSlot) + this.#reservations + copy * this.#reservationWords;
  }

  stream(slot: number): number {
    return this.#streams + slot * this.#streamWords;
  }

  request(slot: number): number {
    return this.#requests + slot * REQUEST.WORDS;
  }

  syncobj(slot: number): number {
    return this.#syncobjs + slot * this.#syncobjWords;
  }

  /** The first word of one of a syncobj's two copies: its number of fences; the fences begin two words later. */
  points(slot: number, copy: number): number {
    return this.syncobj(slot) + this.syncobjWaiters + this.agentWords + copy * POINTS_WORDS;
  }
}

/** Makes a zeroed segment a domain. The version is written last: before it, nobody may join. */
export function writeHeader(memory: Substrate, sizes: Sizes, domain: readonly number[]): void {
  SIZE_NAMES.forEach((name, i) => memory.store(HEADER.SIZES + i, sizes[name]));
  domain.forEach((word, i) => memory.store(HEADER.DOMAIN + i, word));
  memory.store(HEADER.MAGIC, MAGIC);
  memory.store(HEADER.VERSION, LAYOUT_VERSION);
}

/** The number that names the domain, as text. */
export function domainName(memory: Substrate): string {
  return [0, 1, 2, 3].map((i) => (memory.load(HEADER.DOMAIN + i) >>> 0).toString(16).padStart(8, "0")).join("");
}

/**
 * @param words How long the segment is; of `memory` no more than the header is read.
 * @throws {DmaBufError} `EPROTO` if this is no control segment, or one of another layout version.
 */
export function readHeader(memory: Substrate, words = memory.words): Layout {
  if (memory.words < HEADER.WORDS || memory.load(HEADER.MAGIC) !== MAGIC) {
    throw new DmaBufError("EPROTO", "Cannot join the domain: this memory is no dmabuf control segment");
  }
  const version = memory.load(HEADER.VERSION);
  if (version !== LAYOUT_VERSION) {
    throw new DmaBufError(
      "EPROTO",
      `Cannot join the domain: its layout version is ${version}, this library's is ${LAYOUT_VERSION}`,
    );
  }
  const sizes = Object.fromEntries(SIZE_NAMES.map((name, i) => [name, memory.load(HEADER.SIZES + i)]));
  const layout = new Layout(checkReadSizes(sizes));
  if (words < layout.words) {
    throw new DmaBufError("EPROTO", `Cannot join the domain: it has ${words} words, its sizes need ${layout.words}`);
  }
  return layout;
}

function even(words: number): number {
  return (words + 1) & ~1;
}

/** What every protocol of the domain works on. */
export interface Segment {
  readonly memory: Substrate;
  readonly layout: Layout;
}

/** Whether a value from elsewhere is the index of one of `count` things. */
export function isIndex(value: unknown, count: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;
}
