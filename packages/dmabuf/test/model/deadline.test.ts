import assert from "node:assert/strict";
import { keyDeadline } from "../../src/domain/fence-slot.js";
import { ONE_SHOT, TIMELINE } from "../../src/domain/layout.js";
import { fenceAt } from "../../src/fence/shared-fence.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import {
  agentOf,
  claim,
  createDomain,
  FIRST,
  keyOf,
  KINDS,
  LAYOUT,
  NOW,
  OWNER,
  SECOND,
  THIRD,
} from "./model-domain.js";
import { testProtocol } from "./protocol.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

// An agent that needs a fence by some time to come says so; the earliest time counts, and its owner is told of it.

for (const kind of KINDS) {
  const word = kind === "timeline" ? LAYOUT.timeline(0) + TIMELINE.DEADLINE : LAYOUT.oneShot(1) + ONE_SHOT.DEADLINE;
  const asksFor = (self: number, deadline: number) => (memory: Substrate) => {
    fenceAt(agentOf(memory, self), keyOf(kind))!.setDeadline(NOW + deadline);
  };

  testProtocol({
    name: `the owner of a ${kind} is told of the earliest of three deadlines, in whatever order they are asked for (agent-slot.4)`,
    options: {
      merge: true,
      timeouts: false,
      prepare(memory) {
        createDomain(memory);
        claim(memory, kind, OWNER);
      },
      agents: {
        owner(memory) {
          const heard: number[] = [];
          agentOf(memory, OWNER).waitSync({
            arm: () => {},
            ready() {
              const deadline = keyDeadline(segmentOf(memory, LAYOUT), keyOf(kind));
              if (deadline !== (heard.at(-1) ?? 0)) heard.push(deadline);
              return deadline === NOW + 100;
            },
          });
          return heard;
        },
        first: asksFor(FIRST, 300),
        second: asksFor(SECOND, 100),
        third: asksFor(THIRD, 200),
      },
      check(memory, { results }) {
        assert.equal(keyDeadline(segmentOf(memory, LAYOUT), keyOf(kind)), NOW + 100);
        const heard = results["owner"] as number[];
        assert.deepEqual(
          heard,
          [...heard].sort((a, b) => b - a),
          "a deadline has moved back",
        );
      },
    },
    mistakes: [
      {
        name: "A deadline that is looked at and then stored",
        report: /^No agent is left to wake owner/,
        plant: (memory) => ({
          compareExchange64(at, expected, replacement) {
            if (at !== word) return memory.compareExchange64(at, expected, replacement);
            memory.store64(at, replacement);
            return expected;
          },
        }),
      },
      { name: "A ring that is left out", report: /^No agent is left to wake owner/, plant: () => ({ wake: () => 0 }) },
    ],
  });
}
