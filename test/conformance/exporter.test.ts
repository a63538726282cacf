/** An exporter's code in one worker, its importer in another: served, refused, slow, and terminated in the middle. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { Domain } from "../../src/index.js";
import { until } from "../agents.js";
import type { Answer, Order, Style } from "./exporter.worker.js";

const LIMIT = { timeout: 60_000 };

/** A worker that has joined the domain. */
class Party {
  readonly worker: Worker;

  constructor(domain: Domain, name: string) {
    const invitation = domain.invite({ name });
    this.worker = new Worker(new URL("./exporter.worker.js", import.meta.url), {
      workerData: invitation,
      transferList: [invitation.port as never],
    });
  }

  /** Resolves with what the worker answers. */
  async order(order: Order): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.worker.once("message", (message: Answer) => {
        this.worker.off("error", reject);
        resolve(message);
      });
      this.worker.once("error", reject);
    });
    this.worker.postMessage(order);
    return answer;
  }

  /** The operations that have run in this exporter, as soon as they are as wanted. */
  async until(wanted: (calls: readonly string[]) => boolean): Promise<readonly string[]> {
    for (;;) {
      const { calls } = await this.order({ kind: "calls" });
      if (wanted(calls!)) return calls!;
    }
  }
}

interface Scene {
  readonly domain: Domain;
  readonly exporter: Party;
  readonly importer: Party;
  /** The main thread's own holder of the buffer: it does not ask the exporter for anything. */
  readonly watcher: ReturnType<Domain["import"]>;
}

async function scene(t: TestContext, style: Style): Promise<Scene> {
  const domain = Domain.create({ agents: 8, buffers: 16 });
  const exporter = new Party(domain, "exporter");
  const importer = new Party(domain, "importer");
  t.after(async () => {
    await Promise.all([exporter.worker.terminate(), importer.worker.terminate()]);
    domain.close();
  });
  const { handle } = await exporter.order({ kind: "export", style });
  const watcher = domain.import(handle!);
  await importer.order({ kind: "import", handle: handle! });
  return { domain, exporter, importer, watcher };
}

const nothingHeld = { attachments: 0, readers: [], writer: undefined, pendingFences: 0 };

function held(domain: Domain): typeof nothingHeld {
  const { attachments, readers, writer, pendingFences } = domain.statistics()[0]!;
  return { attachments, readers, writer, pendingFences } as typeof nothingHeld;
}

for (const style of ["at once", "slow"] as const) {
  for (const kind of ["use", "use and block"] as const) {
    test(`an exporter that answers ${style} serves an importer in another worker (${kind})`, LIMIT, async (t) => {
      const { exporter, importer, watcher } = await scene(t, style);
      assert.deepEqual(await importer.order({ kind }), {});
      assert.equal(new Uint8Array(watcher.segments[0]!.memory)[0], 7);
      const wanted = kind === "use" ? ["pin", "map", "map done", "unmap", "unpin"] : ["map", "map done", "unmap"];
      const calls = await exporter.until(({ length }) => length >= wanted.length);
      assert.deepEqual(calls, wanted);
    });
  }
}

test("an exporter pins for a dynamic importer in another worker, and unpins", LIMIT, async (t) => {
  const { exporter, importer } = await scene(t, "at once");
  assert.deepEqual(await importer.order({ kind: "pin" }), {});
  const calls = await exporter.until(({ length }) => length >= 2);
  assert.deepEqual(calls, ["pin", "unpin"]);
});

test("an access in another worker begins and ends at the exporter, which may take its time", LIMIT, async (t) => {
  const { exporter, importer } = await scene(t, "slow");
  assert.deepEqual(await importer.order({ kind: "access" }), { first: 1 });
  assert.deepEqual(await importer.order({ kind: "access" }), { first: 2 });
  const calls = await exporter.until(({ length }) => length >= 6);
  assert.deepEqual(calls, ["begin", "begin done", "end", "begin", "begin done", "end"]);
});

test("an exporter that refuses is EBUSY in another worker, and the lock opens", LIMIT, async (t) => {
  const { domain, exporter, importer, watcher } = await scene(t, "busy");
  assert.deepEqual(await importer.order({ kind: "use and block" }), { code: "EBUSY" });
  assert.deepEqual(await importer.order({ kind: "access" }), { code: "EBUSY" });
  assert.equal(watcher.reservation.isLocked, false);
  assert.equal(held(domain).writer, undefined);
  assert.deepEqual(await exporter.until(() => true), ["map", "begin"]);
});

for (const kind of ["use", "use and block", "access"] as const) {
  test(
    `an exporter that is terminated while it is asked gives ESRCH, and the lock opens (${kind})`,
    LIMIT,
    async (t) => {
      const { domain, exporter, importer, watcher } = await scene(t, "never");
      const answer = importer.order({ kind });
      if (kind === "access") await until(() => held(domain).writer !== undefined);
      await exporter.until((calls) => calls.includes(kind === "access" ? "begin" : "map"));
      await exporter.worker.terminate();
      assert.deepEqual(await answer, { code: "ESRCH" });
      using lock = await watcher.reservation.lock(undefined, { timeout: 10_000 });
      assert.notEqual(lock, undefined);
      assert.equal(held(domain).writer, undefined);
    },
  );
}

test(
  "an importer that is terminated while it is served loses the result, and nothing of it is left",
  LIMIT,
  async (t) => {
    const { domain, exporter, importer, watcher } = await scene(t, "slow");
    await importer.order({ kind: "map for ever" });
    await exporter.until((calls) => calls.includes("map"));
    await importer.worker.terminate();
    const lock = await watcher.reservation.lock(undefined, { timeout: 10_000 });
    lock[Symbol.dispose]();
    const calls = await exporter.until((each) => each.includes("unpin"));
    await until(() => domain.agents.length === 2);
    assert.deepEqual(calls, ["pin", "map", "map done", "unmap", "unpin"]);
    assert.deepEqual(held(domain), nothingHeld);
  },
);
