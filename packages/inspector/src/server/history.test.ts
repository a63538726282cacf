import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DomainSnapshot } from "dmabuf/node";
import { snapshotWith } from "../../test/snapshot-with.js";
import { History } from "./history.js";

const A_TENTH = 1e8;

describe("the history of snapshots", () => {
  test("is of a minute", () => {
    const history = new History();
    for (let n = 0; n <= 700; n++) history.add(snapshot(n, ["a", "b"]));
    assert.equal(history.snapshots.length, 601);
    assert.equal(history.snapshots[0]?.at, 100 * A_TENTH);
    assert.equal(history.newest?.at, 700 * A_TENTH);
  });

  test("keeps what has not changed once, and as little of the rest as its bound says (history.1)", () => {
    const still = new History(100_000);
    const busy = new History(100_000);
    for (let n = 0; n < 500; n++) {
      still.add(snapshot(n, ["x".repeat(1000), `${n}`]));
      busy.add(snapshot(n, [`${n}`.padEnd(1000, "x")]));
    }
    assert.equal(still.snapshots.length, 500);
    assert.ok(busy.snapshots.length > 50 && busy.snapshots.length < 100, `${busy.snapshots.length} are kept`);
    assert.equal(busy.newest?.at, 499 * A_TENTH);
    // Each is whole.
    for (const { agents, at } of busy.snapshots) assert.equal(Number.parseInt(agents[0]?.name ?? ""), at / A_TENTH);
  });

  test("keeps the newest one, also if that is more than the bound, and nothing after clear()", () => {
    const history = new History(10);
    for (let n = 0; n < 3; n++) history.add(snapshot(n, [`${n}`.repeat(100)]));
    assert.equal(history.snapshots.length, 1);
    history.clear();
    assert.deepEqual(history.snapshots, []);
    assert.equal(history.newest, undefined);
  });
});

function snapshot(tenths: number, names: string[]): DomainSnapshot {
  const agents = names.map((name, identity) => ({ identity, name, state: "live" as const }));
  return snapshotWith({ at: tenths * A_TENTH, agents });
}
