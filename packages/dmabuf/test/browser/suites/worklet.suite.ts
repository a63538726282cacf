/** An AudioWorklet as an agent: it has neither `performance` nor timers, and may not block. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, rawFormat } from "../../../src/index.js";
import type { Findings, Port } from "./threads/processor.js";

/** What pages have for sound; workers have none of it. */
interface Sound {
  readonly OfflineAudioContext?: new (
    channels: number,
    length: number,
    rate: number,
  ) => {
    readonly audioWorklet: { addModule(url: URL): Promise<void> };
    startRendering(): Promise<unknown>;
  };
  readonly AudioContext?: Playing;
  readonly AudioWorkletNode: new (context: unknown, name: string) => { readonly port: Port };
}

/** As much of the context that plays as is used. */
type Playing = new () => {
  readonly audioWorklet: { addModule(url: URL): Promise<void> };
  readonly state: string;
  close(): Promise<void>;
};

const { OfflineAudioContext, AudioContext, AudioWorkletNode } = globalThis as unknown as Sound;
const OPTIONS = { timeout: 60_000, skip: OfflineAudioContext === undefined ? "only pages have sound" : false };

test("an AudioWorklet joins, waits without a limit, and takes every block", OPTIONS, async () => {
  using domain = Domain.create({ agents: 4, buffers: 16, timelines: 4, oneShots: 8, streams: 2 });
  const stream = domain.createStream({ format: rawFormat(512), buffers: 3 });
  const context = new OfflineAudioContext!(1, 128, 48_000);
  await context.audioWorklet.addModule(new URL("./threads/processor.js", import.meta.url));
  const { port } = new AudioWorkletNode(context, "consumer");
  const answers = new Promise<Findings>((resolve) => {
    port.onmessage = ({ data }) => resolve(data as Findings);
  });
  const invitation = domain.invite({ name: "worklet" });
  port.postMessage({ invitation, handle: stream.handle() }, [invitation.port]);
  await stream.waitForConsumers(1);
  for (let block = 0; block < 30; block++) {
    const loan = (await stream.loan())!;
    loan.bytes.fill(block);
    loan.publish();
  }
  stream.end();
  const findings = await answers;
  assert.deepEqual(findings, {
    lacks: ["performance", "setTimeout"],
    // Firefox and WebKit let it.
    mayBlock: findings.mayBlock,
    looked: "ETIMEDOUT",
    blocked: findings.mayBlock ? "ETIMEDOUT" : "EOPNOTSUPP",
    invited: "EOPNOTSUPP",
    blocks: Array.from({ length: 30 }, (_, i) => i),
  });
});

test("an AudioWorklet waits with a limit", { ...OPTIONS, timeout: 10_000 }, async () => {
  using domain = Domain.create({ agents: 2, buffers: 16, timelines: 4, oneShots: 8, streams: 2 });
  const stream = domain.createStream({ format: rawFormat(512), buffers: 1 });
  const context = new OfflineAudioContext!(1, 128, 48_000);
  await context.audioWorklet.addModule(new URL("./threads/processor.js", import.meta.url));
  const { port } = new AudioWorkletNode(context, "limited");
  const answer = new Promise((resolve) => {
    port.onmessage = ({ data }) => resolve(data);
  });
  const invitation = domain.invite({ name: "worklet" });
  port.postMessage({ invitation, handle: stream.handle() }, [invitation.port]);
  // Where nothing plays, WebKit ends a timed Atomics.waitAsync() only when something else wakes the thread.
  const waking = setInterval(() => port.postMessage("wake"), 100);
  try {
    assert.equal(await answer, "ETIMEDOUT");
  } finally {
    clearInterval(waking);
  }
});

test("what an AudioWorklet held comes back by expel(), which its context's end calls for", OPTIONS, async () => {
  using domain = Domain.create({ agents: 2, buffers: 16, timelines: 4, oneShots: 8, streams: 2 });
  const stream = domain.createStream({ format: rawFormat(512), buffers: 1 });
  const context = new AudioContext!();
  await context.audioWorklet.addModule(new URL("./threads/processor.js", import.meta.url));
  const { port } = new AudioWorkletNode(context, "keeper");
  const taken = new Promise((resolve) => {
    port.onmessage = ({ data }) => resolve(data);
  });
  const invitation = domain.invite({ name: "worklet" });
  port.postMessage({ invitation, handle: stream.handle() }, [invitation.port]);
  await stream.waitForConsumers(1);
  (await stream.loan())!.publish();
  assert.equal(await taken, 0);
  await context.close();
  assert.equal(context.state, "closed");
  // No engine tells of that end.
  await assert.rejects(stream.loan({ timeout: 50 }), { code: "ETIMEDOUT" });
  assert.equal(domain.revoke(invitation), false);
  domain.expel(invitation);
  (await stream.loan())![Symbol.dispose]();
  assert.deepEqual([stream.consumers, domain.agents], [0, ["main"]]);
  // Twice does nothing, and its place is free.
  domain.expel(invitation);
  assert.ok(domain.revoke(domain.invite()));
});
