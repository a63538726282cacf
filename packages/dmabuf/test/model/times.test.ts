import assert from "node:assert/strict";
import { hintDeadline, keyDeadline, keyTime } from "../../src/domain/fence-slot.js";
import { ONE_SHOT, TIME, TIME_ENTRY, TIMELINE } from "../../src/domain/layout.js";
import { advanceTimeline, claimTimeline, endTimeline, freeTimeline } from "../../src/domain/timeline-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  claim,
  complete,
  createDomain,
  end,
  FIRST,
  free,
  keyOf,
  KINDS,
  LAYOUT,
  memberOf,
  NOW,
  OWNER,
  SECOND,
  segmentOf,
} from "./model-domain.js";
import { testProtocol } from "./protocol.js";

// Times are stored beside states, and are seen as they were written, by those and in that generation of a slot to which
// they belong.

const [EARLY, LATE] = [2 ** 32 + 5, 2 ** 33 + 7];
const KEY = { slot: 0, generation: 1 };
const LATEST = LAYOUT.timeline(0) + TIMELINE.LATEST;
const TIMES = LAYOUT.timeline(0) + LAYOUT.TIMELINE.TIMES + 1 * TIME_ENTRY.WORDS;

function advances(self: number, time: number) {
  return (memory: Substrate) => advanceTimeline(memberOf(memory, self), KEY, 1, time);
}

testProtocol({
  name: "a software timeline that two advance at once tells the time of the one or the other (timeline-slot.7)",
  options: {
    prepare(memory) {
      createDomain(memory);
      claimTimeline(memberOf(memory, OWNER), { name: "n", driverName: "d", timeLimit: 1000 });
    },
    agents: {
      first: advances(FIRST, EARLY),
      second: advances(SECOND, LATE),
      reader: (memory) => keyTime(segmentOf(memory), { ...KEY, sequence: 1 }),
    },
    check(memory, { results }) {
      for (const time of [results["reader"], keyTime(segmentOf(memory), { ...KEY, sequence: 1 })]) {
        assert.ok(time === undefined || time === EARLY || time === LATE, `it signaled at ${String(time)}`);
      }
      assert.notEqual(keyTime(segmentOf(memory), { ...KEY, sequence: 1 }), undefined);
    },
  },
  mistakes: [
    {
      name: "A time that is stored in two steps",
      report: /it signaled at/,
      plant: (memory) => ({
        store64(word, value) {
          if (word !== TIMES) return memory.store64(word, value);
          memory.store(word + 1, Number(BigInt.asIntN(32, value >> 32n)));
          memory.store(word, Number(BigInt.asIntN(32, value)));
        },
      }),
    },
  ],
});

testProtocol({
  name: "the time of a fence is its own while the next one completes (timeline-slot.10)",
  options: {
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: {
      owner(memory) {
        complete(memory, keyOf("timeline", 1, 1), 0, EARLY);
        complete(memory, keyOf("timeline", 1, 2), 0, LATE);
      },
      reader: (memory) => [1, 2].map((sequence) => keyTime(segmentOf(memory), keyOf("timeline", 1, sequence))),
    },
    check(memory, { results }) {
      const times = [1, 2].map((sequence) => keyTime(segmentOf(memory), keyOf("timeline", 1, sequence)));
      assert.deepEqual(times, [EARLY, LATE]);
      (results["reader"] as typeof times).forEach((time, i) => {
        assert.ok(time === undefined || time === times[i], `it signaled at ${String(time)}`);
      });
    },
  },
  mistakes: [
    {
      name: "A latest time that does not name its number",
      report: /it signaled at/,
      plant: (memory) => ({
        // The tag of the first number of the first generation: 1 + 1 + 509.
        store64: (word, value) =>
          memory.store64(word, word === LATEST ? TIME.value.of(TIME.value.in(value)) | TIME.tag.of(511) : value),
      }),
    },
  ],
});

