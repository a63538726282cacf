import assert from "node:assert/strict";
import { claimAgentSlot, liveAgents, liveIn, type Member } from "../../src/domain/agent-slot.js";
import { BUFFER_SLOTS, claimBuffer } from "../../src/buffer/buffer-slot.js";
import { claimCopy } from "../../src/buffer/copy-slot.js";
import { BUFFER } from "../../src/domain/layout.js";
import { claimOneShot } from "../../src/domain/one-shot-slot.js";
import { postRequest } from "../../src/buffer/request-slot.js";
import type { Sizes } from "../../src/domain/sizes.js";
import { addPin, isPinned } from "../../src/buffer/storage-slot.js";
import { claimSyncobj } from "../../src/fence/syncobj-slot.js";
import { claimUserFence } from "../../src/fence/user-fence-slot.js";
import { usedWord } from "../../src/domain/table.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { claimStream } from "../../src/stream/stream-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import type { Fault } from "./interleavings.js";
import { storeActivity } from "../../src/explain/activity-slot.js";
import { unlessFull } from "./model-domain.js";
import { testProtocol } from "./protocol.js";
import { requestTo, TinyDomain } from "./tiny-domain.js";

// An agent dies while it takes the first slot of a table that was never used, and others sweep what was used
// (src/domain/table.ts).

const [DIES, REAPS, TAKES] = [0, 1, 2];
const domain = new TinyDomain({ agents: 4 });
const { layout, words, nameOf } = domain;
const BUFFER_SLOT = layout.buffer(0);

const fence = { name: "", driverName: "", timeLimit: 1000 };

/** Takes a slot of each table; there is one. */
const TAKERS: Record<Exclude<keyof Sizes, "agents" | "orders">, (member: Member) => unknown> = {
  timelines: (member) => claimTimeline(member, fence),
  oneShots: (member) => claimOneShot(member, { ...fence, context: 1, seqno: 1, seqno32: false }),
  buffers: (member) => claimBuffer(member, { size: 1, name: "", exporterName: "" }),
  syncobjs: (member) => claimSyncobj(member, []),
  userFences: (member) => claimUserFence(member, ""),
  streams: (member) => claimStream(member, "", []),
  requests: (member) => postRequest(member, requestTo(REAPS), true),
  activities: (member) => storeActivity(member, WAIT),
  copies: (member) => claimCopy(member, COPIED),
};

const COPIED = { why: "frame.copy()", place: "", bytes: 1, times: 1 } as const;
const WAIT = { does: "awaits-lock", slot: 0, generation: 0, number: 0, since: 1, blocks: false, place: "" } as const;

for (const [table, take] of Object.entries(TAKERS) as [keyof typeof TAKERS, (member: Member) => unknown][]) {
  testProtocol({
    name: `an agent that dies when it takes the first slot of the ${table} keeps none (table.1)`,
    options: {
      ...model(table),
      agents: { taker: (memory) => void take(domain.member(memory, DIES)) },
      crash: { recover: { reaper: (memory) => domain.recover(memory, REAPS, DIES) } },
      check(memory, { crashed }) {
        const taken = unlessFull(() => Number(take(domain.member(memory, TAKES)) !== undefined));
        assert.equal(taken, crashed.length, "the dead agent's slot is not free");
      },
    },
    mistakes: [
      {
        name: "A slot that is taken before it is counted",
        report: /the dead agent's slot is not free/,
        plant: countsLate(usedWord(table), 0),
      },
    ],
  });
}

for (const [table, take] of Object.entries(TAKERS) as [keyof typeof TAKERS, (member: Member) => unknown][]) {
  const takes = (memory: Substrate, agent: number): boolean =>
    unlessFull(() => Number(take(domain.member(memory, agent)) !== undefined)) === 1;
  testProtocol({
    name: `of three agents that want the only slot of the ${table} one gets it, wherever one of them dies (table.1)`,
    options: {
      ...model(table),
      agents: {
        first: (memory) => takes(memory, DIES),
        second: (memory) => takes(memory, REAPS),
        third: (memory) => takes(memory, TAKES),
      },
      crash: { agents: ["first"], recover: { reaper: (memory) => domain.recover(memory, REAPS, DIES) } },
      check(memory, { results, crashed }) {
        const living = Object.entries(results).filter(([name]) => !crashed.includes(name as "first"));
        const taken = living.filter(([, result]) => result === true).length;
        assert.ok(taken <= 1, "two agents have the same slot");
        if (crashed.length === 0) assert.equal(taken, 1, "no agent has the slot");
        if (taken === 0) assert.ok(takes(memory, TAKES), "the dead agent's slot is not free");
      },
    },
    mistakes: [
      {
        name: "A slot that is taken without an exchange",
        report: /two agents have the same slot/,
        plant: takesByStore,
      },
    ],
  });
}

