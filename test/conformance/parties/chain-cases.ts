/** Area C of the conformance cases, with the chain's fences and who waits for it in different places. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FenceChain, type Fence } from "../../../src/index.js";
import type { Place } from "./party.js";

const LINKS = 4096;

export function chainCases(place: Place): void {
  for (const order of ["ascending", "descending"] as const) {
    for (const wait of ["wait", "waitSync"] as const) {
      const name = `CHN-07 ${wait}() for a chain of 4,096 links in a agent ends when they signal in ${order} order`;
      test(name, { timeout: 60_000 }, async (t: TestContext) => {
        const { domain, parties } = await place.meet(t, 1);
        const fences: Fence[] = [];
        let chain: FenceChain | undefined;
        for (let i = 1; i <= LINKS; i++) {
          const fence = domain.fence({ driverName: "driver", timelineName: "line" });
          fences.push(fence);
          chain = new FenceChain(chain, fence, i);
        }
        const waiting = parties[0]!.start(wait, domain.exportFence(chain!));
        await waiting.begun;
        for (const fence of order === "ascending" ? fences : fences.toReversed()) fence.signal();
        assert.equal(await waiting.done, "signaled");
      });
    }
  }
}
