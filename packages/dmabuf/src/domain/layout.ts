import type { Protocol } from "../protocol/protocol.js";
import type { Substrate } from "../substrate/substrate.js";
import { packed, packing } from "./packing.js";
import {
  agentBits,
  list,
  name,
  perAgent,
  place,
  record,
  u32,
  u64,
  words,
  type AnyRecord,
  type Placed,
} from "./record.js";
import { SLOT_STATE, STREAM_TABLES, StreamLayout, type TableName } from "./stream-layout.js";
import type { Sizes } from "./sizes.js";

export * from "./stream-layout.js";

/**
 * The control segment: a header, then one table after another. Here are the tables of the features that streams do not
 * need, and in stream-layout.ts all others. No other module knows where anything in it is.
 *
 * layout.1. A zeroed segment with a valid header is an empty domain: no table needs to be initialised.
 * layout.2. The same sizes give the same layout in every agent.
 * layout.3. Any change of the two raises LAYOUT_VERSION; a joiner with another version is refused.
 *
 * In all tables, a `GENERATION` counts the uses of a slot, an owner is an agent's identity and 0 for none, and an errno
 * is positive and 0 for none. `WAITERS` has the bits of the agents that are to be rung.
 */

export const REQUEST_STATE = packing(64, {
  phase: 3,
  noAnswer: 1, // the requester does not wait
  requester: 10, // its slot
  errno: 12, // the answer
  value: 1,
  unused: 5,
  generation: 32,
});
export const REQUEST_PHASE = { FREE: 0, CLAIMED: 1, POSTED: 2, TAKEN: 3, DONE: 4 } as const;
export const IMPORTER = packing(32, { dynamic: 1, peerToPeer: 1 });

/** Something asked of an exporter in another agent, or of an importer by its exporter. */
export const REQUEST = record({
  STATE: packed(REQUEST_STATE),
  REQUESTER: u32, // identity
  EXPORTER: u32, // identity of the agent that is asked
  BUFFER: u32, // slot
  BUFFER_GENERATION: u32,
  OPERATION: u32, // index in OPERATIONS
  MODE: u32, // 0 read, 1 write
  ATTACHMENT: u32, // the requester's number of the importer's tie to the buffer
  MAPPING: u32, // the requester's number of the mapping
  IMPORTER: packed(IMPORTER),
  ORDER: u32, // which of two requests came first: by signed difference
  LOCK: u64, // the requester's lock word, which the exporter takes over, 0 if the request needs no lock
  FIRST_PAGE: u32, // of a paged buffer, in pages of PAGE_SIZE
  PAGES: u32, // how many
  NAME: name, // the importer's
});

/** `joins`: of one array with the fence before it, which signals with `any`. */
export const POINT_FENCE = packing(32, { stub: 1, link: 1, joins: 1, any: 1, slot: 28 });

/** One fence of a syncobj. */
export const POINT = record({
  FENCE: packed(POINT_FENCE),
  GENERATION: u32,
  SEQUENCE: u64, // of a stub: when it signaled
  SEQNO: u64, // the link's point
  PREVIOUS: u64, // the point of the link before
  CONTEXT: u64, // the link's fence context
});

/** How many fences a shared syncobj has room for. */
export const SYNCOBJ_FENCES = 64;

/** One copy of a syncobj's fences. */
export const POINTS = record({ COUNT: u32, FENCES: list(SYNCOBJ_FENCES, POINT) });

/** One syncobj that several agents use, its references and two copies of its fences. */
export const SYNCOBJ = record({
  STATE: packed(SLOT_STATE),
  LOCK: u32, // identity of the agent that changes the fences, 0 if open
  PUBLISHED: u32, // counts the changes; its lowest bit says which copy is valid
  INFLIGHT_USED: u32,
  REFERENCES: agentBits,
  INFLIGHT: perAgent,
  WAITERS: agentBits,
  COPIES: list(2, POINTS),
});

/** One user fence and its references. */
export const USER_FENCE = record({
  STATE: packed(SLOT_STATE),
  SIGNALED: u32, // 1 once it has signaled
  INFLIGHT_USED: u32,
  NAME: name,
  REFERENCES: agentBits,
  INFLIGHT: perAgent,
  WAITERS: agentBits,
});

