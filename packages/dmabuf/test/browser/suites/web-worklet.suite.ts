/** `connectWorklet()`, `joinInWorklet()`, `AudioReader` and `AudioWriter` on a thread that renders sound. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { audioFormat, Domain, type FrameStream, type StreamHandleData } from "../../../src/index.js";
import { connectWorklet, type WorkletLink } from "../../../src/web/index.js";
import { until } from "../../agents.js";
import type { Findings, Task } from "./threads/web-processor.js";

const skip = "OfflineAudioContext" in globalThis ? false : "only pages have sound";
const OPTIONS = { timeout: 60_000, skip };
const PROCESSOR = new URL("./threads/web-processor.js", import.meta.url);
const RATE = 48_000;

/** With room for one agent besides this one: what leaves its place behind leaves none. */
function createDomain(): Domain {
  return Domain.create({ agents: 2, buffers: 40, timelines: 4, oneShots: 8, streams: 2 });
}

/** A context that renders when it is told to, as fast as it can, and then is closed. */
async function offline(quanta: number): Promise<OfflineAudioContext> {
  const context = new OfflineAudioContext(2, quanta * 128, RATE);
  await context.audioWorklet.addModule(PROCESSOR);
  return context;
}

function nodeIn(context: BaseAudioContext, name = "agent"): AudioWorkletNode {
  const node = new AudioWorkletNode(context, name, { outputChannelCount: [2] });
  node.connect(context.destination);
  return node;
}

const connect = (domain: Domain, node: AudioWorkletNode, data: Task): Promise<WorkletLink> =>
  connectWorklet(domain, node, { name: "worklet", data });

function says<T>({ port }: AudioWorkletNode, message?: unknown): Promise<T> {
  const said = new Promise<T>((resolve) => (port.onmessage = ({ data }) => resolve(data as T)));
  if (message !== undefined) port.postMessage(message);
  return said;
}

/** Holds if an agent still finds a place. */
async function hasPlace(domain: Domain): Promise<void> {
  await until(() => domain.agents.length === 1);
  const link = await connect(domain, nodeIn(await offline(1)), { then: "wait" });
  assert.deepEqual(domain.agents, ["main", "worklet"]);
  link.expel();
  await link.ended;
  assert.deepEqual(domain.agents, ["main"]);
}

function audioIn(domain: Domain, buffers: number): FrameStream {
  const format = audioFormat({ channels: 2, rate: RATE, samples: 512, layout: "planar" });
  return domain.createStream({ format, buffers });
}

test("a worklet plays each sample of a stream, of which each was copied once there", OPTIONS, async () => {
  using domain = createDomain();
  const stream = audioIn(domain, 16);
  const context = await offline(32);
  const node = nodeIn(context);
  const link = await connect(domain, node, { then: "read", stream: stream.handle() });
  await stream.waitForConsumers(1);
  for (let frame = 0; frame < 8; frame++) {
    using loan = stream.tryLoan()!;
    loan.samples.forEach((samples, channel) => {
      for (let i = 0; i < 512; i++) samples[i] = ((frame * 512 + i) * (channel === 0 ? 1 : -1)) / 4096;
    });
    loan.publish();
  }
  stream.end();
  const rendered = await context.startRendering();
  for (const channel of [0, 1]) {
    const wrong = rendered.getChannelData(channel).findIndex((sample, i) => sample !== (i * (1 - 2 * channel)) / 4096);
    assert.equal(wrong, -1, `sample ${wrong} of channel ${channel}`);
  }
  // Its context is closed.
  await link.ended;
  await hasPlace(domain);
});

test("a stream that has nothing is silence, and no error; its end is seen", OPTIONS, async () => {
  using domain = createDomain();
  const stream = audioIn(domain, 4);
  const context = await offline(8);
  const node = nodeIn(context);
  await connect(domain, node, { then: "read", stream: stream.handle() });
  await stream.waitForConsumers(1);
  using loan = stream.tryLoan()!;
  loan.samples[0].fill(0.5);
  loan.publish();
  void context.suspend((6 * 128) / RATE).then(async () => {
    stream.end();
    await context.resume();
  });
  const rendered = await context.startRendering();
  const samples = rendered.getChannelData(0);
  assert.deepEqual([samples[511], samples[512], samples[1023]], [0.5, 0, 0]);
});

