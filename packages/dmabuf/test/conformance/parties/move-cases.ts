/**
 * A buffer whose exporter moves it while other agents use it; movers, readers and importers that are slow, block or
 * die.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { until } from "../../agents.js";
import type { ReadStyle } from "./move-tasks.js";
import type { Place } from "./party.js";

const LIMIT = { timeout: 90_000 };
const MOVES = 200;
const SIZES = { agents: 8, buffers: 16 };

/** A buffer "b", its exporter in one agent, and importers in others and here. */
async function scene(place: Place, t: TestContext, count: number) {
  const { domain, parties } = await place.meet(t, count + 1, SIZES);
  const [exporter, ...importers] = parties;
  const handle = await exporter!.ask("exportBuffer", "b");
  const watcher = domain.import(handle);
  await Promise.all(importers.map((importer) => importer.ask("openBuffer", "b", handle)));
  return { domain, exporter: exporter!, importers, watcher, handle };
}

export function moveCases(place: Place): void {
  for (const styles of [
    ["wait", "block"],
    ["map", "map"],
    ["block", "map"],
  ] as const satisfies ReadStyle[][]) {
    test(
      `no agent reads old storage while it moves ${MOVES} times (readers: ${styles.join(", ")})`,
      LIMIT,
      async (t) => {
        const { exporter, importers, watcher } = await scene(place, t, styles.length);
        const reading = importers.map((reader, i) => reader.ask("readUntil", "b", MOVES + 1, styles[i]!));
        await exporter.ask("moveOften", "b", MOVES);
        for (const bad of await Promise.all(reading)) assert.deepEqual(bad, []);
        using access = await watcher.access("read");
        assert.equal(access.segments[0]![0], MOVES + 1);
      },
    );
  }

  test("a mover that ends in the middle leaves the storage where it was", LIMIT, async (t) => {
    const { exporter, importers, watcher } = await scene(place, t, 1);
    await exporter.ask("moveOften", "b", 2);
    const moving = exporter.start("moveForEver", "b");
    const ended = assert.rejects(moving.done, /has ended/);
    await moving.begun;
    const reading = importers[0]!.ask("readUntil", "b", 3, "block");
    assert.equal(watcher.tryAccess("read"), undefined);
    await exporter[Symbol.asyncDispose]();
    await ended;
    assert.deepEqual(await reading, []);
    using access = await watcher.access("read", { timeout: 20_000 });
    assert.equal(access.segments[0]![0], 3);
    assert.equal(watcher.reservation.isLocked, false);
  });

  test("readers that end while the buffer moves hold nothing up", LIMIT, async (t) => {
    const { domain, exporter, importers } = await scene(place, t, 3);
    const styles = ["wait", "block", "map"] as const;
    const reading = importers.map((reader, i) => reader.ask("readUntil", "b", Infinity, styles[i]!));
    const ended = reading.map((each) => assert.rejects(each, /has ended/));
    const moving = exporter.ask("moveOften", "b", MOVES);
    for (const reader of importers) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await reader[Symbol.asyncDispose]();
    }
    await Promise.all(ended);
    await moving;
    await until(() => domain.agents.length === 2);
    const { attachments, readers, writer } = domain.statistics()[0]!;
    assert.deepEqual({ attachments, readers, writer }, { attachments: 0, readers: [], writer: undefined });
  });

  test("a slow importer holds the move up", LIMIT, async (t) => {
    const { domain, exporter, importers } = await scene(place, t, 1);
    const told = domain.import(await importers[0]!.ask("follow", "b", "slowly"));
    const moving = exporter.ask("moveOften", "b", 1);
    await told.wait();
    await moving;
  });

  test("an importer that ends while it is told takes the lock along, and the move begins again", LIMIT, async (t) => {
    const { domain, exporter, importers, watcher } = await scene(place, t, 2);
    const [dead, alive] = importers;
    const toldDead = domain.import(await dead!.ask("follow", "b", "never"));
    const toldAlive = domain.import(await alive!.ask("follow", "b", "at once"));
    const moving = exporter.ask("moveOften", "b", 1);
    await toldDead.wait();
    assert.equal(watcher.reservation.isLocked, true);
    await dead![Symbol.asyncDispose]();
    await moving;
    assert.equal(toldAlive.isSignaled(), true);
    assert.equal(watcher.reservation.isLocked, false);
    await until(() => domain.statistics()[0]!.attachments === 1);
  });

  test("an importer that blocks for the lock is told of the move that has it, and goes on", LIMIT, async (t) => {
    const { domain, exporter, importers } = await scene(place, t, 2);
    const [slow, blocked] = importers;
    const told = domain.import(await slow!.ask("follow", "b", "slowly"));
    const toldBlocked = domain.import(await blocked!.ask("follow", "b", "at once"));
    const moving = exporter.ask("moveOften", "b", 1);
    await told.wait();
    // The lock is with the slow one, and opens only when the storage has moved.
    await blocked!.ask("lockSync", "b");
    assert.equal(toldBlocked.isSignaled(), true);
    await blocked!.ask("unlock", "b");
    await moving;
  });

  test("a handle that was made before the moves leads to the newest storage", LIMIT, async (t) => {
    const { exporter, importers, handle } = await scene(place, t, 1);
    await importers[0]!.ask("closeBuffer", "b");
    await exporter.ask("moveOften", "b", 3);
    await importers[0]!.ask("openBuffer", "b", handle);
    assert.deepEqual(await importers[0]!.ask("readWords", "b"), [4]);
  });

  test("a handle whose importer never had the buffer leads to what a dead exporter moved last", LIMIT, async (t) => {
    const { domain, parties } = await place.meet(t, 2, SIZES);
    const [exporter, importer] = parties;
    const handle = await exporter!.ask("exportBuffer", "b");
    const watcher = domain.import(handle);
    await exporter!.ask("moveOften", "b", 3);
    await exporter![Symbol.asyncDispose]();
    await until(() => domain.agents.length === 2);
    await importer!.ask("openBuffer", "b", handle);
    assert.deepEqual(await importer!.ask("readWords", "b"), [4]);
    using access = await watcher.access("read", { timeout: 20_000 });
    assert.equal(access.segments[0]![0], 4);
  });

  test(
    "an exporter that has closed its buffer gives the memory to each agent that imports the handle",
    LIMIT,
    async (t) => {
      for (const moves of [0, 2]) {
        const { parties } = await place.meet(t, 2, SIZES);
        const [exporter, importer] = parties;
        const handle = await exporter!.ask("exportBuffer", "b");
        await exporter!.ask("moveOften", "b", moves);
        await exporter!.ask("closeBuffer", "b");
        await exporter!.ask("openBuffer", "again", handle);
        assert.deepEqual(await exporter!.ask("readWords", "again"), [moves + 1]);
        await importer!.ask("openBuffer", "b", handle);
        assert.deepEqual(await importer!.ask("readWords", "b"), [moves + 1]);
      }
    },
  );
}
