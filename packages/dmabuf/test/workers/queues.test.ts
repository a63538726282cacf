/** Queues of several workers on the same buffers: the buffers alone order their jobs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, type DmaBuf, type BufferHandleData } from "../../src/index.js";
import { hire, type Hand } from "./worker-party.js";
import { checkRaised, type Submitted } from "./submitter.js";

const WORKERS = 3;
const JOBS = 60;

for (const dies of [false, true]) {
  const also = dies ? ", and the others finish theirs when one is terminated" : "";
  test(`jobs of ${WORKERS} workers on 4 buffers never disturb each other${also}`, { timeout: 120_000 }, async () => {
    using domain = Domain.create();
    const buffers = Array.from({ length: 4 }, (_, i) => domain.allocate(4096, { name: `buffer ${i}` }));
    const hands = Array.from({ length: WORKERS + Number(dies) }, (_, seed) => hireSubmitter(domain, buffers, seed + 1));
    try {
      for (const hand of hands) assert.equal(await hand.says(), "submitting");
      if (dies) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        await hands.pop()!.worker.terminate();
      }
      const all = await Promise.all(hands.map((hand) => hand.says<Submitted>()));
      await checkRaised(buffers, all, !dies);
    } finally {
      await Promise.all(hands.map((hand) => hand[Symbol.asyncDispose]()));
    }
  });
}

function hireSubmitter(domain: Domain, buffers: readonly DmaBuf[], seed: number): Hand {
  const handles = buffers.map((buffer): BufferHandleData => structuredClone(buffer.handle()));
  return hire(domain, "submitter", { buffers: handles, jobs: JOBS, seed });
}
