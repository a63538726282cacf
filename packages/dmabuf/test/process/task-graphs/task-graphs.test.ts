/** Random graphs of tasks over the queues of several agents, which are killed in the middle: the buffers are as one thread leaves them. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { graphs, type Task } from "./graph.js";
import { World } from "./world.js";

const SEED = Number(process.env["DMABUF_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env["DMABUF_GRAPHS"] ?? 100);
const LINES = 3;
/** Milliseconds for all graphs of a test together, those of the shrinking, too. */
const SPAN = Number(process.env["DMABUF_GRAPH_SECONDS"] ?? 10) * 1000;
const LIMITED = { timeout: 240_000 };

for (const isValidated of [false, true]) {
  const also = isValidated ? ", and the validator is silent" : "";
  test(
    `a random graph of tasks leaves what its sequential run does, also when agents die in it${also}: graph.1, graph.3`,
    LIMITED,
    async (t) => {
      t.diagnostic(`DMABUF_SEED=${SEED}`);
      let [tasks, deaths] = [0, 0];
      let world = new World(LINES, isValidated);
      t.after(() => world[Symbol.asyncDispose]());
      const end = performance.now() + SPAN;
      const property = fc.asyncProperty(graphs(LINES), async (graph) => {
        // The rest of the graphs, or of the attempts to find a smaller one.
        if (performance.now() > end) return;
        try {
          await world.run(graph);
        } catch (error) {
          await world[Symbol.asyncDispose]();
          world = new World(LINES, isValidated);
          throw error;
        }
        tasks += graph.length;
        deaths += new Set(graph.filter(({ dies }) => dies !== undefined).map(({ line }) => line)).size;
      });
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
      t.diagnostic(`${tasks} tasks, ${deaths} deaths`);
      assert.ok(tasks > 0);
    },
  );
}

const NOTHING = { after: [], lasts: 0 };

/** The second task needs the first one, which takes its time. */
const READS: readonly Task[] = [
  { ...NOTHING, line: 0, uses: ["write", "none", "none", "none"], lasts: 500 },
  { ...NOTHING, line: 1, uses: ["read", "write", "none", "none"] },
];
const WAITS: readonly Task[] = [READS[0]!, { line: 2, uses: ["none", "write", "none", "none"], after: [1], lasts: 0 }];

for (const [fault, graph, found] of [
  ["reads", READS, /not as the sequential run leaves them/],
  ["dependencies", WAITS, /task 1 has not waited for task 0/],
] as const) {
  test(`a queue that forgets the ${fault} of its tasks is found: graph.2`, LIMITED, async () => {
    await using world = new World(LINES);
    await world.run(graph);
    await assert.rejects(world.run(graph, fault), found);
  });
}