testProtocol({
  name: "an agent that advances a timeline too late writes no time of the next one in its slot (timeline-slot.7)",
  options: {
    prepare(memory) {
      createDomain(memory);
      claimTimeline(memberOf(memory, OWNER), { name: "n", driverName: "d", timeLimit: 1000 });
      endTimeline(segmentOf(memory), 0, 1, 2);
    },
    agents: {
      // What it has read before the end is all that it needs to go on.
      late: (memory) => advanceTimeline(memberOf(believing(memory), FIRST), KEY, 1, EARLY),
      next(memory) {
        freeTimeline(segmentOf(memory), 0, OWNER);
        const { generation } = claimTimeline(memberOf(memory, OWNER), { name: "n", driverName: "d", timeLimit: 1000 });
        return advanceTimeline(memberOf(memory, OWNER), { slot: 0, generation }, 1, LATE);
      },
    },
    check(memory) {
      const time = keyTime(segmentOf(memory), { slot: 0, generation: 2, sequence: 1 });
      assert.ok(time === undefined || time === LATE, `it signaled at ${String(time)}`);
    },
  },
  mistakes: [
    {
      name: "A time that does not name its generation",
      report: /it signaled at/,
      agent: "late",
      plant: (memory) => ({
        // The tag of the next generation's time: 1 + 2 * 509 instead of 1 + 509.
        store64: (word, value) => memory.store64(word, word === TIMES ? value + TIME.tag.of(509) : value),
      }),
    },
  ],
});

for (const kind of KINDS) {
  const word = kind === "timeline" ? LAYOUT.timeline(0) + TIMELINE.DEADLINE : LAYOUT.oneShot(1) + ONE_SHOT.DEADLINE;

  testProtocol({
    name: `a deadline that is asked of a ${kind} too late is not the next one's in its slot`,
    options: {
      prepare(memory) {
        createDomain(memory);
        claim(memory, kind, OWNER);
        end(memory, keyOf(kind), 2);
      },
      agents: {
        late: (memory) => hintDeadline(segmentOf(memory), keyOf(kind), NOW + 5, NOW),
        next(memory) {
          free(memory, kind, OWNER);
          return claim(memory, kind, SECOND);
        },
      },
      check(memory, { results }) {
        assert.equal(results["next"], 2);
        assert.equal(keyDeadline(segmentOf(memory), keyOf(kind, 2)), 0, "the next owner was asked");
      },
    },
    mistakes: [
      {
        name: "A deadline that does not name its generation",
        report: /the next owner was asked/,
        agent: "late",
        plant: (memory) => ({
          load64: (at) => (at === word ? (memory.load64(at) & ((1n << 54n) - 1n)) | (1n << 54n) : memory.load64(at)),
          compareExchange64(at, expected, replacement) {
            if (at !== word) return memory.compareExchange64(at, expected, replacement);
            const old = memory.load64(at);
            const tag = old & ~((1n << 54n) - 1n);
            const put = tag | (replacement & ((1n << 54n) - 1n));
            return memory.compareExchange64(at, old, put) === old ? expected : old;
          },
        }),
      },
    ],
  });
}

/** The timeline as it was before its end. */
function believing(memory: Substrate): Substrate {
  const { COMPLETED, GENERATION } = TIMELINE;
  return {
    ...memory,
    words: memory.words,
    load: (word) => (word === LAYOUT.timeline(0) + GENERATION ? 1 : memory.load(word)),
    load64: (word) => (word === LAYOUT.timeline(0) + COMPLETED ? 1n << 48n : memory.load64(word)),
    store: (word, value) => memory.store(word, value),
    store64: (word, value) => memory.store64(word, value),
    add: (word, amount) => memory.add(word, amount),
    // Its exchange fails in truth: it ends there.
    compareExchange64: (_word, expected) => expected,
    exchange: (word, value) => memory.exchange(word, value),
    wake: (word) => memory.wake(word),
  };
}