test("a worklet publishes what it hears, and the last frame in part", OPTIONS, async () => {
  using domain = createDomain();
  const context = await offline(30);
  const node = nodeIn(context);
  const source = new ConstantSourceNode(context, { offset: 0.25 });
  source.connect(node);
  source.start();
  const handed = says<StreamHandleData>(node);
  const link = await connect(domain, node, { then: "write" });
  const stream = domain.import(await handed);
  const consumer = stream.frames();
  await context.startRendering();
  let samples = 0;
  for (let frame = consumer.tryNext(); frame !== undefined; frame = consumer.tryNext()) {
    assert.ok(frame.samples[0].every((sample) => sample === 0.25));
    samples += frame.samples[0].length;
    frame.close();
  }
  assert.equal(samples, 7 * 512);
  // The worklet cannot end its stream any more: it was expelled.
  await link.ended;
  assert.deepEqual([consumer.tryNext(), consumer.hasEnded, consumer.error?.code], [undefined, true, "ESRCH"]);
});

describe("a worklet that has joined", () => {
  test("has ended when it leaves", OPTIONS, async () => {
    using domain = createDomain();
    const link = await connect(domain, nodeIn(await offline(1)), { then: "leave" });
    await link.ended;
    link.expel();
    await hasPlace(domain);
  });

  test("and throws is expelled", OPTIONS, async () => {
    using domain = createDomain();
    const context = await offline(100);
    const node = nodeIn(context);
    const link = await connect(domain, node, { then: "throw" });
    const failed = new Promise((resolve) => (node.onprocessorerror = resolve));
    await context.startRendering();
    await failed;
    await link.ended;
    await hasPlace(domain);
  });

  test("is expelled when its context is closed, and what it held is given back", OPTIONS, async (t) => {
    using domain = createDomain();
    const context = new AudioContext({ sampleRate: RATE });
    await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, 3000))]);
    if (context.state !== "running") return t.skip("no audio device");
    await context.audioWorklet.addModule(PROCESSOR);
    const stream = audioIn(domain, 1);
    const node = nodeIn(context);
    const link = await connect(domain, node, { then: "read", stream: stream.handle() });
    await stream.waitForConsumers(1);
    let published = 0;
    for (; published < 20; published++) {
      const loan = await stream.loan();
      loan!.publish();
    }
    await context.close();
    await link.ended;
    assert.deepEqual([domain.agents, stream.consumers], [["main"], 0]);
    assert.notEqual(await stream.loan({ timeout: 30_000 }), undefined);
    await hasPlace(domain);
  });

  test("can be expelled, once or twice", OPTIONS, async () => {
    using domain = createDomain();
    const link = await connect(domain, nodeIn(await offline(1)), { then: "wait" });
    link.expel();
    link.expel();
    await link.ended;
    await hasPlace(domain);
  });
});

describe("a worklet that does not come so far rejects, and leaves its place (introduction.2):", () => {
  test("it does not join", OPTIONS, async () => {
    using domain = createDomain();
    const node = nodeIn(await offline(1), "deaf");
    const lost = connectWorklet(domain, node, { name: "lost", limit: 300 });
    await assert.rejects(lost, { code: "ETIMEDOUT", message: /"lost": it has not joined in 300 ms/ });
    await hasPlace(domain);
  });

  test("its context is closed already", OPTIONS, async () => {
    using domain = createDomain();
    const context = await offline(1);
    const node = nodeIn(context);
    await context.startRendering();
    await assert.rejects(connectWorklet(domain, node), { code: "ECANCELED", message: /its context is closed/ });
    await hasPlace(domain);
  });

  test("its node is none", OPTIONS, async () => {
    using domain = createDomain();
    const none = {} as AudioWorkletNode;
    const message = /connectWorklet\(\): node must be an AudioWorkletNode/;
    await assert.rejects(connectWorklet(domain, none), { name: "TypeError", message });
    await hasPlace(domain);
  });
});

test("the program's own messages pass, and the invitation is none of them (introduction.1)", OPTIONS, async () => {
  using domain = createDomain();
  const node = nodeIn(await offline(1));
  const before = says<Findings>(node, "before");
  assert.deepEqual(await before, { quanta: 0, underruns: 0, dropped: 0, ended: false });
  const seen: unknown[] = [];
  node.port.onmessage = ({ data }) => seen.push(data);
  const link = await connect(domain, node, { then: "wait" });
  const after = says<Findings>(node, "after");
  assert.deepEqual([(await after).quanta, seen], [0, []]);
  link.expel();
});
