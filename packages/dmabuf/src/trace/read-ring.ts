import { decode } from "../domain/text.js";
import { TRACE_POINTS } from "../domain/trace-points.js";
import { DmaBufError } from "../errors.js";
import {
  EVENT,
  MAGIC,
  STATE,
  TRACE_HEADER,
  TRACE_VERSION,
  WHAT,
  type RingEvent,
  type RingWriter,
} from "./trace-ring.js";

/** What a file of a ring holds. */
export interface RingContents extends RingWriter {
  readonly hasLeft: boolean;
  /** The oldest first. */
  readonly events: readonly RingEvent[];
  /** Whether more were found, and some between them had just been written over: another look may find all. */
  readonly hasGaps: boolean;
  /** How many events were lost for later ones: all of them, if each was written over while it was read. */
  readonly lost: number;
  /** How many events have no name since there was no room for it. */
  readonly namesLost: number;
}

/** Of a file that may change: the same bytes, read three times one after the other. One that does not change is the same thrice. */
export type ThreeLooks = readonly [first: Uint8Array, second: Uint8Array, third: Uint8Array];

/**
 * Reads a ring (trace-ring.3).
 *
 * @param path For messages.
 * @throws {DmaBufError} `EPROTO`, naming what is wrong.
 */
export function readRing(path: string, looks: ThreeLooks): RingContents {
  const refuse = (reason: string): never => {
    throw new DmaBufError("EPROTO", `Cannot read the trace ${path}: ${reason}`);
  };
  const views = looks.map((bytes) => viewOf(bytes));
  const [before, view, after] = views as [DataView, DataView, DataView];
  const word = (place: number): number => view.getUint32(place * 4, true);
  const number = (place: number): number => view.getFloat64(place * 4, true);
  if (view.byteLength < TRACE_HEADER.WORDS * 4) refuse(`it has ${view.byteLength} bytes, fewer than its header`);
  if (word(TRACE_HEADER.MAGIC) !== MAGIC) refuse("it does not begin as a trace of dmabuf does");
  const version = word(TRACE_HEADER.VERSION);
  if (version !== TRACE_VERSION) refuse(`its version is ${version}, this library's is ${TRACE_VERSION}`);
  const [names, namesBytes] = [word(TRACE_HEADER.NAMES), word(TRACE_HEADER.NAMES_BYTES)];
  const [events, capacity] = [word(TRACE_HEADER.EVENTS), word(TRACE_HEADER.CAPACITY)];
  const isWhole = names === TRACE_HEADER.WORDS * 4 && events === names + namesBytes && events % 8 === 0;
  if (!isWhole || capacity === 0 || (capacity & (capacity - 1)) !== 0) refuse("the sizes in its header are damaged");
  const length = events + capacity * EVENT.WORDS * 4;
  if (Math.min(...views.map(({ byteLength }) => byteLength)) < length) {
    refuse(`it has ${view.byteLength} bytes, its header says ${length}: it was cut short`);
  }
  const count = number(TRACE_HEADER.COUNT);
  if (!Number.isSafeInteger(count) || count < 0) refuse("the number of its events is damaged");
  const [startedAt, wallClock] = [number(TRACE_HEADER.STARTED), number(TRACE_HEADER.WALL_CLOCK)];
  if (!Number.isFinite(startedAt) || !Number.isFinite(wallClock)) refuse("its clocks are damaged");
  const state = word(TRACE_HEADER.STATE);
  if (state !== STATE.IN_DOMAIN && state !== STATE.LEFT) refuse(`its state is ${state}`);
  const nameLength = word(TRACE_HEADER.AGENT_NAME_BYTES);
  if (nameLength > (TRACE_HEADER.WORDS - TRACE_HEADER.AGENT_NAME) * 4) refuse("the name of its agent is damaged");
  const agent = word(TRACE_HEADER.AGENT);
  // The latest look: a name is there before an event that names it.
  const table = namesIn(looks[2], after, names, namesBytes, refuse);
  const list: RingEvent[] = [];
  for (let place = 0; place < capacity; place++) {
    const start = events + place * EVENT.WORDS * 4;
    const sequence = before.getUint32(start, true);
    // SYNC POINT event-before-sequence, zero-before-event: what was whole before and is the same after was whole between.
    if ((sequence & 1) === 0 || after.getUint32(start, true) !== sequence) continue;
    const index = indexOf(sequence >>> 1, count);
    if (index < 0 || index % capacity !== place) refuse(`the event at place ${place} has the number ${index}`);
    const what = view.getUint32(start + EVENT.WHAT * 4, true);
    const point = what & WHAT.lastPoint;
    if (point >= TRACE_POINTS.length) refuse(`event ${index} is of point ${point}, which there is not`);
    const name = what >>> WHAT.name;
    if (name > table.length) refuse(`event ${index} has name ${name} of ${table.length}`);
    const at = view.getFloat64(start + EVENT.AT * 4, true);
    const thing = view.getFloat64(start + EVENT.THING * 4, true);
    const more = view.getFloat64(start + EVENT.NUMBER * 4, true);
    if (![at, thing, more].every(Number.isFinite)) refuse(`the numbers of event ${index} are damaged`);
    const detail = (what >>> WHAT.detail) & WHAT.lastDetail;
    list.push({ index, point, detail, thing, number: more, at, agent, name: name === 0 ? undefined : table[name - 1] });
  }
  const runs = runsOf(list.sort((a, b) => a.index - b.index));
  const whole = runs.reduce((longest, run) => (run.length > longest.length ? run : longest), []);
  return {
    domain: [0, 1, 2, 3]
      .map((i) =>
        word(TRACE_HEADER.DOMAIN + i)
          .toString(16)
          .padStart(8, "0"),
      )
      .join(""),
    agent,
    agentName: textAt(looks[1], TRACE_HEADER.AGENT_NAME * 4, nameLength),
    process: word(TRACE_HEADER.PROCESS),
    startedAt,
    wallClock,
    hasLeft: state === STATE.LEFT,
    events: whole,
    hasGaps: runs.length > 1,
    lost: whole[0]?.index ?? count,
    namesLost: word(TRACE_HEADER.NAMES_LOST),
  };
}

/** The number of an event of which 31 bits are known: the one that is nearest to how many there were. */
function indexOf(low: number, count: number): number {
  return count + (((low - (count % 2 ** 31)) << 1) >> 1);
}

/** Events that follow each other without a gap. */
function runsOf(events: readonly RingEvent[]): RingEvent[][] {
  const runs: RingEvent[][] = [];
  let last = -1;
  for (const event of events) {
    if (event.index !== last + 1 || runs.length === 0) runs.push([]);
    runs.at(-1)!.push(event);
    last = event.index;
  }
  return runs;
}

function namesIn(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  length: number,
  refuse: (reason: string) => never,
): string[] {
  const names: string[] = [];
  const end = start + length;
  for (let at = start; at + 4 <= end;) {
    const size = view.getUint32(at, true);
    if (size === 0) break;
    // SYNC POINT name-before-length.
    if (at + 4 + size - 1 > end) refuse(`name ${names.length + 1} is longer than the place for names`);
    names.push(textAt(bytes, at + 4, size - 1));
    at += 4 + Math.ceil((size - 1) / 4) * 4;
  }
  return names;
}

function textAt(bytes: Uint8Array, start: number, length: number): string {
  return decode(bytes.subarray(start, start + length));
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
