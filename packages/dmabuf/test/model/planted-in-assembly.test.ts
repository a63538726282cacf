import assert from "node:assert/strict";
import type { Substrate } from "../../src/substrate/substrate.js";
import { ERRNO } from "../../src/errors.js";
import { keyTime } from "../../src/domain/fence-slot.js";
import {
  claim,
  complete,
  createDomain,
  FIRST,
  keyOf,
  look,
  OWNER,
  SECOND,
  segmentOf,
  waitsForKey,
} from "./model-domain.js";
import { testMutations } from "./planted-in-assembly.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { lockAllSync } from "../lock-all.js";
import { addEntry, reservationAt } from "../reservation-at.js";
import { TinyDomain } from "./tiny-domain.js";

// Bugs in the sources that are compiled to WebAssembly: the explorations run on a build that has them.

const KEY = keyOf("timeline");
const NEXT = keyOf("timeline", 1, 2);
const [EARLY, LATE] = [1e9, 2e9];

testMutations(
  "an agent waits for a timeline's fence",
  {
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: { owner: (memory: Substrate) => complete(memory, KEY), waiter: waitsForKey(FIRST, KEY) },
    check: (_memory, { results }) => assert.equal(results["waiter"], true),
  },
  [
    {
      name: "a ring that wakes before it counts",
      file: "agent-slot.ts",
      from: "  addWord(bell, 1);\n  wake(bell);\n",
      to: "  wake(bell);\n  addWord(bell, 1);\n",
      report: /^No agent is left to wake waiter/,
    },
    {
      name: "a signal that looks for waiters before it completes the fence",
      file: "timeline-slot.ts",
      from: `  if (compareExchange64(base + TIMELINE.COMPLETED, previous, next) != previous) return false;
  // SYNC POINT completed-before-awaited: pairs with armTimeline().
  const awaited = load64(base + TIMELINE.AWAITED);
`,
      to: `  const awaited = load64(base + TIMELINE.AWAITED);
  if (compareExchange64(base + TIMELINE.COMPLETED, previous, next) != previous) return false;
`,
      report: /^No agent is left to wake waiter/,
    },
  ],
);

testMutations(
  "two agents wait for two fences of a timeline",
  {
    merge: true,
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: {
      owner(memory: Substrate) {
        complete(memory, KEY);
        complete(memory, NEXT);
      },
      first: waitsForKey(FIRST, KEY),
      second: waitsForKey(SECOND, NEXT),
    },
    check: (_memory, { results }) => assert.deepEqual([results["first"], results["second"]], [true, true]),
  },
  [
    {
      name: "a waiter that lowers AWAITED before it sets its bit",
      file: "timeline-slot.ts",
      from: `  setBit(base + TIMELINE.WAITERS, agent);
  // SYNC POINT completed-before-awaited: the bit is set before the number that makes a signaler take it.
  lower(base + TIMELINE.AWAITED, sequence);
`,
      to: `  lower(base + TIMELINE.AWAITED, sequence);
  setBit(base + TIMELINE.WAITERS, agent);
`,
      report: /^No agent is left to wake second/,
    },
    {
      name: "a ring that takes the waiters' bits before it clears AWAITED",
      file: "timeline-slot.ts",
      from: `  store64(base + TIMELINE.AWAITED, 0);
  ringAll(base + TIMELINE.WAITERS);
`,
      to: `  ringAll(base + TIMELINE.WAITERS);
  store64(base + TIMELINE.AWAITED, 0);
`,
      report: /^No agent is left to wake second/,
    },
  ],
);

testMutations(
  "a fence's time is read while its owner completes it and the next one",
  {
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: {
      owner(memory: Substrate) {
        complete(memory, KEY, 0, EARLY);
        complete(memory, NEXT, 0, LATE);
      },
      reader: (memory: Substrate) => keyTime(segmentOf(memory), KEY),
    },
    check: (_memory, { results }) => assert.ok([undefined, EARLY].includes(results["reader"] as number | undefined)),
  },
  [
    {
      name: "a latest time whose tag is a lap of the ring",
      file: "timeline-slot.ts",
      from: "isNear ? timeOf(timestamp, <i64>sequence, generation) : 0",
      to: "isNear ? timeOf(timestamp, 1, generation) : 0",
      report: /The check threw/,
    },
  ],
);

