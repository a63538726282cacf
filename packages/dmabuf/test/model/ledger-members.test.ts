import assert from "node:assert/strict";
import {
  joinMembers,
  leaveMembers,
  memberWords,
  releaseIfEnded,
  takeLedger,
  type LedgerPlace,
  type Threads,
} from "../../src/node/resources/ledger-members.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { testProtocol, type Mistake } from "./protocol.js";

// The members of a ledger: threads that take it, join it, leave it, end anywhere, and release what others have left.

const MOST = 3;
/** Of each thread, by its number: whether it runs, and whether it uses what is in the ledger. */
const RUNS = memberWords(MOST);
const USES = RUNS + 8;
/** The content of the ledger: the number of the thread that has put it there. */
const CONTENT = USES + 8;
const [INVITER, INVITED, NEWCOMER, REAPER, SECOND] = [1, 2, 3, 4, 5] as const;

function place(memory: Substrate): LedgerPlace {
  return { memory, at: 0, most: MOST };
}

function threads(memory: Substrate, thread: number): Threads {
  const isRunning = (which: number): boolean => memory.load(RUNS + which) === 1;
  return { self: { thread, start: 7 }, isRunning, hasEnded: (which) => !isRunning(which.thread) };
}

/** ledger-members.3: what is used by a thread that runs is not released. */
const release = (memory: Substrate) => (): void => {
  for (const thread of [INVITER, INVITED, NEWCOMER]) {
    const isUsed = memory.load(USES + thread) === 1 && memory.load(RUNS + thread) === 1;
    assert.ok(!isUsed, `what thread ${thread} uses is released`);
  }
  memory.store(CONTENT, 0);
};

function prepare(memory: Substrate): void {
  for (const thread of [INVITER, INVITED, NEWCOMER, REAPER, SECOND]) memory.store(RUNS + thread, 1);
  assert.equal(takeLedger(place(memory), threads(memory, INVITER)), 1);
  memory.store(CONTENT, INVITER);
  memory.store(USES + INVITER, 1);
}

function leave(memory: Substrate, thread: number, generation: number): void {
  memory.store(USES + thread, 0);
  leaveMembers(place(memory), threads(memory, thread), generation, release(memory));
}

function inviter(memory: Substrate): void {
  leave(memory, INVITER, 1);
}

/** Returns what it found there, undefined if it came too late. */
function invited(memory: Substrate): number | undefined {
  if (!joinMembers(place(memory), threads(memory, INVITED), 1, release(memory))) return undefined;
  memory.store(USES + INVITED, 1);
  const found = memory.load(CONTENT);
  leave(memory, INVITED, 1);
  return found;
}

/** Uses the place for something else. */
function newcomer(memory: Substrate): void {
  const generation = takeLedger(place(memory), threads(memory, NEWCOMER));
  if (generation === undefined) return;
  assert.equal(memory.load(CONTENT), 0, "what others have left is still there");
  memory.store(USES + NEWCOMER, 1);
  memory.store(CONTENT, NEWCOMER);
  assert.equal(memory.load(CONTENT), NEWCOMER);
  leave(memory, NEWCOMER, generation);
}

/** In the order in which the exploration counts them. */
const MORTALS = [INVITER, INVITED];

/** The kernel no longer knows of the thread that has ended: it does not end itself. */
function kernel(memory: Substrate, victim: number): void {
  const thread = MORTALS[victim] ?? REAPER;
  memory.store(RUNS + thread, 0);
}

/** Another thread of the process, which looks once. */
function reaper(memory: Substrate): void {
  releaseIfEnded(place(memory), threads(memory, REAPER), release(memory));
}

function checkFree(memory: Substrate): void {
  // A thread that has ended in the middle of releasing for another one leaves that to the next that looks.
  releaseIfEnded(place(memory), threads(memory, SECOND), release(memory));
  assert.equal(memory.load(CONTENT), 0, "what was in the ledger was not released");
  assert.ok(takeLedger(place(memory), threads(memory, SECOND)) !== undefined, "the ledger is not free");
}

const SHARED: Mistake = {
  name: "A lock that two threads have",
  report: /The check threw|threw/,
  agent: "invited",
  plant: () => ({ compareExchange: (_word, expected) => expected }),
};

testProtocol({
  name: "what is in a ledger is released by the last of the threads that have it, and used by no other (ledger-members.1, ledger-members.3)",
  options: {
    prepare,
    agents: { inviter, invited, newcomer },
    check(memory, { results }) {
      assert.ok(results["invited"] === undefined || results["invited"] === INVITER);
      checkFree(memory);
    },
  },
  mistakes: [SHARED],
});

const CASES = [
  { who: "both threads that have a ledger end", agents: { inviter, invited }, most: 2 },
  { who: "one of its threads ends, or the one that releases it", agents: { inviter, invited, reaper }, most: 1 },
];

for (const { who, agents, most } of CASES) {
  testProtocol({
    name: `wherever ${who}, it is released once no thread uses it (ledger-members.2, ledger-members.3)`,
    options: {
      prepare,
      agents,
      merge: true,
      crash: { most, recover: { kernel } },
      check(memory, { results }) {
        assert.ok(results["invited"] === undefined || results["invited"] === INVITER);
        checkFree(memory);
      },
    },
    mistakes: [SHARED],
  });
}
