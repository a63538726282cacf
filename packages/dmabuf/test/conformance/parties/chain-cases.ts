/** Area C of the conformance cases, with the chain's fences and who waits for it in different places. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { FenceChain } from "../../../src/index.js";
import { type Fence, type FenceHandle } from "../../../src/index.js";
import { LINE_KINDS } from "../reservation-support.js";
import type { Place } from "./party.js";
import { begin } from "./waiting.js";
import { createFenceChain } from "../../../src/fence/fence-chain.js";

const LINKS = 4096;
const PATIENT = { timeout: 30_000 };

export function chainCases(place: Place): void {
  for (const order of ["ascending", "descending"] as const) {
    for (const wait of ["wait", "waitSync"] as const) {
      const name = `CHN-07 ${wait}() for a chain of 4,096 links in a agent ends when they signal in ${order} order`;
      test(name, { timeout: 60_000 }, async (t: TestContext) => {
        const { domain, parties } = await place.meet(t, 1);
        const fences: Fence[] = [];
        let chain: FenceChain | undefined;
        for (let i = 1; i <= LINKS; i++) {
          const fence = domain.createFence({ driverName: "driver", timelineName: "line" });
          fences.push(fence);
          chain = createFenceChain(chain, fence, i);
        }
        const waiting = parties[0]!.start(wait, chain!.handle());
        await waiting.begun;
        for (const fence of order === "ascending" ? fences : fences.toReversed()) fence.signal();
        assert.equal(await waiting.done, "signaled");
      });
    }
  }

  for (const kind of LINE_KINDS) {
    test(
      `CHN-06 a link is signaled with its fence and all before it, for others too (${kind} fences)`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        const [maker, other] = [parties[0]!, parties[1]!];
        const names = ["1", "2", "3"];
        const links: FenceHandle[] = [];
        let chain: FenceChain | undefined;
        for (const name of names) {
          chain = createFenceChain(chain, domain.import(await maker.ask("makeFence", name, kind)), Number(name));
          links.push(chain.handle());
        }
        const statuses = async (): Promise<number[]> =>
          Promise.all(links.map(async (link) => other.ask("status", link)));
        await maker.ask("signal", "1");
        assert.deepEqual(await statuses(), [1, 0, 0]);
        await maker.ask("signal", "3");
        assert.deepEqual(await statuses(), [1, 0, 0]);
        await maker.ask("signal", "2");
        assert.deepEqual(await statuses(), [1, 1, 1]);
      },
    );

    test(`CHN-11 a chain over another agent's failed fence has not failed (${kind} fence)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 2);
      const handle = await parties[0]!.ask("makeFence", "f", kind);
      const chain = createFenceChain(undefined, domain.import(handle), 1);
      const sent = chain.handle();
      await parties[0]!.ask("signal", "f", "EIO");
      assert.deepEqual([chain.status, chain.fence.error?.code], [1, "EIO"]);
      assert.equal(await parties[1]!.ask("status", sent), 1);
    });

    test(`CHN-12 a chain on a plain fence waits for that too (${kind} fences of two agents)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 2);
      const [plain, linked] = [parties[0]!, parties[1]!];
      const before = domain.import(await plain.ask("makeFence", "f", kind));
      const chain = createFenceChain(before, domain.import(await linked.ask("makeFence", "f", kind)), 1);
      const waiting = await begin(plain.start("wait", chain.handle()));
      await linked.ask("signal", "f");
      assert.equal(await waiting.isSettled(), false);
      await plain.ask("signal", "f");
      assert.equal(await waiting.done, "signaled");
    });
  }
}
