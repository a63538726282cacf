/** An exporter's code in one agent, its importer in another: served, refused, slow, and ended in the middle. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { DmaBuf, JoinedDomain } from "../../../src/index.js";
import { until } from "../../agents.js";
import type { Style } from "./exporter-tasks.js";
import type { Party, Place } from "./party.js";

const LIMIT = { timeout: 60_000 };

interface Scene {
  readonly domain: JoinedDomain;
  /** Both have the buffer as "b". */
  readonly exporter: Party;
  readonly importer: Party;
  /** This agent's own holder of the buffer: it does not ask the exporter for anything. */
  readonly watcher: DmaBuf;
}

async function scene(place: Place, t: TestContext, style: Style): Promise<Scene> {
  const { domain, parties } = await place.meet(t, 2, { agents: 8, buffers: 16 });
  const [exporter, importer] = parties as [Party, Party];
  const handle = await exporter.ask("exportWithOps", "b", style);
  const watcher = domain.import(handle);
  await importer.ask("openBuffer", "b", handle);
  return { domain, exporter, importer, watcher };
}

/** The operations that have run in the exporter, as soon as they are as wanted. */
async function callsWhen(exporter: Party, wanted: (calls: readonly string[]) => boolean): Promise<readonly string[]> {
  for (;;) {
    const calls = await exporter.ask("callsOf", "b");
    if (wanted(calls)) return calls;
  }
}

const nothingHeld = { attachments: 0, readers: [], writer: undefined, pendingFences: 0 };

function held(domain: JoinedDomain): typeof nothingHeld {
  const { attachments, readers, writer, pendingFences } = domain.statistics()[0]!;
  return { attachments, readers, writer, pendingFences } as typeof nothingHeld;
}

export function exporterCases(place: Place): void {
  for (const style of ["at once", "slow"] as const) {
    for (const task of ["attachAndWrite", "attachAndWriteSync"] as const) {
      test(`an exporter that answers ${style} serves an importer in another agent (${task})`, LIMIT, async (t) => {
        const { exporter, importer, watcher } = await scene(place, t, style);
        await importer.ask(task, "b");
        assert.equal(new Uint8Array(watcher.segments[0]!.memory)[0], 7);
        const wanted =
          task === "attachAndWrite" ? ["pin", "map", "map done", "unmap", "unpin"] : ["map", "map done", "unmap"];
        assert.deepEqual(await callsWhen(exporter, ({ length }) => length >= wanted.length), wanted);
      });
    }
  }

  test("an exporter pins for a dynamic importer in another agent, and unpins", LIMIT, async (t) => {
    const { exporter, importer } = await scene(place, t, "at once");
    await importer.ask("pinAndUnpin", "b");
    assert.deepEqual(await callsWhen(exporter, ({ length }) => length >= 2), ["pin", "unpin"]);
  });

  test("an access in another agent begins and ends at the exporter, which may take its time", LIMIT, async (t) => {
    const { exporter, importer } = await scene(place, t, "slow");
    assert.equal(await importer.ask("raiseFirst", "b"), 1);
    assert.equal(await importer.ask("raiseFirst", "b"), 2);
    const calls = await callsWhen(exporter, ({ length }) => length >= 6);
    assert.deepEqual(calls, ["begin", "begin done", "end", "begin", "begin done", "end"]);
  });

  test(
    "DBF-34 an exporter whose every end fails fails none of its importers, in its agent or another",
    LIMIT,
    async (t) => {
      const { domain, exporter, importer, watcher } = await scene(place, t, "fails to end");
      const ends = ["end", "unmap", "unpin", "detach"];
      for (const party of [exporter, importer]) {
        const before = await exporter.ask("callsOf", "b");
        await party.ask("raiseFirst", "b");
        await party.ask("attachAndWrite", "b");
        await party.ask("detach", "b");
        const calls = await callsWhen(exporter, (each) => each.slice(before.length).includes("detach"));
        const ended = calls.slice(before.length).filter((call) => ends.includes(call));
        assert.deepEqual(ended, ends);
        assert.deepEqual(held(domain), nothingHeld);
      }
      for (const party of [exporter, importer]) await party.ask("closeBuffer", "b");
      watcher.close();
      await callsWhen(exporter, (each) => each.includes("release"));
      await until(() => domain.statistics().length === 0);
    },
  );

  test("an exporter that refuses is EBUSY in another agent, and the lock opens", LIMIT, async (t) => {
    const { domain, exporter, importer, watcher } = await scene(place, t, "busy");
    await assert.rejects(importer.ask("attachAndWriteSync", "b"), { code: "EBUSY" });
    await assert.rejects(importer.ask("raiseFirst", "b"), { code: "EBUSY" });
    assert.equal(watcher.reservation.isLocked, false);
    assert.equal(held(domain).writer, undefined);
    assert.deepEqual(await callsWhen(exporter, () => true), ["map", "begin"]);
  });

  for (const task of ["attachAndWrite", "attachAndWriteSync", "raiseFirst"] as const) {
    test(`an exporter that ends while it is asked gives ESRCH, and the lock opens (${task})`, LIMIT, async (t) => {
      const { domain, exporter, importer, watcher } = await scene(place, t, "never");
      const refused = assert.rejects(importer.ask(task, "b"), { code: "ESRCH" });
      if (task === "raiseFirst") await until(() => held(domain).writer !== undefined);
      await callsWhen(exporter, (calls) => calls.includes(task === "raiseFirst" ? "begin" : "map"));
      await exporter[Symbol.asyncDispose]();
      await refused;
      using lock = await watcher.reservation.lock(undefined, { timeout: 10_000 });
      assert.notEqual(lock, undefined);
      assert.equal(held(domain).writer, undefined);
    });
  }

  test("an importer that ends while it is served loses the result, and nothing of it is left", LIMIT, async (t) => {
    const { domain, exporter, importer, watcher } = await scene(place, t, "slow");
    const ended = assert.rejects(importer.ask("attachAndWrite", "b"), /has ended/);
    await callsWhen(exporter, (calls) => calls.includes("map"));
    await importer[Symbol.asyncDispose]();
    await ended;
    const lock = await watcher.reservation.lock(undefined, { timeout: 10_000 });
    lock[Symbol.dispose]();
    const calls = await callsWhen(exporter, (each) => each.includes("unpin"));
    await until(() => domain.agents.length === 2);
    assert.deepEqual(calls, ["pin", "map", "map done", "unmap", "unpin"]);
    assert.deepEqual(held(domain), nothingHeld);
  });
}
