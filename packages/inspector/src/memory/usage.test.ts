import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotBuffer, SnapshotCopy } from "dmabuf/node";
import { snapshotWith } from "../../test/snapshot-with.js";
import { copyRatesAt, memoryHistory, memoryIn } from "./usage.js";

function buffer(inode: number, size: number, holders: readonly number[], more: Partial<SnapshotBuffer> = {}) {
  const none = { attachments: 0, inflight: 0, pinners: [], moves: 0, readers: [], pendingFences: 0, overdueFences: 0 };
  const made = {
    inode,
    slot: inode,
    name: "",
    size,
    exporterName: "memory",
    exporter: 1,
    kind: "plain",
    holders,
  } as const;
  return { ...none, ...made, fences: [], ...more };
}

const copy = (agent: number, bytes: number): SnapshotCopy => ({ agent, why: "frame.copy()", bytes, times: 1 });
const agent = (identity: number) => ({ identity, name: `${identity}`, state: "live" }) as const;

test("a buffer counts once, and for each of its holders (usage.1)", () => {
  const usage = memoryIn(
    snapshotWith({
      agents: [agent(1), agent(2)],
      buffers: [
        buffer(10, 100, [1, 2], { stream: { stream: 0, place: 0 } }),
        buffer(11, 50, [2]),
        buffer(12, 7, [], { exporterName: "heap", exporter: 9 }),
      ],
      copies: [copy(2, 30), copy(5, 4)],
    }),
  );
  assert.equal(usage.bytes, 157);
  assert.equal(usage.unshared, 257);
  assert.equal(usage.copied, 34);
  assert.deepEqual(usage.exporters, [
    { name: "memory", buffers: 2, bytes: 150, streamBytes: 100 },
    { name: "heap", buffers: 1, bytes: 7, streamBytes: 0 },
  ]);
  assert.deepEqual(usage.agents, [
    { agent: 2, buffers: 2, held: 150, alone: 50, exported: 0, copied: 30 },
    { agent: 1, buffers: 1, held: 100, alone: 0, exported: 150, copied: 0 },
  ]);
});

test("the rate of copies is that of the last second, also of what is new", () => {
  const at = (seconds: number, copies: readonly SnapshotCopy[]) => snapshotWith({ at: seconds * 1e9, copies });
  const minute = [at(0, [copy(1, 10)]), at(1, [copy(1, 100)]), at(2, [copy(1, 300), copy(2, 40)])];
  assert.deepEqual(
    [...copyRatesAt(minute, 2)],
    [
      ["1 frame.copy() ", 200],
      ["2 frame.copy() ", 40],
    ],
  );
  assert.deepEqual([...copyRatesAt(minute, 0)], [], "it is not known yet");
});

test("the history has one value a second", () => {
  const minute = [0, 0.1, 0.9, 1, 1.5, 2].map((seconds, n) =>
    snapshotWith({ at: seconds * 1e9, buffers: [buffer(1, n + 1, [])] }),
  );
  assert.deepEqual(memoryHistory(minute, 5), [1, 4, 6]);
});
