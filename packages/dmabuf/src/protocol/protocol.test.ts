import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { claimAgentSlot, isLive, ring, type Identity } from "../domain/agent-slot.js";
import { AGENT, checkSizes, Layout, type Segment } from "../domain/layout.js";
import { protocolOn, segmentOf as segmentOn } from "../domain/segment-protocol.js";
import { bufferOf } from "../substrate/atomic-words.js";
import { createSharedSubstrate } from "../substrate/shared-array.js";
import { createWasmMemory } from "../substrate/wasm-memory.js";
import { SteppedSubstrate } from "../testing/stepped-substrate.js";

function segmentOf(sizes: object, isWasm: boolean): Segment & { readonly buffer: SharedArrayBuffer } {
  const layout = new Layout(checkSizes(sizes));
  const bytes = layout.words * 4;
  const memory = isWasm ? createWasmMemory(bytes)! : new SharedArrayBuffer(bytes);
  return { ...segmentOn(createSharedSubstrate(memory), layout), buffer: bufferOf(memory) };
}

test("both builds do the same, with domains of several sizes side by side (protocol.1, protocol.3)", () => {
  for (const agents of [3, 64, 900]) {
    const states = [true, false].map((isWasm) => {
      const segment = segmentOf({ agents }, isWasm);
      const identities = Array.from({ length: agents }, (_, i) => claimAgentSlot(segment, `agent ${i}`));
      assert.ok(identities.every((identity) => isLive(segment, identity)));
      ring(segment, agents - 1);
      ring(segment, agents);
      return new Int32Array(segment.buffer).slice(0, segment.layout.words);
    });
    assert.deepEqual(states[0], states[1]);
  }
});

test("a call that ends at any of its words leaves the next one as it would be (protocol.2)", () => {
  const segment = segmentOf({ agents: 40 }, false);
  const { memory, layout } = segment;
  const array = layout.buffer(0) + layout.BUFFER.READERS;
  const bellOf = (identity: Identity): number => layout.agent(identity & 1023) + AGENT.DOORBELL;
  const identities = [0, 1, 2].map((i) => claimAgentSlot(segment, `agent ${i}`));
  for (let at = 1; at <= 8; at++) {
    const stepped = new SteppedSubstrate(memory);
    const protocol = protocolOn(stepped, layout);
    memory.store(array, 0b111);
    stepped.begin({ at });
    try {
      protocol.ringAll(array);
    } catch {
      assert.equal(stepped.isDead, true);
    }
    const before = memory.load(bellOf(identities[2]!));
    memory.store(array, 0b100);
    segment.protocol.ringAll(array);
    assert.equal(memory.load(array), 0);
    assert.equal(memory.load(bellOf(identities[2]!)), before + 1);
  }
});

test("DMABUF_WORDS=atomics takes memory that is not WebAssembly's", () => {
  const program = `
    import { Domain } from ${JSON.stringify(new URL("../index.js", import.meta.url).href)};
    using domain = Domain.create();
    console.log(Object.prototype.toString.call(domain.invite().control));
    process.exit();`.replace("using", "const");
  const kind = (words: string): string => {
    const env = { ...process.env, DMABUF_WORDS: words };
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" });
    return child.stdout.trim() || child.stderr;
  };
  assert.equal(kind("atomics"), "[object SharedArrayBuffer]");
  assert.equal(kind(""), "[object WebAssembly.Memory]");
});

test("where there is no WebAssembly at all, its JavaScript serves (protocol.1)", () => {
  const program = `
    import { Domain, rawFormat } from ${JSON.stringify(new URL("../index.js", import.meta.url).href)};
    const domain = Domain.create();
    const stream = domain.createStream({ format: rawFormat(8) });
    const consumer = stream.frames();
    const loan = await stream.loan();
    loan.bytes.fill(7);
    loan.publish();
    const frame = await consumer.next();
    const fence = domain.createTimeline().createFence();
    const before = fence.status;
    fence.signal();
    console.log(typeof WebAssembly, frame.bytes[0], before, fence.status, fence.timestamp > 0);
    process.exit();`;
  const child = spawnSync(process.execPath, ["--jitless", "--input-type=module", "-e", program], { encoding: "utf8" });
  assert.equal(child.stdout.trim(), "undefined 7 0 1 true", child.stderr);
});
