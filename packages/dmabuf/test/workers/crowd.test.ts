/** Many workers at once, and many signals. */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, PAGE_SIZE, type BufferHandleData } from "../../src/index.js";
import { slotOf } from "../../src/domain/agent-slot.js";
import { AGENT } from "../../src/domain/layout.js";
import { createSharedSubstrate } from "../../src/substrate/shared-array.js";
import { until } from "../agents.js";
import { hire } from "./worker-party.js";

test(
  "64 agents read one buffer at the same time, see the same bytes, and the last one frees it once",
  { timeout: 120_000 },
  async () => {
    const READERS = 63;
    using domain = Domain.create({ agents: READERS + 1 });
    const memory = new SharedArrayBuffer(4 * PAGE_SIZE);
    let released = 0;
    const segment = { memory, offset: 0, length: memory.byteLength };
    const ops = { map: () => [segment], unmap() {}, release: () => void released++ };
    const buffer = domain.export([segment], { ops });
    const writing = await buffer.access("write");
    writing.bytes.forEach((_, i) => (writing.bytes[i] = (i * 7919) >>> 5));
    const expected = writing.bytes.reduce((sum, byte, i) => (sum + byte * (i + 1)) | 0, 0);
    writing[Symbol.dispose]();
    const reading = await buffer.access("read");
    const barrier = new SharedArrayBuffer(8);
    const handle: BufferHandleData = structuredClone(buffer.handle());
    const hands = Array.from({ length: READERS }, () => hire(domain, "reader", { buffer: handle, barrier }));
    try {
      const sums = await Promise.all(hands.map((hand) => hand.says<number>()));
      assert.deepEqual(new Set(sums), new Set([expected]));
      const [statistics] = domain.statistics();
      assert.deepEqual([statistics!.readers.length, statistics!.holders.length], [READERS + 1, READERS + 1]);
      assert.equal(buffer.tryAccess("write"), undefined);
      reading[Symbol.dispose]();
      buffer.close();
      assert.equal(released, 0);
      const word = createSharedSubstrate(barrier);
      word.store(0, 1);
      word.wake(0);
      await Promise.all(hands.map(({ ended }) => ended));
      await until(() => released > 0);
      assert.deepEqual([domain.statistics(), domain.agents, released], [[], ["main"], 1]);
    } finally {
      await Promise.all(hands.map((hand) => hand[Symbol.asyncDispose]()));
    }
  },
);

for (const blocking of [true, false]) {
  const how = blocking ? "blocks" : "waits from its event loop";
  test(
    `10,000 signals ring a waiter for the last one at most twice, one that ${how}`,
    { timeout: 60_000 },
    async () => {
      const SIGNALS = 10_000;
      using domain = Domain.create({ agents: 2 });
      const { memory, layout } = agentOf(domain);
      const timeline = domain.createTimeline();
      const fences = Array.from({ length: SIGNALS }, () => timeline.createFence());
      await using waiter = hire(domain, "waiter", { fence: fences.at(-1)!.handle(), blocking });
      const bell = layout.agent(slotOf(waiter.identity)) + AGENT.DOORBELL;
      assert.equal(await waiter.says(), "waiting");
      // It begins to sleep soon after it has said so.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const before = memory.load(bell);
      for (const fence of fences) fence.signal();
      assert.equal(await waiter.says(), 1);
      const rings = memory.load(bell) - before;
      assert.ok(rings >= 1 && rings <= 2, `rung ${rings} times`);
      waiter.tell("enough");
      await waiter.ended;
    },
  );
}
