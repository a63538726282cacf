import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceEvent } from "dmabuf/node";
import { reportsIn } from "./reports.js";

test("reports are those of all agents, the oldest first, and nothing else", () => {
  const said = (at: number, agent: number, code: string): TraceEvent => {
    return { point: "validator:report", at, agent, thing: code, code, text: `${code} is wrong` };
  };
  const files = [
    { agent: { identity: 1, name: "a", process: 7 }, events: [said(5, 1, "own-fence"), said(9, 1, "lock-order")] },
    {
      agent: { identity: 2, name: "b", process: 8 },
      events: [{ point: "fence:init", at: 1, agent: 2, thing: "1:1" } as const, said(7, 2, "back-off")],
    },
  ];
  const { traced, at, reports } = reportsIn(files, 10);
  assert.deepEqual([traced, at], [2, 10]);
  assert.deepEqual(
    reports.map(({ agentName, code, text }) => [agentName, code, text]),
    [
      ["a", "own-fence", "own-fence is wrong"],
      ["b", "back-off", "back-off is wrong"],
      ["a", "lock-order", "lock-order is wrong"],
    ],
  );
});