/** What an agent holds or waits for, as the validator knows it: a slot of a buffer or of a fence. */
export const THING = packing(64, { kind: 3, slot: 29, generation: 32 });
/** While an order is written, `claimer` is the agent that does it. */
export const ORDER_STATE = packing(64, { phase: 2, version: 30, claimer: 32 });
export const ORDER_PHASE = { FREE: 0, CLAIMED: 1, LIVE: 2 } as const;
/** How many words of UTF-8 a place in the code has. */
export const SITE_WORDS = 60;

/** One thing was waited for while another was held. */
export const ORDER = record({
  STATE: packed(ORDER_STATE),
  HELD: packed(THING),
  AWAITED: packed(THING),
  LEARNER: u32, // identity of the agent that has seen it
  PENDING: u32, // 1 if it is no order that was learned, but a wait that goes on
  HELD_AT: words(SITE_WORDS),
  AWAITED_AT: words(SITE_WORDS),
});

/** What an agent does that lasts, as an index in ACTIVITIES (activity.ts); and whether its thread is blocked by it. */
export const DOES = packing(32, { activity: 8, blocks: 1 });

/** What an agent holds, runs or waits for, and has for some time. */
export const ACTIVITY = record({
  OWNER: u32,
  VERSION: u32, // odd while the entry is whole; wraps
  DOES: packed(DOES),
  SLOT: u32, // of what it is about
  GENERATION: u32,
  NUMBER: u64, // of a fence, a place, a lock's ticket, or how many there are to be
  SINCE: u64, // monotonic nanoseconds
  PLACE: words(SITE_WORDS), // where the program does it, if that is known
});

/** What one agent has copied for one reason, at one place of its program. */
export const COPY = record({
  OWNER: u32,
  TIMES: u32, // how often; 0 until all else is stored
  BYTES: u64, // together
  WHY: u32, // index in COPY_REASONS (copying.ts)
  PLACE: words(SITE_WORDS), // where the program did it, if that is known
});

/** All tables, in that order. */
export const TABLES = {
  ...STREAM_TABLES,
  requests: REQUEST,
  syncobjs: SYNCOBJ,
  userFences: USER_FENCE,
  orders: ORDER,
  activities: ACTIVITY,
  copies: COPY,
} as const satisfies Record<TableName, AnyRecord>;

/** Where everything is in a domain of some sizes. */
export class Layout extends StreamLayout {
  readonly SYNCOBJ: Placed<typeof SYNCOBJ>;
  readonly POINTS: Placed<typeof POINTS>;
  readonly USER_FENCE: Placed<typeof USER_FENCE>;

  /** @param retired As for {@link StreamLayout}. */
  constructor(sizes: Sizes, retired?: number) {
    super(sizes, retired, TABLES);
    this.SYNCOBJ = place(SYNCOBJ, this.counts);
    this.POINTS = place(POINTS, this.counts);
    this.USER_FENCE = place(USER_FENCE, this.counts);
  }

  request(slot: number): number {
    return this.start("requests") + slot * REQUEST.WORDS;
  }

  syncobj(slot: number): number {
    return this.start("syncobjs") + slot * this.SYNCOBJ.WORDS;
  }

  /** One of the two copies of a syncobj's fences. */
  points(slot: number, copy: number): number {
    return this.syncobj(slot) + this.SYNCOBJ.COPIES + copy * this.POINTS.WORDS;
  }

  userFence(slot: number): number {
    return this.start("userFences") + slot * this.USER_FENCE.WORDS;
  }

  order(slot: number): number {
    return this.start("orders") + slot * ORDER.WORDS;
  }

  activity(slot: number): number {
    return this.start("activities") + slot * ACTIVITY.WORDS;
  }

  copy(slot: number): number {
    return this.start("copies") + slot * COPY.WORDS;
  }
}

/** What every protocol of the domain works on. */
export interface Segment {
  readonly memory: Substrate;
  readonly layout: Layout;
  /** What is compiled to WebAssembly, by one of the builds: see protocol.1. */
  readonly protocol: Protocol;
}
