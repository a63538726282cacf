/** A paged buffer's filler in one agent, those that touch its pages in others: served, refused, slow, and ended in the middle. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { PagedBuffer } from "../../../src/index.js";
import { until } from "../../agents.js";
import type { Party, Place } from "./party.js";
import type { Filling } from "./paged-tasks.js";

const LIMIT = { timeout: 120_000 };
const PAGES = 4;

/** All have the buffer as "b": its exporter, two others, and this agent. */
async function scene(place: Place, t: TestContext, how: Filling) {
  const { domain, parties } = await place.meet(t, 3, { agents: 8, buffers: 16 });
  const [exporter, one, other] = parties as [Party, Party, Party];
  const handle = await exporter.ask("exportPaged", "b", PAGES, how);
  const watcher = domain.import(handle);
  assert.ok(watcher instanceof PagedBuffer);
  for (const party of [one, other]) await party.ask("openBuffer", "b", structuredClone(watcher.handle()));
  return { domain, exporter, one, other, watcher };
}

export function pagedCases(place: Place): void {
  test("a page that two agents touch at once is filled once, and what one writes the other reads", LIMIT, async (t) => {
    const { exporter, one, other, watcher } = await scene(place, t, "when allowed");
    const faults = [one, other].map((party) => party.start("faultPage", "b", 2));
    await Promise.all(faults.map(({ begun }) => begun));
    while ((await exporter.ask("fillsOf", "b")) === 0);
    await exporter.ask("allowFilling", "b");
    assert.deepEqual(await Promise.all(faults.map(({ done }) => done)), [2, 2]);
    assert.equal(await exporter.ask("fillsOf", "b"), 1);
    assert.equal(await one.ask("faultPage", "b", 2, 77), 2);
    assert.equal(await other.ask("faultPage", "b", 2), 77);
    assert.equal(await exporter.ask("faultPage", "b", 2), 77);
    using range = await watcher.fault(2 * 4096, 1);
    assert.equal(range.bytes[0], 77);
    assert.equal(await exporter.ask("fillsOf", "b"), 1);
  });

  test("an agent that blocks for a page is served", LIMIT, async (t) => {
    const { one, other } = await scene(place, t, "at once");
    assert.deepEqual([await one.ask("faultPageSync", "b", 3), await other.ask("faultPageSync", "b", 1)], [3, 1]);
  });

  test("the error of what fills has its code in each agent, and nothing is left of the fault", LIMIT, async (t) => {
    const { exporter, one, other } = await scene(place, t, "fails");
    for (const party of [one, other, exporter]) {
      await assert.rejects(party.ask("faultPage", "b", 0), { code: "ENODATA" });
      await assert.rejects(party.ask("pinPages", "b"), { code: "ENODATA" });
      await assert.rejects(party.ask("readPage", "b", 0), { code: "EFAULT", message: /pin\(\)/ });
    }
  });

  test("what one agent has pinned any agent uses, until that one is killed (paged-buffer.4)", LIMIT, async (t) => {
    const { exporter, one, other, watcher } = await scene(place, t, "at once");
    await assert.rejects(other.ask("readPage", "b", 1), { code: "EFAULT" });
    await one.ask("pinPages", "b");
    assert.deepEqual(await Promise.all([exporter, other].map((party) => party.ask("readPage", "b", 3))), [3, 3]);
    await one[Symbol.asyncDispose]();
    await until(() => !watcher.isPinned);
    await assert.rejects(other.ask("readPage", "b", 1), { code: "EFAULT" });
    assert.equal(await other.ask("faultPage", "b", 1), 1);
  });

  test("an agent that is killed while it waits for a page leaves the page to the others", LIMIT, async (t) => {
    const { exporter, one, other, watcher } = await scene(place, t, "when allowed");
    const faults = [one.start("faultPage", "b", 1), one.start("pinPages", "b")];
    for (const { begun, done } of faults) {
      done.catch(() => {});
      await begun;
    }
    while ((await exporter.ask("fillsOf", "b")) === 0);
    await one[Symbol.asyncDispose]();
    await exporter.ask("allowFilling", "b");
    assert.equal(await other.ask("faultPage", "b", 1), 1);
    await until(() => !watcher.isPinned);
  });

  test(
    "when the agent is killed that fills, what waits ends with ESRCH, and what is filled stays (paged-buffer.6)",
    LIMIT,
    async (t) => {
      const { exporter, one, other } = await scene(place, t, "when allowed");
      assert.equal(await one.ask("faultPage", "b", 0, 50), 0);
      assert.equal(await other.ask("faultPage", "b", 0), 50);
      const faults = [one, other].map((party) => party.start("faultPage", "b", 1));
      await Promise.all(faults.map(({ begun }) => begun));
      while ((await exporter.ask("fillsOf", "b")) < 2);
      const failed = faults.map(({ done }) => assert.rejects(done, { code: "ESRCH" }));
      await exporter[Symbol.asyncDispose]();
      await Promise.all(failed);
      assert.equal(await one.ask("faultPage", "b", 0), 50);
      await assert.rejects(other.ask("pinPages", "b"), { code: "ESRCH" });
    },
  );
}
