/** Queues of several processes on the same buffers: the buffers alone order their jobs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROCESSES } from "../conformance/parties/processes.js";
import { checkRaised } from "../workers/submitter.js";

const COUNT = 3;
const JOBS = 40;

for (const dies of [false, true]) {
  const also = dies ? ", and the others finish theirs when one is killed" : "";
  test(`jobs of ${COUNT} processes on 4 buffers never disturb each other${also}`, { timeout: 120_000 }, async (t) => {
    const { domain, parties } = await PROCESSES.meet(t, COUNT + Number(dies));
    const buffers = Array.from({ length: 4 }, (_, i) => domain.allocate(4096, { name: `buffer ${i}` }));
    const submitted = parties.map((party, seed) => {
      const handles = buffers.map((buffer) => structuredClone(buffer.handle()));
      return party.start("submitJobs", handles, JOBS, seed + 1);
    });
    await Promise.all(submitted.map(({ begun }) => begun));
    if (dies) {
      const killed = assert.rejects(submitted.pop()!.done, /has ended/);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await parties.at(-1)![Symbol.asyncDispose]();
      await killed;
    }
    const all = await Promise.all(submitted.map(({ done }) => done));
    await checkRaised(buffers, all, !dies);
  });
}
