import { encodeInto } from "../domain/text.js";
import type { RawEvent } from "../domain/trace-points.js";
import { storeOrdered } from "../substrate/ordered-word.js";

/**
 * The last events of one agent, in a file that outlives it.
 *
 * trace-ring.1. A file has one writer, and no lock: any number of readers look at it at any time, also after the writer was
 *     killed.
 * trace-ring.2. Event number n, from 0, is at place n modulo the capacity, which is a power of two. It is whole while its
 *     word SEQUENCE is 2n + 1, modulo 2³². The writer stores 0 there, then the other words, then the number, in this order: so
 *     one that a death has cut off is not seen, and all before it are.
 * trace-ring.3. A reader takes an event whose SEQUENCE was the same odd number before it has read the rest and after, and of
 *     those that it has found the most that follow each other without a gap. It reads a small piece three times, then the one
 *     before it: so little is written over between the looks.
 * trace-ring.4. A name is written before its length, and its length before an event that names it. Names are counted from 1;
 *     0 is none. Once one has no room, events with a new name have none, and are counted in NAMES_LOST.
 * trace-ring.5. The header is written before the file has its name; what changes later is COUNT, a hint that a reader uses to
 *     number the events, NAMES_LOST, and STATE.
 *
 * All numbers are little-endian. Words of the header, of 32 bits:
 *
 * | word | what |
 * |---|---|
 * | 0 | the magic number, "dbtr" in memory |
 * | 1 | the version of this format, {@link TRACE_VERSION} |
 * | 2, 3 | where the names begin, and how many bytes there are for them |
 * | 4, 5 | where the events begin, in bytes, and how many there is room for |
 * | 6 | the number of the process |
 * | 7 | the agent's identity |
 * | 8–11 | the domain |
 * | 12–13 | monotonic nanoseconds at the start, a number of 64 bits with a point |
 * | 14–15 | the wall clock at that moment, milliseconds since 1970, likewise |
 * | 16–17 | COUNT: how many events there were, likewise |
 * | 18 | STATE: 1 while the agent is in its domain, 2 when it has left |
 * | 19 | NAMES_LOST |
 * | 20 | how many bytes the agent's name has; it follows, in UTF-8 |
 *
 * A name is its length plus 1 in one word, then its bytes of UTF-8, then zeros up to a whole word. An event is eight words:
 *
 * | word | what |
 * |---|---|
 * | 0 | SEQUENCE |
 * | 1 | bits 0–5 the point's place in `TRACE_POINTS`, 6–17 a detail, 18–31 the name |
 * | 2–3 | when, in monotonic nanoseconds, a number of 64 bits with a point |
 * | 4–5 | the thing, likewise |
 * | 6–7 | one number more, likewise |
 */

/** Raised with any change of the format, and of the list of points but at its end. */
export const TRACE_VERSION = 1;

export const MAGIC = 0x72746264;

/** Words of the header. */
export const TRACE_HEADER = {
  MAGIC: 0,
  VERSION: 1,
  NAMES: 2,
  NAMES_BYTES: 3,
  EVENTS: 4,
  CAPACITY: 5,
  PROCESS: 6,
  AGENT: 7,
  DOMAIN: 8,
  STARTED: 12,
  WALL_CLOCK: 14,
  COUNT: 16,
  STATE: 18,
  NAMES_LOST: 19,
  AGENT_NAME_BYTES: 20,
  AGENT_NAME: 21,
  WORDS: 64,
} as const;

export const STATE = { IN_DOMAIN: 1, LEFT: 2 } as const;

/** Words of an event. */
export const EVENT = { SEQUENCE: 0, WHAT: 1, AT: 2, THING: 4, NUMBER: 6, WORDS: 8 } as const;

/** How the word WHAT is put together. */
export const WHAT = { detail: 6, name: 18, lastPoint: 0x3f, lastDetail: 0xfff, lastName: 0x3fff } as const;

/** By default: 1 MiB of events and 128 KiB of names. */
const CAPACITY = 2 ** 15;
const NAMES_BYTES = 2 ** 17;
/** Of one name: a report's text is one, too. */
const LONGEST_NAME = 2000;

/** How large the two parts are. */
export interface RingSizes {
  /** Events, a power of two. */
  readonly capacity?: number;
  /** A multiple of 8. */
  readonly namesBytes?: number;
}

/** What the header says of the writer. */
export interface RingWriter {
  /** By 32 hexadecimal digits. */
  readonly domain: string;
  readonly agent: number;
  readonly agentName: string;
  readonly process: number;
  /** Monotonic nanoseconds, and the wall clock's milliseconds at that moment. */
  readonly startedAt: number;
  readonly wallClock: number;
}

/** How long the file is, in bytes. */
export function ringBytes({ capacity = CAPACITY, namesBytes = NAMES_BYTES }: RingSizes = {}): number {
  return TRACE_HEADER.WORDS * 4 + namesBytes + capacity * EVENT.WORDS * 4;
}

