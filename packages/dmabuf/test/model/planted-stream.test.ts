import { AGENT, BUFFER, CONSUMER, STREAM } from "../../src/domain/layout.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { testMistakes, type Fault } from "./interleavings.js";
import {
  consumes,
  domain,
  joins,
  joinsAndDies,
  joinsTooLate,
  losesConsumer,
  losesProducer,
  ONE,
  PRODUCER,
  produces,
  scenario,
  seeing,
} from "./stream-model.js";
import { deadCount } from "./stopped-reaper.js";
import { identityOf } from "./tiny-domain.js";
import { failsTooLate, isLookedAt, isLookedFor, isWaitedFor } from "./stream-onlookers.js";

// Mistakes in the protocol of streams, as memory that does one thing wrongly, and how they show.

const { layout } = domain;
const base = layout.stream(0);
const CONSUMER_WAITERS = base + layout.STREAM.WAITERS;
const PRODUCER_WAITS = base + STREAM.PRODUCER_WAITS;
const PUBLISHED = base + STREAM.PUBLISHED;
const GENERATION = base + STREAM.GENERATION;
const END = base + STREAM.END;
const USED_PLACES = base + STREAM.CONSUMERS_USED;
const FIRST_CONSUMER = base + layout.STREAM.JOINED;
const DEAD_PRODUCER = layout.agent(PRODUCER);
const buffers = [0, 1].map((slot) => layout.buffer(slot));
const isReaders = (word: number): boolean => buffers.some((buffer) => word === buffer + layout.BUFFER.READERS);
const isHoldWaiters = (word: number): boolean => buffers.some((buffer) => word === buffer + layout.BUFFER.HOLD_WAITERS);
const isWriter = (word: number): boolean => buffers.some((buffer) => word === buffer + BUFFER.WRITER);
const isPlace = (word: number): boolean => word >= base + layout.STREAM.PLACES && word < base + layout.STREAM.JOINED;
const isOfConsumers = (word: number): boolean => word === USED_PLACES || word >= FIRST_CONSUMER;

const ONE_BUFFER = { buffers: 1 };

