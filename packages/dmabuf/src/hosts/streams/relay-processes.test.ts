/** A stream between hosts whose agents are processes of their own: this one is a member of each domain, and no agent. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHost, type StartedHost, type StartedHostOptions } from "../../../test/started-host.js";
import { rawFormat } from "../../index.js";
import { ProcessDomain } from "../../node/index.js";
import type { Consumer } from "../../stream/consumer.js";
import { Hosts } from "../index.js";

const LONG = { timeout: 120_000 };
const IN_TIME = { timeout: 60_000 };

interface Place {
  readonly domain: ProcessDomain;
  readonly place: string;
}

let places = 0;

function makeDomain(t: TestContext): Place {
  const place = `@dmabuf relay of processes ${process.pid} ${++places}`;
  const domain = ProcessDomain.listen(place);
  t.after(() => domain.close());
  return { domain, place };
}

/** An agent of a domain, and where it listens. */
async function startAgent(t: TestContext, options: StartedHostOptions): Promise<StartedHost & { address: string }> {
  const agent = startHost(t, { hostLimit: 10_000, ...options });
  const { self } = await agent.next((line) => line.self !== undefined);
  return { ...agent, address: self!.address };
}

async function kill({ child }: StartedHost): Promise<void> {
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

/** Publishes frames that say where they are from, until the test ends. */
function produce(t: TestContext, { domain }: Place, from: string): void {
  const stream = domain.createStream({ name: "camera", format: rawFormat(10_000) });
  const end = new AbortController();
  const run = async (): Promise<void> => {
    for (;;) {
      const loan = await stream.loan({ signal: end.signal });
      loan?.bytes.fill(from.charCodeAt(0));
      loan?.publish({ data: { from } });
      await pause(10, undefined, { signal: end.signal });
    }
  };
  const done = run().catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  t.after(async () => {
    end.abort();
    await done;
    stream.close();
  });
}

/** The next frames' producer. */
async function nextFrom(frames: AsyncIterator<Disposable & { readonly data: unknown; readonly bytes: Uint8Array }>) {
  const { value } = (await frames.next()) as {
    readonly value: Disposable & { data: { from: string }; bytes: Uint8Array };
  };
  using frame = value;
  const { from } = frame.data;
  assert.ok(
    frame.bytes.every((byte) => byte === from.charCodeAt(0)),
    "the frame is torn",
  );
  return from;
}

async function until(frames: Parameters<typeof nextFrom>[0], from: string): Promise<void> {
  while ((await nextFrom(frames)) !== from);
}

async function codeAtEnd(consumer: Consumer): Promise<string | undefined> {
  try {
    for await (const frame of consumer) frame.close();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

test(
  "a member finds and follows the stream of another host through its agent; with each agent that is killed the stream fails, and the next one is followed stream-relay.5",
  LONG,
  async (t) => {
    const [one, two, here] = [makeDomain(t), makeDomain(t), makeDomain(t)];
    const firstAgent = await startAgent(t, { name: "one", place: one.place });
    const secondAgent = await startAgent(t, { name: "two", place: two.place });
    const peers = [firstAgent.address, secondAgent.address];
    const agent = await startAgent(t, { name: "here", place: here.place, peers });
    const hosts = await Hosts.connect(here.domain);
    t.after(() => hosts.close());

    produce(t, one, "one");
    const stream = await hosts.findStream("camera", IN_TIME);
    t.after(() => stream.close());
    assert.equal(stream.isProducer, false);
    const consumer = stream.frames();
    assert.equal(((await consumer.next(IN_TIME))?.data as { from: string }).from, "one");
    const frames = hosts.follow<{ from: string }>("camera")[Symbol.asyncIterator]();
    t.after(() => frames.return?.());
    await until(frames, "one");

    // Another host's agent is killed: its stream is lost here.
    produce(t, two, "two");
    const lost = codeAtEnd(consumer);
    await kill(firstAgent);
    assert.equal(await lost, "ESRCH");
    await until(frames, "two");

    // This host's own agent is killed, which is the producer of what is relayed.
    const found = await hosts.findStream("camera", IN_TIME);
    t.after(() => found.close());
    const next = found.frames();
    assert.equal(((await next.next(IN_TIME))?.data as { from: string }).from, "two");
    const ended = codeAtEnd(next);
    await kill(agent);
    assert.equal(await ended, "ESRCH");
    await assert.rejects(hosts.streams(), { code: "ESRCH" });
    assert.deepEqual(hosts.list(), []);
    await startAgent(t, { name: "here", place: here.place, peers });
    const again = await Hosts.connect(here.domain);
    t.after(() => again.close());
    const others = again.follow<{ from: string }>("camera")[Symbol.asyncIterator]();
    t.after(() => others.return?.());
    await until(others, "two");
    await until(frames, "two");
  },
);
