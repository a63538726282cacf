import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainedAgent, ExplainedParty, ExplainedThing } from "dmabuf";
import type { SnapshotWait } from "dmabuf/node";
import { waitGraphOf, type WaitGraph } from "./wait-graph.js";

function agent(name: string, state: ExplainedAgent["state"] = "live"): ExplainedAgent {
  return { name, identity: name.charCodeAt(0), state };
}

function thing(text: string, heldUpBy: readonly ExplainedParty[], more: Partial<ExplainedThing> = {}): ExplainedThing {
  return { kind: "read", text, any: false, heldUpBy, awaitedBy: [], ...more };
}

function party(who: ExplainedAgent, waitsFor: readonly ExplainedThing[] = [], more: Partial<ExplainedParty> = {}) {
  const waits = waitsFor.map((each) => ({ thing: each, blocks: false, sure: true }));
  return { agent: who, text: "holds it", waitsFor: waits, circle: false, shown: false, ...more };
}

const AT = 100e9;

function stuckIn({ nodes }: WaitGraph): string[] {
  return nodes
    .filter(({ isStuck }) => isStuck)
    .map((node) => (node.kind === "agent" ? node.agent.name : node.text))
    .sort();
}

test("each agent and each thing is there once, although the tree names it several times (wait-graph.1)", () => {
  const hand = thing("hand", [party(agent("b"))], { awaitedBy: [agent("a")] });
  const foot = thing("foot", [party(agent("a"), [hand])], { awaitedBy: [agent("c")] });
  const { nodes, edges, isStuck } = waitGraphOf({ things: [hand, foot], at: AT });
  assert.deepEqual(nodes.map(({ id }) => id).sort(), ["agent 97", "agent 98", "agent 99", "read foot", "read hand"]);
  assert.deepEqual(edges.map(({ from, to }) => `${from} > ${to}`).sort(), [
    "agent 97 > read hand",
    "agent 99 > read foot",
    "read foot > agent 97",
    "read hand > agent 98",
  ]);
  assert.equal(isStuck, false);
});

test("all that waits for a stopped agent is stuck, and nothing else (wait-graph.2)", () => {
  const hand = thing("hand", [party(agent("b", "stopped"))]);
  const foot = thing("foot", [party(agent("a"), [hand])], { awaitedBy: [agent("c")] });
  const free = thing("free", [party(agent("d"))], { awaitedBy: [agent("e")] });
  const graph = waitGraphOf({ things: [foot, free], at: AT });
  assert.deepEqual(stuckIn(graph), ["a", "b", "c", "foot", "hand"]);
  assert.deepEqual(
    graph.nodes.filter((node) => node.kind === "agent" && node.isRoot).map(({ id }) => id),
    ["agent 98"],
  );
  assert.equal(graph.edges.filter(({ isStuck }) => isStuck).length, 4);
});

test("where one holder's end is enough, all of them must be stuck (wait-graph.2)", () => {
  const holders = [party(agent("a", "stopped")), party(agent("b"))];
  const ring = (parties: readonly ExplainedParty[]) =>
    thing("ring", parties, { kind: "loan", any: true, awaitedBy: [agent("c")] });
  assert.equal(waitGraphOf({ things: [ring(holders)], at: AT }).isStuck, false);
  assert.equal(waitGraphOf({ things: [ring(holders.slice(0, 1))], at: AT }).isStuck, true);
});

test("what closes a circle is marked, and what leads to it is only stuck (wait-graph.2)", () => {
  const again = thing("mask", [party(agent("b"), [], { circle: true })]);
  const frame = thing("frame", [party(agent("a"), [again])]);
  const mask = thing("mask", [party(agent("b"), [frame])], { awaitedBy: [agent("a"), agent("c")] });
  const graph = waitGraphOf({ things: [mask], at: AT });
  const circle = [...graph.nodes, ...graph.edges].filter(({ isInCircle }) => isInCircle).map(({ id }) => id);
  assert.deepEqual(circle.sort(), [
    "agent 97",
    "agent 97 > read mask",
    "agent 98",
    "agent 98 > read frame",
    "read frame",
    "read frame > agent 97",
    "read mask",
    "read mask > agent 98",
  ]);
  assert.deepEqual(stuckIn(graph), ["a", "b", "c", "frame", "mask"]);
});

test("a long wait is stuck, but not one for frames, which is a consumer's work (wait-graph.2)", () => {
  const wait = (does: SnapshotWait["does"], text: string, since: number): SnapshotWait => ({
    ...{ agent: 97, does, text, since, blocks: false, sure: true },
  });
  const things = [
    thing("fence 1:1", [party(agent("b"))], { kind: "fence", awaitedBy: [agent("a")] }),
    thing("a frame", [party(agent("c"))], { kind: "frame", awaitedBy: [agent("a")] }),
  ];
  const waits = (since: number) => [
    wait("awaits-fence", "waits for fence 1:1", since),
    wait("awaits-frame", "waits for a frame", since),
  ];
  assert.equal(waitGraphOf({ things, at: AT }, waits(AT - 9e9)).isStuck, false);
  const graph = waitGraphOf({ things, at: AT }, waits(AT - 11e9));
  assert.deepEqual(stuckIn(graph), ["a", "fence 1:1"]);
  assert.equal(graph.edges.find(({ to }) => to === "fence fence 1:1")?.since, AT - 11e9);
});

test("an agent's claim of what it waits for is not in its way (wait-graph.3)", () => {
  const holder = party(agent("a"));
  const below = thing("frame", [holder]);
  const top = thing("frame", [party(agent("b"), [below]), holder], { awaitedBy: [agent("b")] });
  const { edges } = waitGraphOf({ things: [top], at: AT });
  assert.deepEqual(edges.map(({ from, to }) => `${from} > ${to}`).sort(), [
    "agent 98 > read frame",
    "read frame > agent 97",
  ]);
});
