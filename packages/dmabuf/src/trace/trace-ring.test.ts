import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventFrom, POINT } from "../domain/trace-points.js";
import { readRing, type RingContents } from "./read-ring.js";
import { EVENT, ringBytes, TRACE_HEADER, TraceRing, type RingSizes } from "./trace-ring.js";

const SMALL: RingSizes = { capacity: 8, namesBytes: 64 };
const WRITER = {
  domain: "00000001deadbeef0000000000ff00ff",
  agent: 65,
  agentName: "camera é",
  process: 812,
  startedAt: 1e9,
  wallClock: 1.7e12,
};

function makeRing(sizes = SMALL): { ring: TraceRing; bytes: Uint8Array } {
  const memory = new ArrayBuffer(ringBytes(sizes));
  return { ring: new TraceRing(memory, WRITER, sizes), bytes: new Uint8Array(memory) };
}

function read(bytes: Uint8Array): RingContents {
  return readRing("a.dmatrace", [bytes, bytes, bytes]);
}

function write(ring: TraceRing, from: number, to: number, name = "gpu"): void {
  for (let i = from; i < to; i++) ring.write(POINT["fence:signaled"], i % 3, 7, i, name, 1000 + i);
}

function numbers({ events }: RingContents): number[] {
  return events.map(({ number }) => number);
}

describe("what is written is read", () => {
  test("the header says who has written, and events are read in their order (trace-ring.1, trace-ring.5)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 5);
    const { events, ...header } = read(bytes);
    assert.deepEqual(header, { ...WRITER, hasLeft: false, hasGaps: false, lost: 0, namesLost: 0 });
    const agent = WRITER.agent;
    assert.deepEqual(
      events,
      [0, 1, 2, 3, 4].map((i) => {
        return { index: i, point: 3, detail: i % 3, thing: 7, number: i, name: "gpu", at: 1000 + i, agent };
      }),
    );
    ring.leave();
    assert.equal(read(bytes).hasLeft, true);
  });

  test("the newest events are kept when there are more than there is room for (trace-ring.2)", () => {
    const { ring, bytes } = makeRing();
    for (let total = 0; total < 40; total++) {
      const contents = read(bytes);
      assert.deepEqual(
        numbers(contents),
        Array.from({ length: Math.min(total, 8) }, (_, i) => Math.max(0, total - 8) + i),
      );
      assert.equal(contents.lost, Math.max(0, total - 8));
      write(ring, total, total + 1);
    }
  });

  test("an event that a death has cut off is not seen, and all before it are (trace-ring.2)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 10);
    const words = new Int32Array(bytes.buffer);
    const events = words[TRACE_HEADER.EVENTS]! / 4;
    // The writer has begun event 10, which takes the place of event 2.
    words[events + 2 * EVENT.WORDS + EVENT.SEQUENCE] = 0;
    words[events + 2 * EVENT.WORDS + EVENT.AT] = 77;
    assert.deepEqual(numbers(read(bytes)), [3, 4, 5, 6, 7, 8, 9]);
  });

  test("an event that changes while it is read is left out, whichever of the looks it changes between (trace-ring.3)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 8);
    const old = bytes.slice();
    write(ring, 8, 10);
    const current = bytes.slice();
    assert.deepEqual(numbers(readRing("a", [old, current, current])), [2, 3, 4, 5, 6, 7]);
    assert.deepEqual(numbers(readRing("a", [old, old, current])), [2, 3, 4, 5, 6, 7]);
    assert.deepEqual(numbers(readRing("a", [current, current, current])), [2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("where all events were written over while they were read, all are lost (trace-ring.3)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 8);
    const old = bytes.slice();
    write(ring, 8, 24);
    const { events, lost } = readRing("a", [old, bytes, bytes]);
    assert.deepEqual([events.length, lost], [0, 24]);
  });

  test("of events with a gap between them, the most that follow each other are taken (trace-ring.3)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 8);
    const old = bytes.slice();
    write(ring, 8, 12);
    const current = bytes.slice();
    // The first look was held up in the middle: it has places 0 and 1 from before, and 2 and 3 from after.
    const first = current.slice();
    const events = new Int32Array(bytes.buffer)[TRACE_HEADER.EVENTS]!;
    first.set(old.subarray(events, events + 2 * EVENT.WORDS * 4), events);
    const contents = readRing("a", [first, current, current]);
    assert.deepEqual(numbers(contents), [4, 5, 6, 7]);
    assert.equal(contents.hasGaps, true);
  });

  test("the numbers of events go on where their 31 bits begin again (trace-ring.2)", () => {
    for (const count of [2 ** 31 - 2, 2 ** 31, 2 ** 31 + 3, 2 ** 40 + 1]) {
      const { ring, bytes } = makeRing();
      write(ring, 0, 8);
      // As if there had been so many before: of a multiple of the capacity the places are the same.
      const before = Math.floor(count / 8) * 8;
      const words = new Int32Array(bytes.buffer);
      const events = words[TRACE_HEADER.EVENTS]! / 4;
      for (let i = 0; i < 8; i++)
        words[events + i * EVENT.WORDS] = Number(BigInt.asIntN(32, BigInt(2 * (before + i) + 1)));
      new Float64Array(bytes.buffer)[TRACE_HEADER.COUNT / 2] = before + 8;
      assert.deepEqual(
        read(bytes).events.map(({ index }) => index - before),
        [0, 1, 2, 3, 4, 5, 6, 7],
      );
    }
  });

  test("names are written once, and events that come when there is no more room have none (trace-ring.4)", () => {
    const { ring, bytes } = makeRing();
    const given = [
      "one",
      "two",
      "one",
      "a name of 31 bytes, the longest",
      "four",
      "two",
      "a name that is not there yet",
    ];
    given.forEach((name, i) => write(ring, i, i + 1, name));
    const { events, namesLost } = read(bytes);
    assert.deepEqual(
      events.map(({ name }) => name),
      [...given.slice(0, 4), "four", "two", undefined],
    );
    assert.equal(namesLost, 1);
    // There is no end of new names.
    for (let i = 0; i < 100; i++) write(ring, i, i + 1, `name ${i}`);
    assert.equal(read(bytes).namesLost, 101);
    write(ring, 1, 2, "one");
    assert.equal(read(bytes).events.at(-1)!.name, "one");
  });

  test("a name of a length that a death has kept from being written is not there (trace-ring.4)", () => {
    const { ring, bytes } = makeRing();
    write(ring, 0, 1, "one");
    const start = TRACE_HEADER.WORDS * 4 + 8;
    bytes.set([65, 66, 67], start + 4);
    assert.deepEqual(
      read(bytes).events.map(({ name }) => name),
      ["one"],
    );
    write(ring, 1, 2, "two");
    assert.equal(read(bytes).events[1]!.name, "two");
  });

  test("a text that is longer than any name is cut, between characters", () => {
    const sizes = { capacity: 8, namesBytes: 4096 };
    const { ring, bytes } = makeRing(sizes);
    write(ring, 0, 1, "é".repeat(1500));
    assert.equal(read(bytes).events[0]!.name, "é".repeat(1000));
  });
});