testProtocol({
  name: "an agent that dies when it joins in a slot that was never used is found (table.1)",
  options: {
    ...model("agents"),
    agents: { joiner: (memory) => claimAgentSlot(domain.segment(memory), "") },
    crash: {},
    check(memory) {
      const segment = domain.segment(memory);
      for (let slot = 0; slot < layout.sizes.agents; slot++) {
        const identity = liveIn(segment, slot);
        if (identity !== 0) assert.ok([...liveAgents(segment)].includes(identity), `no agent finds agent ${slot}`);
      }
    },
  },
  mistakes: [
    {
      name: "An agent that joins before its slot is counted",
      report: /no agent finds agent 3/,
      plant: countsLate(usedWord("agents"), 3),
    },
  ],
});

testProtocol({
  name: "an agent that dies when it sends the first handle of a buffer holds it no longer (table.1)",
  options: {
    ...model("buffers"),
    agents: {
      sender(memory) {
        const member = domain.member(memory, DIES);
        BUFFER_SLOTS.addInflight(member, claimBuffer(member, { size: 1, name: "", exporterName: "" }));
      },
    },
    crash: { recover: { reaper: (memory) => domain.recover(memory, REAPS, DIES) } },
    check(memory, { crashed }) {
      const taken = unlessFull(
        () => claimBuffer(domain.member(memory, TAKES), { size: 1, name: "", exporterName: "" }).generation,
      );
      assert.equal(taken !== 0, crashed.length > 0, "the dead agent's handle holds the buffer");
      if (taken !== 0)
        assert.equal(memory.load(BUFFER_SLOT + layout.BUFFER.INFLIGHT), 0, "it holds the slot's next buffer");
    },
  },
  mistakes: [
    {
      name: "A place for a handle that is taken before it is counted",
      report: /it holds the slot's next buffer/,
      plant: countsLate(BUFFER_SLOT + BUFFER.INFLIGHT_USED, 0),
    },
  ],
});

testProtocol({
  name: "an agent that dies when it pins a buffer for the first time leaves no pin to the next agent in its slot (table.1)",
  options: {
    ...model(),
    agents: { pinner: (memory) => addPin(domain.member(memory, DIES), 0) },
    crash: { recover: { reaper: (memory) => domain.recover(memory, REAPS, DIES) } },
    check(memory, { crashed }) {
      for (let joined = 0; joined < 2; joined++) unlessFull(() => claimAgentSlot(domain.segment(memory), ""));
      // Another agent has pinned something since.
      memory.or(BUFFER_SLOT + BUFFER.TOUCHED, 2);
      assert.equal(isPinned(domain.segment(memory), 0), crashed.length === 0, "a pin is left");
    },
  },
  mistakes: [
    {
      name: "A pin that is set before its array is marked",
      report: /a pin is left/,
      plant(memory) {
        let marks = 0;
        return {
          or(word, bits) {
            if (word !== BUFFER_SLOT + BUFFER.TOUCHED) return memory.or(word, bits);
            marks = bits;
            return 0;
          },
          add(word, amount) {
            const old = memory.add(word, amount);
            if (marks !== 0) memory.or(BUFFER_SLOT + BUFFER.TOUCHED, marks);
            return old;
          },
        };
      },
    },
  ],
});

/** Three agents, and a table of which no slot was ever used. */
function model(table?: keyof Sizes): {
  words: number;
  nameOf: (word: number) => string;
  prepare: (memory: Substrate) => void;
} {
  return {
    words,
    nameOf,
    prepare(memory) {
      domain.open(memory, 3);
      if (table !== undefined) memory.store(usedWord(table), table === "agents" ? 3 : 0);
      memory.store(usedWord("retired"), 0);
    },
  };
}

/** What is exchanged is only looked at, and then stored. */
function takesByStore(memory: Substrate): Partial<Substrate> {
  return {
    compareExchange(word, expected, replacement) {
      const found = memory.load(word);
      if (found === expected) memory.store(word, replacement);
      return found;
    },
    compareExchange64(word, expected, replacement) {
      const found = memory.load64(word);
      if (found === expected) memory.store64(word, replacement);
      return found;
    },
  };
}

/** A slot is counted in a word only when it is taken: by the next exchange. */
function countsLate(used: number, before: number): Fault {
  return (memory) => {
    let count = before;
    const late = <Value>(value: Value): Value => {
      if (count > before) memory.store(used, count);
      return value;
    };
    return {
      load: (word) => (word === used ? count : memory.load(word)),
      compareExchange(word, expected, replacement) {
        if (word !== used) return late(memory.compareExchange(word, expected, replacement));
        count = replacement;
        return expected;
      },
      compareExchange64: (word, expected, replacement) => late(memory.compareExchange64(word, expected, replacement)),
    };
  };
}
