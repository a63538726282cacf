import assert from "node:assert/strict";
import { claimBuffer } from "../../src/buffer/buffer-slot.js";
import { BUFFER, ORDER, ORDER_PHASE, ORDER_STATE, SLOT_PHASE, SLOT_STATE } from "../../src/domain/layout.js";
import { usedWord } from "../../src/domain/table.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { circleOf } from "../../src/validator/circles.js";
import { learn, learnedOrders, pend, type Order } from "../../src/validator/order-table.js";
import { wordsOf } from "../../src/validator/thing.js";
import { testProtocol } from "./protocol.js";
import { TinyDomain } from "./tiny-domain.js";

// Orders are learned by several agents at once (src/validator/order-table.ts), and seen as a whole.

const [ONE, TWO, THIRD] = [0, 1, 2];
const domain = new TinyDomain({ agents: 3, buffers: 2, orders: 2 });
const { layout } = domain;

/** Two buffers, and nothing learned. */
function prepare(memory: Substrate): void {
  domain.open(memory, 3);
  memory.store(usedWord("orders"), 0);
  for (const slot of [0, 1]) {
    assert.equal(claimBuffer(domain.member(memory, THIRD), { size: 1, name: "", exporterName: "" }).slot, slot);
  }
}

function lockOf(memory: Substrate, slot: number): bigint {
  return wordsOf(domain.segment(memory), { kind: "lock", slot })[0]!;
}

/** The order of two locks; where it was seen says which it is. */
function order(memory: Substrate, held: number, awaited: number): Order {
  const places = { heldAt: `h${held}`, awaitedAt: `a${awaited}` };
  return { held: lockOf(memory, held), awaited: lockOf(memory, awaited), ...places };
}

/** Every order that is seen is one that was learned, with the places of that. */
function assertWhole(memory: Substrate, seen: readonly Order[]): void {
  const learned = [order(memory, 0, 1), order(memory, 1, 0)];
  for (const { held, awaited, heldAt, awaitedAt } of seen) {
    const same = learned.find((each) => each.held === held && each.awaited === awaited);
    assert.deepEqual({ held, awaited, heldAt, awaitedAt }, same, "an order is seen in parts");
  }
}

const model = { words: domain.words, nameOf: domain.nameOf, prepare };
const learns =
  (agent: number, held: number, awaited: number) =>
  (memory: Substrate): string =>
    learn(domain.member(memory, agent), order(memory, held, awaited));
const LIVE = ORDER_STATE.phase.of(ORDER_PHASE.LIVE);

testProtocol({
  name: "a reader sees an order as a whole or not at all, wherever the agent dies that learns it (order-table.1)",
  options: {
    ...model,
    agents: {
      learner: learns(ONE, 0, 1),
      reader: (memory) => learnedOrders(domain.segment(memory)).map(({ learner: _, isPending: __, ...seen }) => seen),
    },
    crash: { agents: ["learner"], recover: { reaper: (memory) => domain.recover(memory, TWO, ONE) } },
    check(memory, { results }) {
      assertWhole(memory, results["reader"] as Order[]);
      assertWhole(memory, learnedOrders(domain.segment(memory)));
    },
  },
  mistakes: [
    {
      name: "An order that is live before its words are there",
      report: /an order is seen in parts/,
      agent: "learner",
      plant: (memory) => ({
        store64: (word, value) => {
          const isHeld = [0, 1].some((slot) => word === layout.order(slot) + ORDER.HELD);
          if (isHeld) memory.store64(word - ORDER.HELD + ORDER.STATE, LIVE);
          memory.store64(word, value);
        },
      }),
    },
  ],
});

testProtocol({
  name: "a slot whose claimer has died is another agent's (order-table.3)",
  options: {
    ...model,
    agents: { dying: learns(ONE, 0, 1) },
    crash: { recover: { reaper: (memory) => domain.recover(memory, TWO, ONE) } },
    check(memory) {
      assert.notEqual(learns(TWO, 1, 0)(memory), "full");
      const orders = learnedOrders(domain.segment(memory));
      assert.ok(orders.some(({ heldAt }) => heldAt === "h1"));
      assertWhole(
        memory,
        orders.map(({ learner: _, isPending: __, ...seen }) => seen),
      );
    },
  },
});

