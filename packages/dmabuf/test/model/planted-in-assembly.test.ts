import assert from "node:assert/strict";
import type { Substrate } from "../../src/substrate/substrate.js";
import { armKey, isKeySignaled } from "../../src/domain/fence-slot.js";
import { agentOf, claim, complete, createDomain, FIRST, keyOf, OWNER } from "./model-domain.js";
import { testMutations } from "./planted-in-assembly.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import { claimTimeline } from "../../src/domain/timeline-slot.js";
import { lockAllSync } from "../lock-all.js";
import { addEntry, reservationAt } from "../reservation-at.js";
import { TinyDomain } from "./tiny-domain.js";

// Bugs in the sources that are compiled to WebAssembly: the explorations run on a build that has them.

const KEY = keyOf("timeline");

testMutations(
  "an agent waits for a timeline's fence",
  {
    timeouts: false,
    prepare(memory) {
      createDomain(memory);
      claim(memory, "timeline", OWNER);
    },
    agents: {
      owner: (memory: Substrate) => complete(memory, KEY),
      waiter(memory: Substrate) {
        const agent = agentOf(memory, FIRST);
        const arm = (): void => armKey(agent, KEY);
        return agent.waitSync({ arm, ready: () => isKeySignaled(agent, KEY) });
      },
    },
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
