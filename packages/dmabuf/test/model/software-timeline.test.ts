/** Rule timeline-slot.7 of the timelines: several agents advance one at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent } from "../../src/domain/agent.js";
import { claimAgentSlot, type Identity } from "../../src/domain/agent-slot.js";
import { keyProgress, keyStatus } from "../../src/domain/fence-slot.js";
import { writeHeader } from "../../src/domain/header.js";
import { checkSizes, Layout } from "../../src/domain/layout.js";
import { advanceTimeline, claimTimeline, endTimeline } from "../../src/domain/timeline-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { explore, modelHost } from "../../src/testing/index.js";
import { signalOf } from "./model-domain.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

const ENOENT = 2;
const NOW = 1e9;
const layout = new Layout(checkSizes({ agents: 4, buffers: 1, timelines: 1, oneShots: 1, streams: 1 }), 2);
const key = { slot: 0, generation: 1 };

/** The owner and three more agents; who they are is the same in every run. */
const identities: Identity[] = [];

function prepare(memory: Substrate): void {
  writeHeader(memory, layout.sizes, [1, 2, 3, 4]);
  identities.splice(0);
  for (const name of ["owner", "a", "b", "waiter"]) identities.push(claimAgentSlot(segmentOf(memory, layout), name));
  const slot = claimTimeline(agent(memory, 0), { name: "line", driverName: "sw_sync", timeLimit: 1000 });
  assert.deepEqual(slot, key);
}

function agent(memory: Substrate, index: number): Agent {
  return new Agent(segmentOf(memory, layout), identities[index]!, modelHost(memory));
}

function advance(memory: Substrate, index: number, amount: number): number | undefined {
  return advanceTimeline(agent(memory, index), key, amount, NOW);
}

/** Blocks until a point of the timeline is signaled. */
function awaitPoint(memory: Substrate, sequence: number): number {
  const waiter = agent(memory, 3);
  waiter.waitSync(signalOf(waiter, { ...key, sequence }));
  return keyStatus(waiter, { ...key, sequence });
}

test("no step is lost when two agents advance at once, and a waiter for their sum wakes", { timeout: 60_000 }, () => {
  explore({
    words: layout.words,
    prepare,
    agents: {
      a: (memory) => advance(memory, 1, 2),
      b: (memory) => advance(memory, 2, 3),
      waiter: (memory) => awaitPoint(memory, 5),
    },
    check: (memory, { results }) => {
      assert.equal(keyProgress(segmentOf(memory, layout), key), 5);
      assert.ok(results["a"] === 5 || results["b"] === 5);
      assert.equal(results["waiter"], 1);
    },
  });
});

test("what one agent still advances before the owner ends the timeline has succeeded", { timeout: 60_000 }, () => {
  explore({
    words: layout.words,
    prepare,
    agents: {
      owner: (memory) => endTimeline(agent(memory, 0), key.slot, key.generation, ENOENT),
      a: (memory) => advance(memory, 1, 1),
      waiter: (memory) => awaitPoint(memory, 1),
    },
    check: (_memory, { results }) => {
      assert.equal(results["waiter"], results["a"] === 1 ? 1 : -ENOENT);
    },
  });
});

test(
  "an agent that dies while it advances has moved the timeline on as a whole, or not at all",
  { timeout: 60_000 },
  () => {
    explore({
      words: layout.words,
      prepare,
      agents: { a: (memory) => advance(memory, 1, 2), b: (memory) => advance(memory, 2, 3) },
      crash: { agents: ["a"] },
      check: (memory, { results }) => {
        const completed = keyProgress(segmentOf(memory, layout), key);
        assert.ok(completed === 5 || completed === 3);
        assert.ok(results["b"] === completed || results["b"] === 3);
      },
    });
  },
);
