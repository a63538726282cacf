import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import type { Substrate } from "../substrate/substrate.js";
import {
  AGENT,
  BUFFER,
  checkSizes,
  CONSUMER,
  DEFAULT_SIZES,
  ENTRY,
  FAILURE,
  FAILURES_KEPT,
  HEADER,
  Layout,
  LAYOUT_VERSION,
  OBITUARY,
  ONE_SHOT,
  PLACE,
  POINT,
  readHeader,
  REQUEST,
  STREAM_BUFFERS,
  STREAM_CONSUMERS,
  SYNCOBJ,
  SYNCOBJ_FENCES,
  TIME,
  TIMELINE,
  TIMES_KEPT,
  writeHeader,
  type Sizes,
} from "./layout.js";
import { hint, usedWord } from "./table.js";

const SMALL: Sizes = { agents: 3, buffers: 2, timelines: 2, oneShots: 3, streams: 2, requests: 2, syncobjs: 2 };
/** More agents than one word has bits. */
const MANY: Sizes = { ...SMALL, agents: 33 };
const NAMES = ["agents", "buffers", "timelines", "oneShots", "streams", "requests", "syncobjs"] as const;

function createMemory(sizes: Sizes = SMALL): Substrate {
  return createSharedSubstrate(new SharedArrayBuffer(4 * new Layout(sizes).words));
}

test("sizes that are not given are the defaults", () => {
  assert.deepEqual(checkSizes({}), DEFAULT_SIZES);
  assert.deepEqual(checkSizes({ buffers: 7 }), { ...DEFAULT_SIZES, buffers: 7 });
});

test("a size that is out of range is refused by its option's name", () => {
  for (const name of NAMES) {
    for (const size of [0, -1, 1.5, NaN, Infinity, 2 ** 24]) {
      assert.throws(() => checkSizes({ [name]: size }), {
        name: "RangeError",
        message: new RegExp(`^Domain.create\\(\\): option "${name}" must be an integer from 1 to \\d+, not ${size}$`),
      });
    }
    assert.equal(checkSizes({ [name]: 1 })[name], 1);
  }
});

test("there can be 1,023 agents and no more", () => {
  assert.equal(checkSizes({ agents: 1023 }).agents, 1023);
  assert.throws(() => checkSizes({ agents: 1024 }), /option "agents" must be an integer from 1 to 1023, not 1024/);
});

test("a joiner finds the sizes that the domain was made with", () => {
  const memory = createMemory();
  writeHeader(memory, SMALL, [1, 2, 3, 4]);
  const layout = readHeader(memory);
  assert.deepEqual(layout.sizes, SMALL);
  assert.equal(layout.words, new Layout(SMALL).words);
});

test("a joiner with another layout version is refused, with both versions (layout.3)", () => {
  const memory = createMemory();
  writeHeader(memory, SMALL, [1, 2, 3, 4]);
  memory.store(HEADER.VERSION, 9999);
  assert.throws(() => readHeader(memory), {
    code: "EPROTO",
    message: `EPROTO: Cannot join the domain: its layout version is 9999, this library's is ${LAYOUT_VERSION}`,
  });
});

test("memory that is no control segment, or a part of one, cannot be joined", () => {
  assert.throws(() => readHeader(createMemory()), { code: "EPROTO" }, "nobody has made it a domain");
  assert.throws(() => readHeader(createSharedSubstrate(new SharedArrayBuffer(8))), { code: "EPROTO" });
  const cut = createSharedSubstrate(new SharedArrayBuffer(4 * (new Layout(SMALL).words - 2)));
  writeHeader(cut, SMALL, [1, 2, 3, 4]);
  assert.throws(() => readHeader(cut), { code: "EPROTO", message: /words, its sizes need/ });
});

test("a header with impossible sizes is refused", () => {
  const memory = createMemory();
  writeHeader(memory, SMALL, [1, 2, 3, 4]);
  memory.store(HEADER.SIZES, 0);
  assert.throws(() => readHeader(memory), { code: "EPROTO", message: /header .* is damaged/ });
});

for (const sizes of [SMALL, MANY, DEFAULT_SIZES]) {
  test(`no two things stand in one word, and all stand in the segment (${sizes.agents} agents)`, () => {
    const things = wordsOf(new Layout(sizes)).sort((a, b) => a.start - b.start);
    let end = 0;
    for (const { what, start, words } of things) {
      assert.ok(start >= end, `${what} begins at ${start}, what is before it ends at ${end}`);
      end = start + words;
    }
    assert.ok(end <= new Layout(sizes).words);
  });

  // layout.2
  test(`64-bit words stand at even indices (${sizes.agents} agents)`, () => {
    const layout = new Layout(sizes);
    const words = [HEADER.CONTEXTS, HEADER.INODES, layout.obituary(0) + OBITUARY.FIRST, layout.obituary(1)];
    for (let slot = 0; slot < 2; slot++) {
      const timeline = layout.timeline(slot);
      const oneShot = layout.oneShot(sizes.timelines + slot);
      const buffer = layout.buffer(slot);
      words.push(
        timeline + TIMELINE.COMPLETED,
        timeline + TIMELINE.CONTEXT,
        timeline + layout.failures + FAILURE.WORDS,
      );
      words.push(oneShot + ONE_SHOT.CONTEXT, oneShot + ONE_SHOT.DEADLINE);
      words.push(buffer + BUFFER.STATE, buffer + BUFFER.LOCK);
      words.push(layout.request(slot) + REQUEST.STATE, layout.request(slot) + REQUEST.LOCK);
      words.push(layout.syncobj(slot) + SYNCOBJ.STATE);
      for (let copy = 0; copy < 2; copy++) {
        words.push(layout.reservation(slot, copy) + 2 + ENTRY.SEQUENCE);
        const point = layout.points(slot, copy) + 2;
        words.push(point + POINT.SEQUENCE, point + POINT.SEQNO, point + POINT.PREVIOUS, point + POINT.CONTEXT);
      }
    }
    assert.deepEqual(
      words.filter((word) => word % 2 !== 0),
      [],
    );
  });
}

