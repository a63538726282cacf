/** Area F of the conformance cases, with the fences and who asks for them in different places. */
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DmaBuf, JoinedDomain, Usage } from "../../../src/index.js";
import type { Party, Place } from "./party.js";
import { addFence, LINE_KINDS, makeLine, places, type LineKind } from "../reservation-support.js";

const PATIENT = { timeout: 30_000 };
const USAGES: readonly Usage[] = ["kernel", "write", "read", "bookkeep"];

interface Shared {
  readonly domain: JoinedDomain;
  readonly buffer: DmaBuf;
  /** Has the buffer as "b". */
  readonly other: Party;
  readonly kind: LineKind;
}

export function reservationCases(place: Place): void {
  /** Registers a fact about a buffer that this thread and a agent hold. */
  function fact(name: string, body: (shared: Shared) => Promise<void>): void {
    for (const kind of LINE_KINDS) {
      test(`${name} (${kind} fences of another agent)`, PATIENT, async (t) => {
        const { domain, parties } = await place.meet(t, 1);
        const [buffer, other] = [domain.allocate(4096), parties[0]!];
        await other.ask("openBuffer", "b", buffer.handle());
        await body({ domain, buffer, other, kind });
      });
    }
  }

  for (const usage of USAGES) {
    fact(`RSV-02 a usage is not signaled until its fence is: ${usage}`, async ({ buffer, other, kind }) => {
      await other.ask("addFences", "b", kind, [usage]);
      assert.equal(buffer.reservation.testSignaled(usage), false);
      await other.ask("signal", `b ${usage}`);
      assert.equal(buffer.reservation.testSignaled(usage), true);
    });

    fact(`RSV-03 an iteration under the lock finds the one fence with its usage: ${usage}`, async (shared) => {
      const { buffer, other, kind } = shared;
      const context = await other.ask("addFences", "b", kind, [usage]);
      assert.deepEqual(places(buffer.reservation), [[context, 1, usage]]);
    });

    fact(`RSV-04 a query without the lock finds the one fence: ${usage}`, async ({ buffer, other, kind }) => {
      const context = await other.ask("addFences", "b", kind, [usage]);
      const found = buffer.reservation.getFences(usage);
      assert.deepEqual(
        found.map((fence) => [fence.context, fence.seqno, fence.status]),
        [[context, 1, 0]],
      );
    });
  }

  fact("RSV-05 a query finds the fences of its usage and of the stronger ones", async ({ buffer, other, kind }) => {
    const contexts: number[] = [];
    for (const usage of USAGES) contexts.push(await other.ask("addFences", "b", kind, [usage]));
    USAGES.forEach((usage, level) => {
      const found = buffer.reservation.getFences(usage).map(({ context }) => context);
      assert.deepEqual(found, contexts.slice(0, level + 1));
    });
  });

  fact(
    "RSV-06 a pending reader is of no concern to readers, but to writers",
    async ({ domain, buffer, other, kind }) => {
      addFence(buffer.reservation, makeLine(agentOf(domain), kind).fences(1)[0]!, "read");
      assert.equal(await other.ask("testSignaled", "b", "write"), true);
      assert.equal(await other.ask("testSignaled", "b", "read"), false);
    },
  );

  fact("RSV-08 a later fence takes the place of an earlier one of its context", async ({ buffer, other, kind }) => {
    const context = await other.ask("addFences", "b", kind, ["write", "write"]);
    assert.deepEqual(places(buffer.reservation), [[context, 2, "write"]]);
  });

  fact("RSV-09 a later fence with a stronger usage takes the place of an earlier one", async (shared) => {
    const { buffer, other, kind } = shared;
    const context = await other.ask("addFences", "b", kind, ["read", "write"]);
    assert.deepEqual(places(buffer.reservation), [[context, 2, "write"]]);
  });

  fact(
    "RSV-10 a later fence with a weaker usage leaves the earlier one where it is",
    async ({ buffer, other, kind }) => {
      const context = await other.ask("addFences", "b", kind, ["write", "read"]);
      assert.deepEqual(places(buffer.reservation), [
        [context, 1, "write"],
        [context, 2, "read"],
      ]);
    },
  );

  fact("RSV-13 a fence takes the place of another agent's signaled one", async ({ domain, buffer, other, kind }) => {
    await other.ask("addFences", "b", kind, ["read"]);
    await other.ask("signal", "b read");
    const [fence] = makeLine(agentOf(domain), kind).fences(1);
    addFence(buffer.reservation, fence!, "write");
    assert.deepEqual(await other.ask("placesOf", "b"), [[fence!.context, 1, "write"]]);
  });

  fact("RSV-17 a replacement takes the places of another agent's fences", async (shared) => {
    const { domain, buffer, other, kind } = shared;
    const context = await other.ask("addFences", "b", kind, ["write", "read"]);
    const [replacement] = makeLine(agentOf(domain), kind).fences(1);
    {
      using _lock = buffer.reservation.lockSync();
      buffer.reservation.replaceFences(context, replacement!, "write");
    }
    const place = [replacement!.context, 1, "write"];
    assert.deepEqual(await other.ask("placesOf", "b"), [place, place]);
  });

  for (const wait of ["waitFor", "waitForSync"] as const) {
    fact(`RSV-20 ${wait}: a agent waits until this thread's fences have signaled`, async (shared) => {
      const { domain, buffer, other, kind } = shared;
      const fences = [makeLine(agentOf(domain), kind).fences(1)[0]!, makeLine(agentOf(domain), kind).fences(1)[0]!];
      addFence(buffer.reservation, fences[0]!, "write");
      addFence(buffer.reservation, fences[1]!, "read");
      assert.equal(await other.ask(wait, "b", "read", 0), "timed-out");
      fences[1]!.signal();
      assert.equal(await other.ask(wait, "b", "read", 1), "timed-out");
      const { begun, done } = other.start(wait, "b", "read");
      await begun;
      fences[0]!.signal();
      assert.equal(await done, "signaled");
      assert.equal(await other.ask(wait, "b", "read", 0), "signaled");
    });
  }

  fact("RSV-22 another agent's signaled fence is found under the lock only", async ({ buffer, other, kind }) => {
    const context = await other.ask("addFences", "b", kind, ["read"]);
    await other.ask("signal", "b read");
    assert.deepEqual([...buffer.reservation.fences()], []);
    assert.deepEqual(places(buffer.reservation), [[context, 1, "read"]]);
  });
}
