/** Area D of the conformance cases, with the fences that are merged and who looks in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameFence, unwrap, type Fence, type JoinedDomain } from "../../../src/index.js";
import { LINE_KINDS } from "../reservation-support.js";
import type { Party, Place } from "./party.js";

const PATIENT = { timeout: 30_000 };

interface Sent {
  readonly domain: JoinedDomain;
  /** Two agents, each of which has made a fence "f". */
  readonly makers: readonly [Party, Party];
  readonly other: Party;
  /** The two fences, as they were sent here. */
  readonly fences: readonly [Fence, Fence];
}

export function mergeCases(place: Place): void {
  /** Registers a fact about the fences of two agents that a third one merges and a fourth was sent. */
  function fact(name: string, body: (sent: Sent) => Promise<void>): void {
    for (const kind of LINE_KINDS) {
      test(`${name} (${kind} fences of two agents)`, PATIENT, async (t) => {
        const { domain, parties } = await place.meet(t, 3);
        const [one, two, other] = [parties[0]!, parties[1]!, parties[2]!];
        const fences = [await one.ask("makeFence", "f", kind), await two.ask("makeFence", "f", kind)] as const;
        await body({
          domain,
          makers: [one, two],
          other,
          fences: [domain.import(fences[0]), domain.import(fences[1])],
        });
      });
    }
  }

  fact("UNW-06 a merge holds exactly the pending fences, wherever it is sent", async ({ domain, other, fences }) => {
    const merged = domain.mergeFences(fences);
    const expected = fences.map(({ context, seqno }) => [context, seqno]);
    assert.deepEqual(
      [...unwrap(merged)].map(({ context, seqno }) => [context, seqno]),
      expected,
    );
    assert.deepEqual(await other.ask("unwrapped", merged.handle()), expected);
  });

  fact("UNW-07 a merge with one pending fence is that fence", async ({ domain, makers, fences }) => {
    await makers[1].ask("signal", "f");
    assert.ok(isSameFence(domain.mergeFences(fences), fences[0]));
  });

  fact("UNW-08 a merge of signaled fences is a stub of the later time", async ({ domain, makers, other, fences }) => {
    await makers[0].ask("signal", "f", undefined, 2_000);
    await makers[1].ask("signal", "f", undefined, 1_000);
    const merged = domain.mergeFences(fences);
    assert.deepEqual([merged.status, merged.timestamp], [1, 2_000]);
    assert.equal(await other.ask("timestamp", merged.handle()), 2_000);
  });
}