testProtocol({
  name: "of two agents that close a circle at the same time one at least finds it (order-table.4)",
  options: {
    ...model,
    agents: Object.fromEntries(
      [
        [ONE, 0, 1],
        [TWO, 1, 0],
      ].map(([agent, held, awaited]) => [
        `agent ${agent}`,
        (memory: Substrate) => {
          learns(agent!, held!, awaited!)(memory);
          const closing = { ...order(memory, held!, awaited!), learner: 1 };
          return circleOf(closing, learnedOrders(domain.segment(memory))) !== undefined;
        },
      ]),
    ),
    check(_memory, { results }) {
      assert.ok(Object.values(results).includes(true), "no agent finds the circle");
    },
  },
  mistakes: [
    {
      name: "An order that is stored after the circles were looked for",
      report: /no agent finds the circle/,
      plant: (memory) => ({
        store64: (word, value) => {
          const isState = [0, 1].some((slot) => word === layout.order(slot) + ORDER.STATE);
          if (!isState) memory.store64(word, value);
        },
      }),
    },
  ],
});

testProtocol({
  name: "two agents that learn the same order at the same time leave it there, once or twice (order-table.5)",
  options: {
    ...model,
    agents: { first: learns(ONE, 0, 1), second: learns(TWO, 0, 1) },
    check(memory, { results }) {
      const orders = learnedOrders(domain.segment(memory));
      assert.ok(orders.length >= 1 && orders.length <= 2);
      assert.ok(!Object.values(results).includes("full"));
    },
  },
});

/** The second buffer is freed, and another one takes its slot. */
function replaceSecond(memory: Substrate): void {
  const word = layout.buffer(1) + BUFFER.STATE;
  const state = memory.load64(word);
  const next = SLOT_STATE.generation.in(state) + 1;
  memory.store64(word, SLOT_STATE.phase.of(SLOT_PHASE.LIVE) | SLOT_STATE.generation.of(next));
}

testProtocol({
  name: "an order of a buffer that is gone gives its slot to another one, and no reader mixes them up (order-table.2)",
  options: {
    ...model,
    prepare(memory) {
      prepare(memory);
      learns(ONE, 0, 1)(memory);
      memory.store(usedWord("orders"), 1);
      replaceSecond(memory);
    },
    agents: {
      learner: (memory) =>
        learn(domain.member(memory, THIRD), { ...order(memory, 1, 0), heldAt: "new", awaitedAt: "new" }),
      reader: (memory) => learnedOrders(domain.segment(memory)),
    },
    check(memory, { results }) {
      for (const { heldAt, awaitedAt, held } of results["reader"] as Order[]) {
        assert.deepEqual([heldAt, awaitedAt, held], ["new", "new", lockOf(memory, 1)], "an order is seen in parts");
      }
    },
  },
  mistakes: [
    {
      name: "A reader that does not look again",
      report: /an order is seen in parts/,
      agent: "reader",
      plant: (memory) => {
        const first = new Map<number, bigint>();
        return {
          load64: (word) => {
            const isState = [0, 1].some((slot) => word === layout.order(slot) + ORDER.STATE);
            if (!isState) return memory.load64(word);
            const known = first.get(word) ?? memory.load64(word);
            first.set(word, known);
            return known;
          },
        };
      },
    },
  ],
});

testProtocol({
  name: "a wait that goes on is there until its agent takes it back, or dies (order-table.6)",
  options: {
    ...model,
    agents: {
      waiting(memory) {
        const takeBack = pend(domain.member(memory, ONE), order(memory, 0, 1));
        takeBack();
      },
      reader: (memory) => learnedOrders(domain.segment(memory)).map(({ isPending }) => isPending),
    },
    crash: { agents: ["waiting"], recover: { reaper: (memory) => domain.recover(memory, TWO, ONE) } },
    check(memory, { results, crashed }) {
      assert.ok((results["reader"] as boolean[]).every((isPending) => isPending));
      if (crashed.length === 0) assert.deepEqual(learnedOrders(domain.segment(memory)), []);
      for (const awaited of [1, 0]) assert.notEqual(learns(TWO, 1 - awaited, awaited)(memory), "full");
    },
  },
});
