import assert from "node:assert/strict";
import { test } from "node:test";
import { agentOf } from "../domain-base.js";
import { createTimeline } from "../fence/timeline.js";
import { publish } from "../fence/published-fence.js";
import { addEntry } from "../../test/reservation-at.js";
import { usageLevel } from "../reservation/usage.js";
import { STREAMS, type StreamMembers } from "../stream/feature.js";
import { rawFormat } from "../stream/format.js";
import type { FrameStream } from "../stream/frame-stream.js";
import type { StreamHandleData } from "../stream/stream-handle.js";
import { createThreads, joinThreads, ThreadDomain, type ThreadEntry, type ThreadParts } from "../thread-domain.js";
import { isPending } from "../../test/agents.js";
import { BUFFER_SLOTS } from "./buffer-slot.js";
import { PLAIN_BUFFERS } from "./plain-buffers.js";
import { READ_FENCES } from "./read-fences.js";
import { sharedMemory } from "./shared-memory.js";
import { ANY_WORDS } from "../domain/segment-protocol.js";

const OPTIONS = { timeout: 10_000 };
const FORMAT = rawFormat(8);

/** A domain of streams alone. */
interface LeanDomain extends ThreadDomain, StreamMembers {
  import(handle: StreamHandleData): FrameStream;
}

/** Its constructor is not declared: it is the library's own. */
const Lean = ThreadDomain as unknown as new (entry: ThreadEntry, parts: ThreadParts) => LeanDomain;
const PARTS: ThreadParts = {
  words: ANY_WORDS,
  features: [READ_FENCES, PLAIN_BUFFERS, STREAMS],
  createCarrier: () => ({ carrier: sharedMemory }),
};

type Context = { after(cleanUp: () => unknown): void };

function twoAgents(t: Context): { mine: LeanDomain; theirs: LeanDomain } {
  const mine = new Lean(createThreads({ agents: 4, buffers: 8, timelines: 2, oneShots: 4, streams: 2 }, PARTS), PARTS);
  const theirs = new Lean(joinThreads(mine.invite(), {}, PARTS), PARTS);
  t.after(() => theirs.close());
  t.after(() => mine.close());
  return { mine, theirs };
}

function buffersOf(domain: LeanDomain): number {
  return [...BUFFER_SLOTS.live(agentOf(domain))].length;
}

test("frames go from one agent to another, and to the producer's own consumers", OPTIONS, async (t) => {
  const { mine, theirs } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 2 });
  const consumers = [theirs.import(stream.handle()).frames(), stream.frames()];
  for (let i = 0; i < 5; i++) {
    const loan = (await stream.loan())!;
    loan.bytes.fill(i);
    loan.publish({ data: i });
    for (const consumer of consumers) {
      using frame = (await consumer.next())!;
      assert.deepEqual([frame.bytes[7], frame.data, frame.sequence], [i, i, i]);
    }
  }
});

test("a frame has no buffer for its user", OPTIONS, async (t) => {
  const { mine } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT });
  using loan = await stream.loan();
  assert.throws(() => loan!.buffer, { code: "EOPNOTSUPP", message: /no buffers besides those of streams/ });
});

test("the buffers are freed when the last stream that uses them is closed, in whichever agent", OPTIONS, (t) => {
  const { mine, theirs } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 2 });
  const handle = stream.handle();
  const [one, other] = [theirs.import(handle), theirs.import(handle)];
  stream.close();
  one.close();
  assert.equal(buffersOf(mine), 2);
  other.close();
  assert.equal(buffersOf(mine), 0);
  assert.throws(() => theirs.import(handle), { code: "ESTALE" });
});

test("a handle keeps the buffers of a closed stream until it is closed", OPTIONS, (t) => {
  const { mine } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 2 });
  const handle = stream.handle();
  stream.close();
  assert.equal(buffersOf(mine), 2);
  handle.close();
  handle.close();
  assert.equal(buffersOf(mine), 0);
});

test("what an agent holds is freed when it leaves", OPTIONS, (t) => {
  const { mine, theirs } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 2 });
  theirs.import(stream.handle()).frames();
  mine.close();
  assert.equal(buffersOf(theirs), 2);
  theirs.close();
  assert.equal(buffersOf(theirs), 0);
});

test("a damaged handle is EINVAL, and holds nothing", OPTIONS, (t) => {
  const { mine, theirs } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 1 });
  const handle = stream.handle();
  const [buffer] = handle.buffers;
  for (const damage of [{ size: 1 }, { slot: 99 }, { segments: [] }, { domain: "another" }]) {
    const damaged = { ...handle, buffers: [{ ...buffer!, ...damage }] };
    assert.throws(() => theirs.import(damaged), { code: "EINVAL" });
  }
  handle.close();
  stream.close();
  assert.equal(buffersOf(mine), 0);
});

test("fences of work that writes a frame are waited for, and those of work that reads a buffer", OPTIONS, async (t) => {
  const { mine, theirs } = twoAgents(t);
  const stream = mine.createStream({ format: FORMAT, buffers: 1 });
  const consumer = theirs.import(stream.handle()).frames();
  const timeline = createTimeline(agentOf(mine), {});
  const addFence = (usage: "read" | "write"): { signal: () => void } => {
    const fence = timeline.createFence();
    addEntry(agentOf(mine), 0, { key: publish(fence), level: usageLevel(usage) });
    return { signal: () => fence.signal() };
  };
  const loan = (await stream.loan())!;
  const writing = addFence("write");
  loan.publish();
  const next = consumer.next();
  assert.equal(await isPending(next), true);
  assert.throws(() => consumer.nextSync({ timeout: 0 }), { code: "ETIMEDOUT" });
  writing.signal();
  const frame = (await next)!;
  const reading = addFence("read");
  frame.close();
  const another = stream.loan();
  assert.equal(await isPending(another), true);
  reading.signal();
  assert.equal((await another)!.publish(), 1);
});