testMutations(
  "a published fence is ended by its publisher and by hang recovery at once",
  {
    prepare(memory) {
      createDomain(memory);
      claim(memory, "one-shot", OWNER);
    },
    agents: {
      owner: (memory: Substrate) => complete(memory, keyOf("one-shot"), 0, EARLY),
      hangRecovery: (memory: Substrate) => complete(memory, keyOf("one-shot"), ERRNO.ETIMEDOUT, LATE),
      reader: (memory: Substrate) =>
        look(memory, keyOf("one-shot")) !== 0 && keyTime(segmentOf(memory), keyOf("one-shot")),
    },
    check(memory, { results }) {
      const time = keyTime(segmentOf(memory), keyOf("one-shot"));
      assert.ok(results["reader"] === false || results["reader"] === time, "its time has changed");
      assert.notEqual(results["owner"], results["hangRecovery"], "both have decided it");
    },
  },
  [
    {
      name: "a time that is stored after the fence is signaled",
      file: "one-shot-slot.ts",
      from: `  compareExchange64(base + ONE_SHOT.TIME, timeless(generation), timed(generation, timestamp));
  const decided = compareExchange(base + ONE_SHOT.STATE, pending, signaledWord(pending, error)) == pending;
`,
      to: `  const decided = compareExchange(base + ONE_SHOT.STATE, pending, signaledWord(pending, error)) == pending;
  compareExchange64(base + ONE_SHOT.TIME, timeless(generation), timed(generation, timestamp));
`,
      report: /its time has changed/,
    },
    {
      name: "a state that is looked at and then stored",
      file: "one-shot-slot.ts",
      from: "compareExchange(base + ONE_SHOT.STATE, pending, signaledWord(pending, error)) == pending;",
      to: `loadWord(base + ONE_SHOT.STATE) == pending;
  compareExchange(base + ONE_SHOT.STATE, loadWord(base + ONE_SHOT.STATE), signaledWord(pending, error));
`,
      report: /both have decided it/,
    },
  ],
);

const domain = new TinyDomain({ agents: 3, buffers: 2, timelines: 1 });
const open = (memory: Substrate): void => domain.open(memory, 3);

const locks = (slot: number) => (memory: Substrate) => {
  using _lock = reservationAt(domain.agent(memory, slot), 0).lockSync();
};

testMutations(
  "two agents lock one reservation",
  { prepare: open, agents: { first: locks(0), second: locks(1) } },
  [
    {
      name: "an opener that rings before it opens",
      file: "lock.ts",
      from: "  compareExchange64(base + BUFFER.LOCK, word, 0);\n  ringAll(base + BUFFER.LOCK_WAITERS);\n",
      to: "  ringAll(base + BUFFER.LOCK_WAITERS);\n  compareExchange64(base + BUFFER.LOCK, word, 0);\n",
      report: /^No agent is left to wake/,
    },
  ],
  domain.layout,
);

const locksAll = (slot: number, buffers: readonly number[]) => (memory: Substrate) => {
  const agent = domain.agent(memory, slot);
  using _context = lockAllSync(
    agent,
    buffers.map((buffer) => reservationAt(agent, buffer)),
  );
};

testMutations(
  "two agents lock two reservations in opposite order",
  { prepare: open, agents: { first: locksAll(0, [0, 1]), second: locksAll(1, [1, 0]) } },
  [
    {
      name: "a requester that waits for an older holder",
      file: "lock.ts",
      from: "held > 0 && other != 0",
      to: "held > 1 && other != 0",
      report: /^No agent is left to wake/,
    },
  ],
  domain.layout,
);

const fence = (sequence: number) => ({ slot: 0, generation: 1, sequence });

testMutations(
  "a later fence takes the place of a pending one",
  {
    prepare(memory) {
      open(memory);
      claimTimeline(domain.member(memory, 0), { name: "", driverName: "", timeLimit: 1000 });
      addEntry(domain.segment(memory), 0, { key: fence(1), level: 1 });
    },
    agents: {
      writer(memory) {
        const agent = domain.agent(memory, 0);
        const reservation = reservationAt(agent, 0);
        using _lock = reservation.lockSync();
        reservation.reserveFences(1);
        reservation.addFence(fenceAt(agent, fence(2))!, "write");
      },
      reader(memory) {
        const isSignaled = reservationAt(domain.agent(memory, 1), 0).testSignaled("write");
        assert.ok(!isSignaled, "the reader has found no pending fence");
      },
    },
  },
  [
    {
      name: "a writer of the copy that is valid",
      file: "entries.ts",
      from: "  const next = copyAt(buffer, version + 1);\n  change(next + RESERVATION.COUNT, max(count, place + 1));\n",
      to: "  const next = copyAt(buffer, version);\n  change(next + RESERVATION.COUNT, max(count, place + 1));\n",
      report: /the reader has found no pending fence/,
    },
  ],
  domain.layout,
);
