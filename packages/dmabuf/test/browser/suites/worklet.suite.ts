/** An AudioWorklet as an agent: it has neither `performance` nor timers, and may not block. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, rawFormat } from "../../../src/index.js";
import type { Findings, Port } from "./processor.js";

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
  readonly AudioWorkletNode: new (context: unknown, name: string) => { readonly port: Port };
}

const { OfflineAudioContext, AudioWorkletNode } = globalThis as unknown as Sound;
const OPTIONS = { timeout: 60_000, skip: OfflineAudioContext === undefined ? "only pages have sound" : false };

test("an AudioWorklet joins, waits with and without a limit, and takes every block", OPTIONS, async () => {
  using domain = Domain.create({ agents: 4, buffers: 16, timelines: 4, oneShots: 8, streams: 2 });
  const stream = domain.createStream({ format: rawFormat(512), buffers: 3 });
  const context = new OfflineAudioContext!(1, 128, 48_000);
  await context.audioWorklet.addModule(new URL("./processor.js", import.meta.url));
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
  assert.deepEqual(await answers, {
    lacks: ["performance", "setTimeout"],
    looked: "ETIMEDOUT",
    blocked: "EOPNOTSUPP",
    waited: "ETIMEDOUT",
    invited: "EOPNOTSUPP",
    blocks: Array.from({ length: 30 }, (_, i) => i),
  });
});
