/** Area I of the conformance cases, with the fences and who looks at the buffer in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SIZE, SyncFile, type AccessMode, type DmaBuf, type JoinedDomain } from "../../../src/index.js";
import { addFence } from "../buffers.js";
import { LINE_KINDS } from "../reservation-support.js";
import type { Party, Place } from "./party.js";
import { readinessOf, type Readiness } from "./scene.js";
import { begin } from "./waiting.js";

const PATIENT = { timeout: 30_000 };
const BOTH: Readiness = { read: true, write: true };
/** What a pending fence of a reader and of a writer leaves ready. */
const PENDING: readonly (readonly [mode: AccessMode, left: Readiness])[] = [
  ["read", { read: true, write: false }],
  ["write", { read: false, write: false }],
];

interface Shared {
  readonly domain: JoinedDomain;
  readonly buffer: DmaBuf;
  /** Both have the buffer as "b". */
  readonly other: Party;
  readonly third: Party;
}

export function implicitCases(place: Place): void {
  /** Registers a fact about a buffer that three agents hold. */
  function fact(name: string, body: (shared: Shared) => Promise<void>): void {
    test(`${name} (several agents)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 2);
      const [buffer, other, third] = [domain.allocate(PAGE_SIZE), parties[0]!, parties[1]!];
      for (const party of parties) await party.ask("openBuffer", "b", buffer.handle());
      await body({ domain, buffer, other, third });
    });
  }

  for (const [mode, left] of PENDING) {
    for (const kind of LINE_KINDS) {
      const polled = mode === "read" ? "IMP-02" : "IMP-03";
      fact(`${polled} another agent's pending ${mode} fence (${kind}) is seen by polls`, async (shared) => {
        const { buffer, other, third } = shared;
        await other.ask("addFences", "b", kind, [mode]);
        assert.deepEqual(readinessOf(buffer), left);
        assert.deepEqual(await third.ask("readiness", "b"), left);
        const waiting = await begin(third.start("ready", "b", "write"));
        assert.equal(await waiting.isSettled(), false);
        await other.ask("signal", `b ${mode}`);
        assert.equal(await waiting.done, "signaled");
        assert.deepEqual(readinessOf(buffer), BOTH);
      });

      const exported = mode === "read" ? "IMP-05" : "IMP-06";
      fact(`${exported} another agent's pending ${mode} fence (${kind}) is in what is exported`, async (shared) => {
        const { domain, buffer, other, third } = shared;
        await other.ask("addFences", "b", kind, [mode]);
        const isReady = async (mode: AccessMode): Promise<boolean> =>
          domain.import(await third.ask("exportFile", "b", mode)).isReady();
        assert.deepEqual({ read: await isReady("read"), write: await isReady("write") }, left);
        await other.ask("signal", `b ${mode}`);
        assert.deepEqual({ read: await isReady("read"), write: await isReady("write") }, BOTH);
        assert.deepEqual(readinessOf(buffer), BOTH);
      });
    }

    fact(`IMP-04 a handle that is made after a ${mode} fence was added finds it`, async ({ domain, buffer, other }) => {
      const fence = addFence(domain, buffer, mode);
      await other.ask("openBuffer", "late", buffer.handle("read"));
      assert.deepEqual(await other.ask("readiness", "late"), left);
      fence.signal();
      assert.deepEqual(await other.ask("readiness", "late"), BOTH);
    });

    const imported = mode === "read" ? "IMP-08" : "IMP-09";
    fact(
      `${imported} IMP-10 a point that another agent imports to ${mode} keeps others away until then`,
      async (shared) => {
        const { domain, buffer, other, third } = shared;
        using timeline = domain.createSoftwareTimeline();
        const file = domain.createSyncFile(timeline.createFence(1)).handle();
        await other.ask("importFile", "b", mode, file);
        assert.deepEqual([readinessOf(buffer), await third.ask("readiness", "b")], [left, left]);
        await third.ask("advance", timeline.handle(), 1);
        assert.deepEqual([readinessOf(buffer), await third.ask("readiness", "b")], [BOTH, BOTH]);
      },
    );
  }

  fact("IMP-07 a sync file that was exported and sent becomes ready with its fences", async (shared) => {
    const { domain, buffer, other, third } = shared;
    const fence = addFence(domain, buffer, "write");
    const file = await other.ask("exportFile", "b", "read");
    const waiting = await begin(third.start("poll", file));
    assert.equal(await waiting.isSettled(), false);
    fence.signal();
    assert.equal(await waiting.done, "signaled");
  });

  fact("IMP-10 what was imported is done when another agent's timeline has come there", async (shared) => {
    const { domain, buffer, other, third } = shared;
    using timeline = domain.createSoftwareTimeline();
    for (const mode of ["read", "write"] as const) {
      await other.ask(
        "importFile",
        "b",
        mode,
        domain.createSyncFile(timeline.createFence(timeline.value + 1)).handle(),
      );
      const waiting = await begin(third.start("ready", "b", "write"));
      assert.equal(await waiting.isSettled(), false);
      await other.ask("advance", timeline.handle(), 1);
      assert.equal(await waiting.done, "signaled");
      assert.deepEqual(readinessOf(buffer), BOTH);
    }
  });

  fact("IMP-14 a merge of three timelines is imported elsewhere as three fences", async ({ domain, buffer, other }) => {
    const timelines = [1, 2, 3].map(() => domain.createSoftwareTimeline());
    const files = timelines.map((timeline) => domain.createSyncFile(timeline.createFence(1)));
    const merged = files.reduce((merged, file) => SyncFile.merge("merged", merged, file));
    await other.ask("importFile", "b", "write", merged.handle());
    const contexts = buffer.reservation.getFences("write").map(({ context }) => context);
    assert.deepEqual(
      contexts,
      timelines.map(({ context }) => context),
    );
    timelines[1]!.advance();
    assert.equal((await other.ask("getFences", "b", "write")).length, 2);
  });

  fact("IMP-15 an agent that looks before it writes sees the readers of others", async ({ domain, buffer, other }) => {
    assert.equal(await other.ask("isFree", "b", "write"), true);
    addFence(domain, buffer, "read");
    assert.equal(await other.ask("isFree", "b", "read"), true);
    assert.equal(await other.ask("isFree", "b", "write"), false);
  });

  for (const kind of LINE_KINDS) {
    fact(
      `IMP-18 a wait looks again after it was woken: another agent's next fence (${kind}) has come`,
      async (shared) => {
        const { buffer, other, third } = shared;
        await other.ask("addFences", "b", kind, ["write"]);
        const waiting = await begin(third.start("ready", "b", "read"));
        const waitingHere = buffer.ready("read");
        await other.ask("addFences", "b", kind, ["kernel"]);
        await other.ask("signal", "b write");
        assert.equal(await waiting.isSettled(), false);
        assert.equal(buffer.isReady("read"), false);
        await other.ask("signal", "b kernel");
        assert.deepEqual([await waiting.done, await waitingHere], ["signaled", "signaled"]);
      },
    );

    fact(`IMP-18 an access that blocks is not kept by another agent's next fence (${kind})`, async (shared) => {
      const { buffer, other, third } = shared;
      await other.ask("addFences", "b", kind, ["write"]);
      const filling = await begin(third.start("fill", "b", 7));
      assert.equal(await filling.isSettled(), false);
      await other.ask("addFences", "b", kind, ["kernel"]);
      await other.ask("signal", "b write");
      await filling.done;
      assert.equal(buffer.reservation.testFinished("read"), false);
    });
  }

  fact("IMP-17 a wait goes on although all holders are closed, and only then the buffer is freed", async (shared) => {
    const { domain, buffer, other, third } = shared;
    const fence = addFence(domain, buffer, "write");
    const waiting = await begin(other.start("ready", "b", "read"));
    for (const party of [other, third]) await party.ask("closeBuffer", "b");
    buffer.close();
    assert.equal(await waiting.isSettled(), false);
    assert.equal(domain.statistics().length, 1);
    fence.signal();
    assert.equal(await waiting.done, "signaled");
    assert.equal(domain.statistics().length, 0);
  });
}
