import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changeBetween, changed, shared } from "./changes.js";
import type { DomainSnapshot } from "dmabuf/node";
import { snapshotWith } from "../../test/snapshot-with.js";

describe("the change of a snapshot", () => {
  test("what says the same is the same object in the next snapshot (changes.1)", () => {
    const [first, all] = shared(undefined, snapshot(1, ["a", "b"]));
    const [second, news] = shared(first, snapshot(2, ["a", "c"]));
    assert.equal(second.agents[0], first.agents[0]);
    assert.notEqual(second.agents[1], first.agents[1]);
    assert.equal(second.tables, first.tables);
    assert.equal(second.at, 2);
    assert.ok(news < all, `${news} of ${all} bytes`);
  });

  test("holds only what is new, and the keys of what has gone", () => {
    const [first] = shared(undefined, snapshot(1, ["a", "b", "c"]));
    const [second] = shared(first, snapshot(2, ["a", "x"]));
    const { values, rows } = changeBetween(first, second);
    assert.deepEqual(values, { at: 2 });
    assert.deepEqual(rows, { agents: { set: [{ identity: 1, name: "x", state: "live" }], gone: [2] } });
  });

  test("leads from any snapshot to any later one, also as text (changes.2)", () => {
    const kept: DomainSnapshot[] = [];
    for (const [at, names] of [["a"], ["a", "b"], [], ["c", "b", "a"], ["c"]].entries()) {
      kept.push(shared(kept.at(-1), snapshot(at, names))[0]);
    }
    for (const [i, before] of [undefined, ...kept].entries()) {
      for (const after of kept.slice(Math.max(0, i - 1))) {
        const sent = JSON.parse(JSON.stringify(changeBetween(before, after))) as ReturnType<typeof changeBetween>;
        assert.deepEqual(changed(before, sent), after);
      }
    }
  });
});

function snapshot(at: number, names: string[]): DomainSnapshot {
  const agents = names.map((name, identity) => ({ identity, name, state: "live" as const }));
  return snapshotWith({ at, agents, tables: [{ name: "agents", used: 1, most: 1, slots: 64 }] });
}
