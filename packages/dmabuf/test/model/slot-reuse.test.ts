import assert from "node:assert/strict";
import { FENCE_RECOVERY, keyPosition } from "../../src/domain/fence-slot.js";
import { RETIRED, ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { claimOneShot } from "../../src/domain/one-shot-slot.js";
import { leave } from "../../src/domain/recovery.js";
import { ERRNO } from "../../src/errors.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  agentOf,
  claim,
  complete,
  createDomain,
  end,
  FIRST,
  free,
  keyOf,
  type Kind,
  KINDS,
  LAYOUT,
  look,
  memberOf,
  NOW,
  OWNER,
  ownerWord,
  SCRATCH,
  SECOND,
  TIME_LIMIT,
} from "./model-domain.js";
import { testProtocol, type Mistake } from "./protocol.js";
import { createTimeline } from "../../src/fence/timeline.js";

// A slot goes on to its next use while others still deal with the last one.

const { EBUSY, ECANCELED, EIO, ETIMEDOUT } = ERRNO;
const END_ERROR = LAYOUT.timeline(0) + TIMELINE.END_ERROR;
const STATE = LAYOUT.oneShot(1) + ONE_SHOT.STATE;
const GENERATION_WORDS = [LAYOUT.timeline(0) + TIMELINE.GENERATION, LAYOUT.oneShot(1) + ONE_SHOT.GENERATION];

const TAGS = Array.from({ length: LAYOUT.counts.retired }, (_, i) => LAYOUT.retired(i) + RETIRED.TAG);

/** The slot's next owner; its first fence fails. Returns the slot's generation, 0 if it was not free. */
const uses = (kind: Kind, self: number) => (memory: Substrate) => {
  const generation = claim(memory, kind, self);
  if (generation !== 0) complete(memory, keyOf(kind, generation), EBUSY);
  return generation;
};

/** Asserts that no other agent has changed anything in the slot's next use. */
function checkNextUse(memory: Substrate, kind: Kind, self: number, generation: number): void {
  if (generation === 0) return;
  assert.equal(memory.load(ownerWord(kind)), self, "the slot was taken from its owner");
  assert.equal(look(memory, keyOf(kind, generation)), -EBUSY);
  if (kind === "one-shot") return;
  const second = keyOf(kind, generation, 2);
  assert.equal(look(memory, second), 0, "a pending fence was ended by another agent");
  assert.ok(complete(memory, second), "the timeline was ended by another agent");
  assert.equal(look(memory, second), 1);
  end(memory, second, ECANCELED);
  assert.equal(look(memory, keyOf(kind, generation, 3)), -ECANCELED, "the end has another agent's reason");
}

const EARLY_GENERATION: Mistake = {
  name: "A slot that moves on before its failures are retired",
  report: /The check threw/,
  agent: "next",
  plant(memory) {
    const postponed: (() => void)[] = [];
    return {
      store(word, value) {
        if (TAGS.includes(word)) postponed.push(() => memory.store(word, value));
        else memory.store(word, value);
        if (GENERATION_WORDS.includes(word)) for (const each of postponed) each();
      },
    };
  },
};

const ENDS: Record<Kind, readonly number[]> = { timeline: [1, -EIO, -ETIMEDOUT], "one-shot": [-EIO] };

for (const kind of KINDS) {
  testProtocol({
    name: `a late reader of a ${kind} finds each fence's own end while its slot is used again (timeline-slot.4, one-shot-slot.2, one-shot-slot.3, failures.3, failures.5)`,
    options: {
      prepare(memory) {
        createDomain(memory);
        claim(memory, kind, OWNER);
        if (kind === "timeline") complete(memory, keyOf(kind));
        complete(memory, keyOf(kind, 1, ENDS[kind].indexOf(-EIO) + 1), EIO);
        end(memory, keyOf(kind), ETIMEDOUT);
        free(memory, kind, OWNER);
      },
      agents: {
        next: uses(kind, SECOND),
        reader: (memory) => ENDS[kind].map((_, i) => look(memory, keyOf(kind, 1, i + 1))),
      },
      check(memory, { results }) {
        assert.deepEqual(results["reader"], ENDS[kind]);
        checkNextUse(memory, kind, SECOND, results["next"] as number);
      },
    },
    mistakes: [EARLY_GENERATION],
  });

  testProtocol({
    name: `a late hang recovery of a ${kind} ends nothing in its slot's next use, and the fence keeps its end (timeline-slot.1, timeline-slot.3, timeline-slot.4, one-shot-slot.1)`,
    options: {
      prepare(memory) {
        createDomain(memory);
        claim(memory, kind, OWNER);
      },
      agents: {
        owner(memory) {
          const decided = complete(memory, keyOf(kind), EIO);
          end(memory, keyOf(kind), ECANCELED);
          free(memory, kind, OWNER);
          return decided;
        },
        recovery: (memory) => end(memory, keyOf(kind), ETIMEDOUT),
        reader: (memory) => look(memory, keyOf(kind)),
        next: uses(kind, SECOND),
      },
      check(memory, { results }) {
        const status = results["owner"] === true ? -EIO : -ETIMEDOUT;
        assert.equal(look(memory, keyOf(kind)), status);
        assert.ok([0, status].includes(results["reader"] as number), "the fence was seen to end otherwise");
        checkNextUse(memory, kind, SECOND, results["next"] as number);
      },
    },
    mistakes: [
      {
        name: "A hang recovery that does not look whose end it writes down",
        report: /The check threw/,
        agent: "recovery",
        plant: (memory) => ({
          compareExchange(word, expected, replacement) {
            if (word === END_ERROR) return memory.or(word, ETIMEDOUT);
            if (word !== STATE) return memory.compareExchange(word, expected, replacement);
            memory.store(word, replacement);
            return expected;
          },
        }),
      },
    ],
  });
}

