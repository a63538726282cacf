import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { explore } from "../../src/testing/index.js";
import { blockingFacts, facts, substrateFacts } from "./substrate.js";

const WORDS = 8;

substrateFacts("threads", () => createSharedSubstrate(new SharedArrayBuffer(4 * WORDS)));

// An agent on the model cannot return to an event loop: of the facts on sleeping, explore.test.ts has the model's own.
for (const [claim, fact] of Object.entries({ ...facts, ...blockingFacts })) {
  test(`model: ${claim}`, () => {
    assert.equal(explore({ words: WORDS, agents: { only: fact } }).schedules, 1);
  });
}

// What `prepare` and `check` get: there nothing can wake a sleeper.
for (const [claim, fact] of Object.entries({ ...facts, ...blockingFacts })) {
  test(`model without other agents: ${claim} (model-memory.3)`, () => {
    let ran = 0;
    explore({
      words: WORDS,
      agents: {},
      prepare: (memory) => {
        fact(memory);
        ran += 1;
      },
    });
    assert.equal(ran, 1);
  });
}