test("each table has a hint of its own for the next search (table.3)", () => {
  assert.equal(new Set(NAMES.map(hint)).size, NAMES.length);
  assert.ok(NAMES.map(hint).every((word) => word >= HEADER.HINTS && word < HEADER.DOMAIN));
});

test("each table has a word of its own that says how far it was used", () => {
  assert.equal(new Set(NAMES.map(usedWord)).size, NAMES.length);
  assert.ok(NAMES.map(usedWord).every((word) => word >= HEADER.USED && word < usedWord("retired")));
  assert.ok(usedWord("retired") < HEADER.WORDS);
});

test("a reservation has room for two fences of each agent", () => {
  assert.equal(new Layout(SMALL).reservationEntries, 6);
});

interface Thing {
  readonly what: string;
  readonly start: number;
  readonly words: number;
}

/** Everything in the first two slots and the last one of each table. */
function wordsOf(layout: Layout): Thing[] {
  const { agents, buffers, timelines, oneShots, streams, requests, syncobjs } = layout.sizes;
  const things: Thing[] = [{ what: "header", start: 0, words: HEADER.WORDS }];
  const add = (what: string, start: number, words: number): void => void things.push({ what, start, words });
  for (const slot of some(agents)) add(`agent ${slot}`, layout.agent(slot), AGENT.WORDS);
  for (const index of [0, 1, 1023]) add(`obituary ${index}`, layout.obituary(index), OBITUARY.WORDS);
  for (const slot of some(timelines)) {
    const base = layout.timeline(slot);
    add(`timeline ${slot}`, base, TIMELINE.ARRAYS);
    add(`timeline ${slot} waiters`, base + TIMELINE.ARRAYS, layout.agentWords);
    add(`timeline ${slot} failures`, base + layout.failures, (FAILURES_KEPT + 1) * FAILURE.WORDS);
    add(`timeline ${slot} times`, base + layout.times, TIMES_KEPT * TIME.WORDS);
  }
  for (const slot of some(oneShots)) {
    const base = layout.oneShot(timelines + slot);
    add(`one-shot ${slot}`, base, ONE_SHOT.ARRAYS);
    add(`one-shot ${slot} waiters`, base + ONE_SHOT.ARRAYS, layout.agentWords);
  }
  for (const slot of some(buffers)) {
    const base = layout.buffer(slot);
    add(`buffer ${slot}`, base, BUFFER.ARRAYS);
    for (const array of ["references", "readers", "lockWaiters", "holdWaiters"] as const) {
      add(`buffer ${slot} ${array}`, base + layout[array], layout.agentWords);
    }
    add(`buffer ${slot} transits`, base + layout.transits, agents);
    add(`buffer ${slot} attachments`, base + layout.attachments, agents);
    for (const copy of [0, 1]) {
      const words = 2 + layout.reservationEntries * ENTRY.WORDS;
      add(`buffer ${slot} reservation ${copy}`, layout.reservation(slot, copy), words);
    }
  }
  for (const slot of some(streams)) {
    const base = layout.stream(slot);
    add(`stream ${slot}`, base, layout.consumerWaiters);
    add(`stream ${slot} waiters`, base + layout.consumerWaiters, layout.agentWords);
    add(`stream ${slot} places`, base + layout.places, STREAM_BUFFERS * PLACE.WORDS);
    add(`stream ${slot} consumers`, base + layout.consumers, STREAM_CONSUMERS * CONSUMER.WORDS);
  }
  for (const slot of some(requests)) add(`request ${slot}`, layout.request(slot), REQUEST.WORDS);
  for (const slot of some(syncobjs)) {
    const base = layout.syncobj(slot);
    add(`syncobj ${slot}`, base, SYNCOBJ.ARRAYS);
    add(`syncobj ${slot} references`, base + layout.syncobjReferences, layout.agentWords);
    add(`syncobj ${slot} transits`, base + layout.syncobjTransits, agents);
    add(`syncobj ${slot} waiters`, base + layout.syncobjWaiters, layout.agentWords);
    for (const copy of [0, 1]) {
      add(`syncobj ${slot} points ${copy}`, layout.points(slot, copy), 2 + SYNCOBJ_FENCES * POINT.WORDS);
    }
  }
  return things;
}

function some(count: number): number[] {
  return [...new Set([0, Math.min(1, count - 1), count - 1])];
}
