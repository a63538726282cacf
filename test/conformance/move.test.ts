/** A buffer whose exporter moves it while workers use it; movers, readers and importers that are slow, block or die. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { Domain } from "../../src/index.js";
import { until } from "../agents.js";
import type { Answer, Order, ReadStyle } from "./move.worker.js";

const LIMIT = { timeout: 90_000 };
const MOVES = 200;

/** A worker that has joined the domain. */
class Party {
  readonly worker: Worker;

  constructor(t: TestContext, domain: Domain, name: string) {
    const invitation = domain.invite({ name });
    this.worker = new Worker(new URL("./move.worker.js", import.meta.url), {
      workerData: invitation,
      transferList: [invitation.port as never],
    });
    t.after(() => this.worker.terminate());
  }

  /** Resolves with what the worker answers. */
  async order(order: Order): Promise<Answer> {
    this.worker.postMessage(order);
    return this.next();
  }

  /** Resolves with the next thing that the worker says. */
  async next(): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.worker.once("message", (message: Answer) => {
        this.worker.off("error", reject);
        resolve(message);
      });
      this.worker.once("error", reject);
    });
  }
}

/** A buffer, its exporter in one worker, and importers in others. */
async function scene(t: TestContext, count: number) {
  const domain = Domain.create({ agents: 8, buffers: 16 });
  t.after(() => domain.close());
  const exporter = new Party(t, domain, "exporter");
  const importers = Array.from({ length: count }, (_, i) => new Party(t, domain, `importer ${i}`));
  const { handle } = await exporter.order({ kind: "export" });
  const watcher = domain.import(handle!);
  await Promise.all(importers.map((importer) => importer.order({ kind: "import", handle: handle! })));
  return { domain, exporter, importers, watcher };
}

for (const styles of [
  ["wait", "block"],
  ["map", "map"],
  ["block", "map"],
] as const satisfies ReadStyle[][]) {
  test(`nobody reads old storage while it moves ${MOVES} times (readers: ${styles.join(", ")})`, LIMIT, async (t) => {
    const { exporter, importers, watcher } = await scene(t, styles.length);
    const reading = importers.map((reader, i) => reader.order({ kind: "read", until: MOVES + 1, style: styles[i]! }));
    assert.deepEqual(await exporter.order({ kind: "move", times: MOVES }), {});
    for (const answer of await Promise.all(reading)) assert.deepEqual(answer, { bad: [] });
    using access = await watcher.access("read");
    assert.equal(access.segments[0]![0], MOVES + 1);
  });
}

test("a mover that is terminated in the middle leaves the storage where it was", LIMIT, async (t) => {
  const { exporter, importers, watcher } = await scene(t, 1);
  await exporter.order({ kind: "move", times: 2 });
  await exporter.order({ kind: "move and never finish" });
  const reading = importers[0]!.order({ kind: "read", until: 3, style: "block" });
  assert.equal(watcher.tryAccess("read"), undefined);
  await exporter.worker.terminate();
  assert.deepEqual(await reading, { bad: [] });
  using access = await watcher.access("read", { timeout: 20_000 });
  assert.equal(access.segments[0]![0], 3);
  assert.equal(watcher.reservation.isLocked, false);
});

test("readers that are terminated while the buffer moves hold nothing up", LIMIT, async (t) => {
  const { domain, exporter, importers } = await scene(t, 3);
  const styles = ["wait", "block", "map"] as const;
  importers.forEach(({ worker }, i) => worker.postMessage({ kind: "read", until: MOVES + 1, style: styles[i]! }));
  const moving = exporter.order({ kind: "move", times: MOVES });
  for (const { worker } of importers) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.terminate();
  }
  assert.deepEqual(await moving, {});
  await until(() => domain.agents.length === 2);
  const { attachments, readers, writer } = domain.statistics()[0]!;
  assert.deepEqual({ attachments, readers, writer }, { attachments: 0, readers: [], writer: undefined });
});

test("a slow importer holds the move up, and is told each time", LIMIT, async (t) => {
  const { exporter, importers } = await scene(t, 1);
  await importers[0]!.order({ kind: "follow", how: "slowly" });
  const told = importers[0]!.next();
  const moving = exporter.order({ kind: "move", times: 1 });
  assert.deepEqual(await told, { told: 1 });
  assert.deepEqual(await moving, {});
});

test(
  "an importer that is terminated while it is told takes the lock along, and the move begins again",
  LIMIT,
  async (t) => {
    const { domain, exporter, importers, watcher } = await scene(t, 2);
    const [dead, alive] = importers;
    await dead!.order({ kind: "follow", how: "never" });
    await alive!.order({ kind: "follow", how: "at once" });
    const moving = exporter.order({ kind: "move", times: 1 });
    await dead!.next();
    assert.equal(watcher.reservation.isLocked, true);
    await dead!.worker.terminate();
    assert.deepEqual(await moving, {});
    assert.equal(watcher.reservation.isLocked, false);
    await until(() => domain.statistics()[0]!.attachments === 1);
  },
);

test("an importer that blocks for the lock is told of the move that has it, and goes on", LIMIT, async (t) => {
  const { exporter, importers } = await scene(t, 2);
  const [slow, blocked] = importers;
  await slow!.order({ kind: "follow", how: "slowly" });
  await blocked!.order({ kind: "follow", how: "at once" });
  const told = slow!.next();
  const moving = exporter.order({ kind: "move", times: 1 });
  await told;
  // The lock is with the slow one, and opens only when the storage has moved.
  const said: Answer[] = [];
  blocked!.worker.on("message", (message: Answer) => void said.push(message));
  blocked!.worker.postMessage({ kind: "block for the lock" });
  await until(() => said.length === 2);
  assert.deepEqual(said, [{ told: 1 }, { told: 1 }]);
  assert.deepEqual(await moving, {});
});