/** Writes events into the memory of a file. */
export class TraceRing {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #lastPlace: number;
  readonly #events: number;
  readonly #namesEnd: number;
  /** Where the next name is written, in bytes. */
  #nextName: number;
  readonly #names = new Map<string, number>();
  #isFull = false;
  #count = 0;

  /** @param memory Zeros, as many as {@link ringBytes} says. */
  constructor(memory: ArrayBufferLike, writer: RingWriter, sizes: RingSizes = {}) {
    const { capacity = CAPACITY, namesBytes = NAMES_BYTES } = sizes;
    const names = TRACE_HEADER.WORDS * 4;
    this.#words = new Int32Array(memory);
    this.#numbers = new Float64Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#lastPlace = capacity - 1;
    this.#events = (names + namesBytes) / 4;
    this.#namesEnd = names + namesBytes;
    this.#nextName = names;
    this.#writeHeader(writer, names, namesBytes, capacity);
  }

  /** How many events there were. */
  get count(): number {
    return this.#count;
  }

  /** Adds an event; one that is older than the capacity is lost for it. */
  write(point: number, detail: number, thing: number, number: number, name: string | undefined, at: number): void {
    const words = this.#words;
    const numbers = this.#numbers;
    const nameNumber = name === undefined ? 0 : (this.#names.get(name) ?? this.#addName(name));
    const count = this.#count;
    const event = this.#events + (count & this.#lastPlace) * EVENT.WORDS;
    // SYNC POINT zero-before-event: pairs with wholeEvents().
    storeOrdered(words, event, 0);
    words[event + EVENT.WHAT] = point | (detail << WHAT.detail) | (nameNumber << WHAT.name);
    const half = event >> 1;
    numbers[half + EVENT.AT / 2] = at;
    numbers[half + EVENT.THING / 2] = thing;
    numbers[half + EVENT.NUMBER / 2] = number;
    // SYNC POINT event-before-sequence: as above.
    storeOrdered(words, event, (2 * count + 1) | 0);
    this.#count = count + 1;
    numbers[TRACE_HEADER.COUNT / 2] = count + 1;
  }

  /** The agent has left its domain. */
  leave(): void {
    storeOrdered(this.#words, TRACE_HEADER.STATE, STATE.LEFT);
  }

  /** trace-ring.4. */
  #addName(name: string): number {
    const number = this.#names.size + 1;
    const start = this.#nextName + 4;
    const room = this.#namesEnd - start;
    if (!this.#isFull && number <= WHAT.lastName && room > 0) {
      const text = this.#bytes.subarray(start, start + Math.min(room, LONGEST_NAME));
      const length = encodeInto(name, text);
      // Half a name would be taken for another one. What is too long for any place, a report, may be cut.
      if (room >= LONGEST_NAME || length + 4 <= room) {
        // SYNC POINT name-before-length: pairs with namesIn().
        storeOrdered(this.#words, this.#nextName / 4, length + 1);
        this.#nextName = start + Math.ceil(length / 4) * 4;
        this.#names.set(name, number);
        return number;
      }
      text.fill(0);
    }
    this.#isFull = true;
    this.#words[TRACE_HEADER.NAMES_LOST]! += 1;
    return 0;
  }

  #writeHeader(writer: RingWriter, names: number, namesBytes: number, capacity: number): void {
    const words = this.#words;
    const { domain, agent, agentName, process, startedAt, wallClock } = writer;
    words[TRACE_HEADER.NAMES] = names;
    words[TRACE_HEADER.NAMES_BYTES] = namesBytes;
    words[TRACE_HEADER.EVENTS] = names + namesBytes;
    words[TRACE_HEADER.CAPACITY] = capacity;
    words[TRACE_HEADER.PROCESS] = process;
    words[TRACE_HEADER.AGENT] = agent;
    for (let i = 0; i < 4; i++) words[TRACE_HEADER.DOMAIN + i] = parseInt(domain.slice(8 * i, 8 * i + 8), 16);
    this.#numbers[TRACE_HEADER.STARTED / 2] = startedAt;
    this.#numbers[TRACE_HEADER.WALL_CLOCK / 2] = wallClock;
    const name = this.#bytes.subarray(TRACE_HEADER.AGENT_NAME * 4, TRACE_HEADER.WORDS * 4);
    words[TRACE_HEADER.AGENT_NAME_BYTES] = encodeInto(agentName, name);
    words[TRACE_HEADER.STATE] = STATE.IN_DOMAIN;
    words[TRACE_HEADER.VERSION] = TRACE_VERSION;
    storeOrdered(words, TRACE_HEADER.MAGIC, MAGIC);
  }
}

/** An event, and its number. */
export interface RingEvent extends RawEvent {
  /** How many there were before it. */
  readonly index: number;
}