const NUMBER = LAYOUT.oneShot(1) + ONE_SHOT.SEQUENCE;
const WRAPS = 1n << 63n;

testProtocol({
  name: "a look at where a fence is stored finds its number with how its context counts, or that its slot has moved on (one-shot-slot.2)",
  options: {
    prepare(memory) {
      createDomain(memory);
      publishNumbered(memory, OWNER, 0xffff_ffff, true);
    },
    agents: {
      next(memory) {
        complete(memory, keyOf("one-shot"));
        free(memory, "one-shot", OWNER);
        publishNumbered(memory, SECOND, 7, false);
      },
      reader: (memory) =>
        [1, 2].map((generation) => keyPosition(memberOf(memory, FIRST), keyOf("one-shot", generation))),
    },
    check(memory, { results }) {
      const [first, second] = results["reader"] as ReturnType<typeof keyPosition>[];
      if (first !== undefined) assert.deepEqual(first, { context: 1, seqno: 0xffff_ffff, seqno32: true });
      // A key of the next use is known to no agent before the slot is filled; the context is the same in both.
      if (second !== undefined)
        assert.ok([0xffff_ffff, 7].includes(second.seqno) && second.seqno32 === second.seqno > 7);
      const last = keyPosition(memberOf(memory, FIRST), keyOf("one-shot", 2));
      assert.deepEqual(last, { context: 1, seqno: 7, seqno32: false });
    },
  },
  mistakes: [
    {
      name: "A way of counting that is stored after the number",
      report: /The check threw/,
      agent: "next",
      plant: (memory) => ({
        store64(word, value) {
          if (word !== NUMBER) return memory.store64(word, value);
          memory.store64(word, (value & ~WRAPS) | (memory.load64(word) & WRAPS));
          memory.store64(word, value);
        },
      }),
    },
  ],
});

function publishNumbered(memory: Substrate, owner: number, seqno: number, seqno32: boolean): void {
  const options = { name: "n", driverName: "d", timeLimit: TIME_LIMIT, context: 1, seqno, seqno32 };
  claimOneShot(memberOf(memory, owner), options);
}

testProtocol({
  name: "a timeline that is signaled and closed after its agent has left touches nothing in its slot's next use (timeline-slot.4, recovery.5)",
  options: {
    prepare: createDomain,
    agents: {
      leaver(memory) {
        const agent = agentOf(memory, OWNER);
        const timeline = createTimeline(agent, { name: "n", driverName: "d", timeLimit: TIME_LIMIT });
        const [first, second] = [timeline.createFence(), timeline.createFence()];
        leave(agent, FENCE_RECOVERY, NOW);
        agent.close();
        memory.store(SCRATCH, 1);
        first.setError("EIO");
        const signaled = [first.signal(), timeline.signal(2, "EIO"), second.signal()];
        timeline.close();
        return [...signaled, first.status, second.status];
      },
      next(memory) {
        while (memory.load(SCRATCH) === 0) memory.pause();
        return uses("timeline", FIRST)(memory);
      },
    },
    check(memory, { results }) {
      assert.deepEqual(results["leaver"], [false, false, false, -ECANCELED, -ECANCELED]);
      checkNextUse(memory, "timeline", FIRST, results["next"] as number);
    },
  },
  mistakes: [
    {
      name: "A slot that is given back whichever agent has it",
      report: /the slot was taken from its owner/,
      agent: "leaver",
      plant: (memory) => ({
        load: (word) => (word === ownerWord("timeline") && memory.load(SCRATCH) === 1 ? OWNER : memory.load(word)),
        compareExchange(word, expected, replacement) {
          if (word === ownerWord("timeline") && replacement === 0) return memory.exchange(word, 0);
          return memory.compareExchange(word, expected, replacement);
        },
      }),
    },
  ],
});
