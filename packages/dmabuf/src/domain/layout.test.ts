import assert from "node:assert/strict";
import { test } from "node:test";
import { segmentFields } from "../../test/segment-fields.js";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import type { Substrate } from "../substrate/substrate.js";
import { readHeader, writeHeader } from "./header.js";
import {
  AGENT,
  checkSizes,
  HEADER,
  Layout,
  LAYOUT_VERSION,
  TABLE_NAMES,
  TABLES,
  TIMELINE,
  type Sizes,
} from "./layout.js";
import * as layout from "./layout.js";
import { Bits, WideBits } from "./packing.js";
import { fieldsOf, place, type AnyRecord } from "./record.js";
import { hint, usedWord } from "./table.js";

const SMALL: Sizes = {
  agents: 3,
  buffers: 2,
  timelines: 2,
  oneShots: 3,
  streams: 2,
  requests: 2,
  syncobjs: 2,
  userFences: 2,
  orders: 2,
  activities: 2,
  copies: 2,
};
/** More agents than one word has bits. */
const MANY: Sizes = { ...SMALL, agents: 33 };
const NAMES = [
  "agents",
  "buffers",
  "timelines",
  "oneShots",
  "streams",
  "requests",
  "syncobjs",
  "userFences",
  "orders",
  "activities",
  "copies",
] as const;

function createMemory(sizes: Sizes = SMALL): Substrate {
  return createSharedSubstrate(new SharedArrayBuffer(4 * new Layout(sizes).words));
}

test("sizes that are not given are the defaults", () => {
  const defaults = {
    agents: 64,
    buffers: 1024,
    timelines: 1024,
    oneShots: 8192,
    streams: 64,
    requests: 128,
    syncobjs: 256,
    userFences: 1024,
    orders: 4096,
    activities: 1024,
    copies: 256,
  };
  assert.deepEqual(checkSizes({}), defaults);
  assert.deepEqual(checkSizes({ buffers: 7 }), { ...defaults, buffers: 7 });
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

test("a joiner finds the sizes that the domain was made with (layout.2)", () => {
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
  assert.throws(() => readHeader(createMemory()), { code: "EPROTO" }, "it was never made a domain");
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

test("in every record the words come before the lists (record.1)", () => {
  for (const [name, record] of Object.entries(layout).filter(([, value]) => isRecord(value))) {
    const kinds = Object.values(fieldsOf(record as AnyRecord)).map(({ kind }) => kind);
    assert.deepEqual(kinds, kinds.toSorted().reverse(), name);
  }
});

test("no packing has more bits than its word", () => {
  for (const [name, packing] of Object.entries(layout).filter(([, value]) => isPacking(value))) {
    const { shift, width, constructor } = Object.values(packing as Record<string, Bits>).at(-1)!;
    assert.ok(shift + width <= (constructor === Bits ? 32 : 64), name);
  }
});

function isRecord(value: unknown): boolean {
  return typeof value === "object" && Object.getOwnPropertySymbols(value).length > 0;
}

function isPacking(value: unknown): boolean {
  return (
    typeof value === "object" && Object.values(value!).some((part) => part instanceof Bits || part instanceof WideBits)
  );
}

for (const sizes of [SMALL, MANY, checkSizes({})]) {
  test(`no two fields share a word, and all are in the segment (${sizes.agents} agents)`, () => {
    const fields = segmentFields(new Layout(sizes), some).sort((a, b) => a.start - b.start);
    let end = 0;
    for (const { what, start, words } of fields) {
      assert.ok(start >= end, `${what} begins at ${start}, what is before it ends at ${end}`);
      end = start + words;
    }
    assert.ok(end <= new Layout(sizes).words);
  });

  test(`64-bit words and lists begin at even indices (record.2, ${sizes.agents} agents)`, () => {
    const odd = segmentFields(new Layout(sizes), some).filter(
      ({ start, field }) => (field.kind === "list" || field.align > 1) && start % 2 !== 0,
    );
    assert.deepEqual(
      odd.map(({ what }) => what),
      [],
    );
  });

  test(`each agent's doorbell shares its cache line only with what is read to wake it (${sizes.agents} agents)`, () => {
    const layout = new Layout(sizes);
    for (const slot of some(sizes.agents)) {
      const bell = layout.agent(slot) + AGENT.DOORBELL;
      const others = segmentFields(layout, some).filter(
        ({ start, words }) => start + words > bell && start < bell + 16,
      );
      assert.equal(bell % 16, 0);
      assert.deepEqual(
        others.map(({ start }) => start),
        [bell, bell - AGENT.DOORBELL + AGENT.SLEEPERS],
      );
    }
  });

  test(`the words of each slot are where its table says (${sizes.agents} agents)`, () => {
    const layout = new Layout(sizes);
    const slots = {
      agents: layout.agent(1),
      retired: layout.retired(1),
      timelines: layout.timeline(1),
      oneShots: layout.oneShot(sizes.timelines + 1),
      buffers: layout.buffer(1),
      streams: layout.stream(1),
      requests: layout.request(1),
      syncobjs: layout.syncobj(1),
      userFences: layout.userFence(1),
      orders: layout.order(1),
      activities: layout.activity(1),
      copies: layout.copy(1),
    };
    for (const table of TABLE_NAMES) {
      const { WORDS } = place<AnyRecord>(TABLES[table], layout.counts) as { readonly WORDS: number };
      assert.equal(slots[table], layout.start(table) + WORDS, table);
    }
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

test("what a signal, and a look at the newest fence and its time need of a timeline is in one cache line (timeline-slot.10)", () => {
  for (const sizes of [SMALL, MANY, checkSizes({})]) {
    const layout = new Layout(sizes);
    assert.deepEqual(
      some(sizes.timelines).map((slot) => layout.timeline(slot) % 16),
      some(sizes.timelines).map(() => 0),
    );
  }
  const { OWNER, GENERATION, COMPLETED, LATEST, AWAITED, DEADLINE, FAILURES, END_ERROR } = TIMELINE;
  for (const field of [OWNER, GENERATION, COMPLETED, LATEST, AWAITED, DEADLINE, FAILURES, END_ERROR]) {
    assert.ok(field < 16);
  }
});

/** The first two of so many, and the last one. */
function some(count: number): number[] {
  return [...new Set([0, Math.min(1, count - 1), count - 1])];
}
