import { CLAIM, CONSUMER, GROUP, PLACE, STREAM } from "../../src/domain/layout.js";
import {
  dies,
  findsGroup,
  GROUP_AT,
  groups,
  hasTurn,
  isCounted,
  isHeldBack,
  isKeptForOthers,
  leaves,
  losesProducer,
  losesTurn,
  placeOf,
  shares,
} from "./group-model.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { testMistakes } from "./interleavings.js";
import { deadCount } from "./stopped-reaper.js";
import { ONE, TWO } from "./stream-model.js";
import { identityOf } from "./tiny-domain.js";

// Mistakes in the protocol of groups, as memory that does one thing wrongly, and how they show.

const { layout } = groups;
const base = layout.stream(0);
const CLAIMS = GROUP_AT + GROUP.CLAIMS;
const WAITERS = base + layout.STREAM.WAITERS;
const isClaim = (word: number): boolean => word >= CLAIMS && word < CLAIMS + 2;
const LOST = /frames were worked on (0|1,0|0,1)/;

testMistakes(groups, {
  "stream-group.1: a member that takes a claim without looking whether another was quicker": {
    scenario: shares,
    fault: (memory) => ({
      compareExchange(word, expected, put) {
        if (!isClaim(word) || put === CLAIM.DONE) return memory.compareExchange(word, expected, put);
        memory.store(word, put);
        return expected;
      },
    }),
    kind: "threw",
    report: /was given back before/,
  },
  "stream-group.1: a member to which the claims of the dead are as those of the living": {
    scenario: (fault) => dies(1, fault),
    fault: deadCount(groups, ONE),
    kind: "deadlock",
    report: /No agent is left to wake two/,
  },
  "stream-group.2: a member that ends its hold before its claim": {
    scenario: (fault) => isHeldBack({ ofMember: fault }),
    fault: claimLast,
    kind: "deadlock",
    report: /No agent is left to wake/,
  },
  "stream-group.2: a member that leaves and says that its frame is done": {
    scenario: leaves,
    fault: (memory) => ({
      compareExchange: (word, expected, put) =>
        memory.compareExchange(word, expected, isClaim(word) && put === CLAIM.OPEN ? CLAIM.DONE : put),
    }),
    kind: "check",
    report: LOST,
  },
  "stream-group.3: a producer that leaves the claims as they are": {
    scenario: (fault) => isHeldBack({ ofProducer: fault }),
    fault: (memory) => ({ store: (word, value) => isClaim(word) || memory.store(word, value) }),
    kind: "check",
    report: LOST,
  },
  "stream-group.3: a producer that empties the claims before the place": {
    scenario: losesProducer,
    fault: (memory) => ({
      store(word, value) {
        if (word === base + layout.STREAM.PLACES + PLACE.FRAME && value === 0) memory.store(CLAIMS, CLAIM.OPEN);
        memory.store(word, value);
      },
    }),
    kind: "threw",
    report: /was given back before/,
  },
  "stream-group.4: a producer that does not look at groups": {
    scenario: (fault) => isHeldBack({ ofProducer: fault }),
    fault: (memory) => ({ load: (word) => (word === base + STREAM.GROUPS_USED ? 0 : memory.load(word)) }),
    kind: "check",
    report: LOST,
  },
  "stream-group.4: a producer to which a frame is done when a member has taken it": {
    scenario: isKeptForOthers,
    fault: (memory) => ({
      load: (word) => (isClaim(word) && memory.load(word) !== 0 ? CLAIM.DONE : memory.load(word)),
    }),
    kind: "check",
    report: LOST,
  },
  "stream-group.6: a member for which a stream ends although another has a frame": {
    scenario: (fault) => dies(1, fault),
    fault: (memory) => ({
      load: (word) => (isClaim(word) && memory.load(word) === identityOf(ONE) ? CLAIM.DONE : memory.load(word)),
    }),
    kind: "check",
    report: LOST,
  },
  "stream-group.6: a member that gives a frame up and does not ring": {
    scenario: leaves,
    fault: (memory) => ({ load: (word) => (word === WAITERS ? 0 : memory.load(word)) }),
    kind: "deadlock",
    report: /No agent is left to wake/,
  },
  "stream-group.7: a member that does not look who waits": {
    scenario: hasTurn,
    fault: (memory) => ({ load: (word) => (word === placeOf(TWO) + CONSUMER.TURN ? 0 : memory.load(word)) }),
    kind: "check",
    report: /the one that has waited has not got it/,
  },
  "stream-group.7: a member that waits for one that is stopped": {
    scenario: losesTurn,
    fault: (memory) => ({
      compareExchange: (word, expected, put) =>
        word === placeOf(TWO) + CONSUMER.TURN ? expected : memory.compareExchange(word, expected, put),
    }),
    kind: "livelock",
    report: /one repeats its steps/,
  },
  "stream-group.8: a name that is stored without looking what is there": {
    scenario: (fault) => findsGroup(["work", "worker"], fault),
    fault: (memory) => ({
      compareExchange(word, expected, put) {
        const isName = word >= GROUP_AT + GROUP.NAME && word < CLAIMS;
        if (!isName) return memory.compareExchange(word, expected, put);
        memory.store(word, put);
        return expected;
      },
    }),
    kind: "check",
    report: /two names are of one group/,
  },
  "stream-group.9: a member that is counted before its group is stored": {
    scenario: isCounted,
    fault: (memory) => {
      let group: number | undefined;
      return {
        store(word, value) {
          if (word === placeOf(ONE) + CONSUMER.GROUP) {
            group = value;
            return;
          }
          memory.store(word, value);
          if (word !== placeOf(ONE) + CONSUMER.POLICY || group === undefined) return;
          memory.store(placeOf(ONE) + CONSUMER.GROUP, group);
          group = undefined;
        },
      };
    },
    kind: "check",
    report: /the producer is held back/,
  },
});

/** A claim is DONE after those that wait for the end of the hold were rung. */
function claimLast(memory: Substrate): Partial<Substrate> {
  let due: (() => void) | undefined;
  return {
    compareExchange(word, expected, put) {
      if (!isClaim(word) || put !== CLAIM.DONE) return memory.compareExchange(word, expected, put);
      due = () => memory.compareExchange(word, expected, put);
      return expected;
    },
    load(word) {
      // The first look at the stream afterwards.
      if (word === base + STREAM.PUBLISHED) due?.();
      if (word === base + STREAM.PUBLISHED) due = undefined;
      return memory.load(word);
    },
  };
}