testMistakes(domain, {
  "stream-slot.1: a consumer that believes what it saw of a place before it held the buffer": {
    scenario: (fault) =>
      seeing(
        [[1, 2], [2]],
        scenario([produces(2, ONE_BUFFER), consumes(ONE, "drop-oldest", { buffers: 1, fault })], ["drop-oldest"]),
      ),
    fault: believing(isPlace),
    kind: "check",
    report: /a consumer has seen 2,2/,
  },
  "stream-slot.1: a producer that believes what it saw of the consumers before it held the buffer": {
    scenario: (fault) => seeing([[1, 2, 3], [2, 3], [3]], scenario([produces(3, { fault }), joins(ONE, "block")], [])),
    fault: believing(isOfConsumers),
    kind: "check",
    report: /a consumer has seen 1,3/,
  },
  "stream-slot.2: a consumer that wants frames beyond those that it knows of": {
    scenario: (fault) => seeing([[1, 2]], scenario([produces(2), consumes(ONE, "block", { fault })], ["block"])),
    fault: (memory) => ({ load: (word) => (word === PUBLISHED ? 1000 : memory.load(word)) }),
    kind: "check",
    report: /a consumer has seen 2$/m,
  },
  "stream-slot.3: a consumer that moves on before it has the hold": {
    scenario: (fault) => seeing([[1, 2, 3]], scenario([produces(3), consumes(ONE, "block", { fault })], ["block"])),
    fault: (memory) => ({
      or(word, bits) {
        if (isReaders(word)) memory.add(FIRST_CONSUMER + CONSUMER.CURSOR, 1);
        return memory.or(word, bits);
      },
      store: (word, value) => (word === FIRST_CONSUMER + CONSUMER.CURSOR ? undefined : memory.store(word, value)),
    }),
    kind: "check",
    report: /a consumer has seen/,
  },
  "stream-slot.4: a frame that is announced without a ring": {
    scenario: (fault) => scenario([produces(1, { fault }), consumes(ONE, "block")], ["block"]),
    fault: (memory) => ({ exchange: (word, value) => (word === CONSUMER_WAITERS ? 0 : memory.exchange(word, value)) }),
    kind: "deadlock",
    report: /No agent is left to wake/,
  },
  "stream-slot.5: a producer that looks before it says that it waits": {
    scenario: (fault) =>
      scenario([produces(2, { buffers: 1, fault }), consumes(ONE, "newest", ONE_BUFFER)], ["newest"]),
    fault: (memory) => {
      let due = false;
      return {
        store(word, value) {
          if (word === PRODUCER_WAITS) due = true;
          else memory.store(word, value);
        },
        or: (word, bits) => (isHoldWaiters(word) ? 0 : memory.or(word, bits)),
        park(word, expected, timeoutMs) {
          if (due) memory.store(PRODUCER_WAITS, 1);
          return memory.park(word, expected, timeoutMs);
        },
      };
    },
    kind: "deadlock",
    report: /No agent is left to wake/,
  },
  "stream-slot.5: a consumer that leaves and does not look whether the producer waits": {
    scenario: (fault) => scenario([produces(3), consumes(ONE, "block", { most: 0, fault })], ["block"]),
    fault: (memory) => ({ load: (word) => (word === PRODUCER_WAITS ? 0 : memory.load(word)) }),
    kind: "deadlock",
    report: /No agent is left to wake/,
  },
  "stream-slot.6: a place that is taken before it is counted": {
    scenario: joinsAndDies,
    fault: (memory) => {
      let count: number | undefined;
      return {
        load: (word) => (word === USED_PLACES && count !== undefined ? count : memory.load(word)),
        compareExchange(word, expected, replacement) {
          if (word === USED_PLACES) {
            count = replacement;
            return expected;
          }
          const old = memory.compareExchange(word, expected, replacement);
          if (count !== undefined) memory.compareExchange(USED_PLACES, count - 1, count);
          count = undefined;
          return old;
        },
      };
    },
    kind: "check",
    report: /ENOSPC: Cannot create the stream/,
  },
  "stream-slot.7: a consumer that looks at the generation before it takes a place": {
    scenario: joinsTooLate,
    fault: (memory) => {
      const generation = memory.load(GENERATION);
      return { load: (word) => (word === GENERATION ? generation : memory.load(word)) };
    },
    kind: "check",
    report: /two streams share a slot/,
  },
  "stream-slot.10: a consumer that counts until the reaper takes it out": {
    scenario: losesConsumer,
    fault: deadCount(domain, ONE),
    kind: "deadlock",
    report: /No agent is left to wake waiter/,
  },
  "recovery.8: a reaper that says that a producer is released before its consumers are rung": {
    scenario: losesProducer,
    fault: (memory) => ({
      compareExchange(word, expected, replacement) {
        const old = memory.compareExchange(word, expected, replacement);
        if (word === DEAD_PRODUCER + AGENT.STATE) memory.store(DEAD_PRODUCER + AGENT.RELEASED, identityOf(PRODUCER));
        return old;
      },
    }),
    kind: "deadlock",
    report: /No agent is left to wake waiter/,
  },
  "stream-slot.8: a producer that counts each consumer that has taken a place": {
    scenario: (fault) => isWaitedFor({ ofProducer: fault }),
    fault: (memory) => ({
      load(word) {
        const value = memory.load(word);
        return word === FIRST_CONSUMER + CONSUMER.POLICY && value === 0 && memory.load(word - 1) !== 0 ? -1 : value;
      },
    }),
    kind: "check",
    report: /a consumer has seen (2,3|3)$/m,
  },
  "stream-slot.8: a consumer that is counted before its cursor is stored": {
    scenario: (fault) => isLookedAt(fault),
    fault: cursorLast,
    kind: "check",
    report: /the producer is held back from 1000/,
  },
  "stream-slot.8: a consumer that frees its place before it is counted no more": {
    scenario: (fault) => isLookedAt(fault),
    fault: (memory) => ({
      store(word, value) {
        if (word !== FIRST_CONSUMER + CONSUMER.POLICY || value !== 0) memory.store(word, value);
      },
      compareExchange(word, expected, replacement) {
        const old = memory.compareExchange(word, expected, replacement);
        if (word === FIRST_CONSUMER + CONSUMER.OWNER && replacement === 0) memory.store(word + CONSUMER.POLICY, 0);
        return old;
      },
    }),
    kind: "check",
    report: /those who have stayed/,
  },
  "stream-slot.9: a producer that leaves and does not say so": {
    scenario: (fault) => isLookedFor(false, fault),
    fault: silentlyLeft,
    kind: "check",
    report: /a producer that had gone was there again/,
  },
  "stream-slot.9: a reaper that frees a stream without saying that its producer is gone": {
    scenario: (fault) => isLookedFor(true, fault),
    fault: silentlyLeft,
    kind: "check",
    report: /a producer that had gone was there again/,
  },
  "stream-slot.9: an end that looks at no generation": {
    scenario: failsTooLate,
    fault: (memory) => ({
      compareExchange(word, expected, replacement) {
        if (word !== END) return memory.compareExchange(word, expected, replacement);
        const end = memory.load(END);
        const generation = end & ~0xfff;
        return memory.compareExchange(END, end, generation | (replacement & 0xfff)) === end ? expected : end;
      },
    }),
    kind: "check",
    report: /the next stream has/,
  },
});

/** The cursor of a consumer that joins is stored after its policy. */
function cursorLast(memory: Substrate): Partial<Substrate> {
  let cursor: number | undefined;
  return {
    store(word, value) {
      if (word === FIRST_CONSUMER + CONSUMER.CURSOR) {
        cursor = value;
        return;
      }
      memory.store(word, value);
      if (word !== FIRST_CONSUMER + CONSUMER.POLICY || cursor === undefined) return;
      memory.store(FIRST_CONSUMER + CONSUMER.CURSOR, cursor);
      cursor = undefined;
    },
  };
}

/** What END says of the producer is not stored. */
function silentlyLeft(memory: Substrate): Partial<Substrate> {
  return {
    compareExchange: (word, expected, replacement) =>
      word === END && (replacement & 0x800) !== 0 ? expected : memory.compareExchange(word, expected, replacement),
  };
}

/** While the agent holds a buffer, it believes what it saw of some words before. */
function believing(isBelieved: (word: number) => boolean): Fault {
  return (memory) => {
    const seen = new Map<number, number>();
    let holds = false;
    return {
      load(word) {
        if (!isBelieved(word)) return memory.load(word);
        if (!holds || !seen.has(word)) seen.set(word, memory.load(word));
        return seen.get(word)!;
      },
      or(word, bits) {
        if (isReaders(word)) holds = true;
        return memory.or(word, bits);
      },
      and(word, bits) {
        if (isReaders(word)) holds = false;
        return memory.and(word, bits);
      },
      compareExchange(word, expected, replacement) {
        const old = memory.compareExchange(word, expected, replacement);
        if (isWriter(word) && old === expected) holds = replacement !== 0;
        return old;
      },
    };
  };
}