describe("a damaged file is refused, and what is wrong is named", () => {
  const damages: [what: string, damage: (bytes: Uint8Array, words: Int32Array) => Uint8Array | void, said: RegExp][] = [
    ["an empty file", () => new Uint8Array(0), /has 0 bytes, fewer than its header/],
    ["another magic number", (_, words) => void (words[0] = 1), /does not begin as a trace/],
    ["another version", (_, words) => void (words[1] = 99), /its version is 99, this library's is 1/],
    ["a file that was cut short", (bytes) => bytes.slice(0, -1), /has 575 bytes, its header says 576/],
    ["a place of names", (_, words) => void (words[TRACE_HEADER.NAMES] = 8), /sizes in its header are damaged/],
    [
      "a capacity that is no power of two",
      (_, words) => void (words[TRACE_HEADER.CAPACITY] = 7),
      /sizes in its header/,
    ],
    ["a count that is no number", (_, words) => void (words[TRACE_HEADER.COUNT + 1] = -1), /number of its events/],
    ["a clock that is no number", (_, words) => void (words[TRACE_HEADER.STARTED + 1] = -1), /its clocks are damaged/],
    ["a state that there is not", (_, words) => void (words[TRACE_HEADER.STATE] = 5), /its state is 5/],
    ["a name that is too long", (_, words) => void (words[TRACE_HEADER.AGENT_NAME_BYTES] = 999), /name of its agent/],
    ["the length of a name", (_, words) => void (words[TRACE_HEADER.WORDS] = 1000), /name 1 is longer than the place/],
    ["the number of an event", (_, words) => void (words[eventAt(words, 1)] = 9), /event at place 1 has the number 4/],
    ["a point", (_, words) => void (words[eventAt(words, 1) + EVENT.WHAT] = 63), /event 1 is of point 63/],
    [
      "a name's number",
      (_, words) => void (words[eventAt(words, 1) + EVENT.WHAT] = 9 << 18),
      /event 1 has name 9 of 1/,
    ],
    ["a time", (_, words) => void (words[eventAt(words, 2) + EVENT.AT + 1] = -1), /numbers of event 2 are damaged/],
  ];
  for (const [what, damage, said] of damages) {
    test(what, () => {
      const { ring, bytes } = makeRing();
      write(ring, 0, 4);
      const damaged = damage(bytes, new Int32Array(bytes.buffer)) ?? bytes;
      assert.throws(() => read(damaged), { code: "EPROTO", message: said });
      assert.throws(() => read(damaged), /Cannot read the trace a\.dmatrace: /);
    });
  }

  function eventAt(words: Int32Array, place: number): number {
    return words[TRACE_HEADER.EVENTS]! / 4 + place * EVENT.WORDS;
  }
});

test("the numbers of an event mean what its point says", () => {
  const raw = { detail: 0, thing: 5, number: 7, name: "a", at: 1, agent: 2 };
  const event = { at: 1, agent: 2 };
  assert.deepEqual(eventFrom({ ...raw, point: POINT["fence:signaled"], detail: 110 }), {
    ...event,
    point: "fence:signaled",
    thing: "5:7",
    name: "a",
    context: 5,
    seqno: 7,
    error: "ETIMEDOUT",
  });
  assert.equal(eventFrom({ ...raw, point: POINT["queue:done"], detail: 200 }).error, "errno 200");
  assert.deepEqual(eventFrom({ ...raw, point: POINT["buffer:access-end"], detail: 2, name: undefined }), {
    ...event,
    point: "buffer:access-end",
    thing: "5",
    inode: 5,
    mode: "write",
    id: 7,
  });
});
