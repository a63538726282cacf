import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainedParty, ExplainedThing } from "dmabuf";
import type { SnapshotWait } from "dmabuf/node";
import { isStuck } from "./stuck.js";

const AT = 100e9;

function party(state: "live" | "stopped" | "dead", more: Partial<ExplainedParty> = {}): ExplainedParty {
  const agent = { name: "camera", identity: 1024, state };
  return { agent, text: "holds it", waitsFor: [], circle: false, shown: false, ...more };
}

function thing(text: string, heldUpBy: readonly ExplainedParty[], any = false): ExplainedThing {
  return { kind: "buffer", text, any, heldUpBy, awaitedBy: [] };
}

function wait(text: string, does: SnapshotWait["does"], seconds: number): SnapshotWait {
  return { agent: 1025, does, text, since: AT - seconds * 1e9, blocks: false, sure: true };
}

function stuck(things: readonly ExplainedThing[], waits: readonly SnapshotWait[] = []): boolean {
  return isStuck({ things, at: AT }, waits, 10);
}

test("what a stopped or a dead agent holds up is stuck, and a circle, however far below: stuck.1", () => {
  assert.equal(stuck([]), false);
  assert.equal(stuck([thing('buffer "a"', [party("live")])]), false);
  for (const root of [party("stopped"), party("dead"), party("live", { circle: true })]) {
    const below = thing('buffer "b"', [root]);
    const waits = { thing: below, blocks: false, sure: true };
    assert.equal(stuck([thing('buffer "a"', [party("live", { waitsFor: [waits] })])]), true);
  }
});

test("where one party is enough, one that goes on keeps it from being stuck: stuck.1", () => {
  const parties = [party("stopped"), party("live")];
  assert.equal(stuck([thing("a free buffer", parties, true)]), false);
  assert.equal(stuck([thing("all of them", parties)]), true);
});

test("what is waited for longer than the limit is stuck, by its name or a fence of it: stuck.2", () => {
  const things = [thing('buffer "a"', [party("live", { text: 'has not signaled fence 3:1 of timeline "gpu"' })])];
  assert.equal(stuck(things, [wait('waits to read buffer "a"', "awaits-read", 9)]), false);
  assert.equal(stuck(things, [wait('waits to read buffer "a"', "awaits-read", 11)]), true);
  assert.equal(stuck(things, [wait('waits for buffer "a"', "awaits-read", 11)]), true);
  assert.equal(stuck(things, [wait('waits for buffer "b"', "awaits-read", 11)]), false);
  assert.equal(stuck(things, [wait('waits for fence 3:1 of timeline "gpu"', "awaits-fence", 11)]), true);
  assert.equal(stuck(things, [wait('holds a write access of buffer "a"', "writes", 11)]), false);
});

test("a consumer may wait for a frame for ever: stuck.2", () => {
  const things = [thing('a frame of stream "camera"', [party("live")])];
  assert.equal(stuck(things, [wait('waits for a frame of stream "camera"', "awaits-frame", 1e6)]), false);
});
