/** Worker threads that end in the middle of something, in all ways there are. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Domain, rawFormat, type StreamHandle } from "../../src/index.js";
import { until } from "../agents.js";
import { hire, type Hand } from "./worker-party.js";
import type { End, Estate, Legacy } from "./roles.js";

const ENDS: readonly End[] = [
  "returns",
  "exits",
  "throws",
  "is terminated",
  "is terminated while it blocks",
  "is terminated in a loop",
];

const PATIENT = { timeout: 60_000 };

/** Lets a victim come to its end. */
async function end(victim: Hand, way: End): Promise<void> {
  victim.tell("now");
  if (way === "is terminated while it blocks" || way === "is terminated in a loop") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (way.startsWith("is terminated")) await victim.worker.terminate();
  await victim.ended;
}

for (const way of ENDS) {
  test(`a worker that ${way} gives back all that it held, and all that wait for it go on`, PATIENT, async () => {
    using domain = Domain.create({ agents: 4, buffers: 32 });
    const [locked, written, read] = [domain.allocate(1), domain.allocate(1), domain.allocate(1)];
    const consumed = domain.createStream({ format: rawFormat(8), buffers: 1 });
    (await consumed.loan())!.publish();
    const estate = (): Estate => ({
      locked: structuredClone(locked.handle()),
      written: structuredClone(written.handle()),
      read: structuredClone(read.handle()),
    });

    await using victim = hire(domain, "victim", {
      estate: estate(),
      consumed: structuredClone(consumed.handle()),
      end: way,
    });
    const legacy = await victim.says<Legacy>();
    await using blocking = hire(domain, "blockingHeir", { estate: estate(), legacy });
    await using waiting = hire(domain, "waitingHeir", { estate: estate(), legacy });
    assert.deepEqual([await blocking.says(), await waiting.says()], ["waiting", "waiting"]);
    const loan = consumed.loan();
    const fences = [legacy.timeline, legacy.oneShot].map((handle) => domain.import(handle));
    const ends = fences.map((fence) => assert.rejects(fence.result(), { code: "ESRCH" }));

    await end(victim, way);
    const inherited = { errors: ["ESRCH", "ESRCH"], first: 0, then: "ESRCH" };
    assert.deepEqual([await blocking.says(), await waiting.says()], [inherited, inherited]);
    await Promise.all([loan, ...ends]);
    await Promise.all([blocking.ended, waiting.ended]);
    await until(() => domain.agents.length === 1);
    assert.throws(() => domain.import(legacy.sent), { code: "ESTALE" });
    consumed.close();
    assert.deepEqual(
      domain.statistics().map(({ holders, readers, writer }) => ({ holders, readers, writer })),
      Array(3).fill({ holders: ["main"], readers: [], writer: undefined }),
    );
  });
}

test("a worker that is terminated before it has joined gives its place back", PATIENT, async () => {
  using domain = Domain.create({ agents: 2 });
  for (let i = 0; i < 5; i++) {
    const worker = hire(domain, "idler", undefined);
    await worker.worker.terminate();
    await until(() => isFree(domain));
  }
  await using last = hire(domain, "idler", undefined);
  assert.equal(await last.says(), "here");
});

/** Whether there is room for one more agent. */
function isFree(domain: Domain): boolean {
  try {
    return domain.revoke(domain.invite());
  } catch {
    return false;
  }
}

describe("frame streams", () => {
  test("a consumer terminated in the middle of a frame holds up no agent", PATIENT, async () => {
    const COUNT = 40;
    using domain = Domain.create({ agents: 4, buffers: 8 });
    const stream = domain.createStream({ format: rawFormat(4096), buffers: 2 });
    const handle = (): StreamHandle => structuredClone(stream.handle());
    await using victim = hire(domain, "consumer", { stream: handle(), stopAt: 5 });
    await using one = hire(domain, "consumer", { stream: handle() });
    await using other = hire(domain, "consumer", { stream: handle() });
    await stream.waitForConsumers(3);
    const producing = (async () => {
      let sequence = 0;
      for await (const loan of stream.loans()) {
        loan.bytes.fill(sequence & 0xff);
        sequence = loan.publish() + 1;
        if (sequence === COUNT) stream.end();
      }
    })();
    assert.deepEqual([await victim.says(), await victim.says()], [0, 5]);
    // It holds frame 5: its producer cannot go on for long.
    const stopped = stream.consumers;
    await victim.worker.terminate();
    await producing;
    const all = { sequences: Array.from({ length: COUNT }, (_, i) => i), end: "ended" };
    for (const hand of [one, other]) {
      assert.equal(await hand.says(), 0);
      assert.deepEqual(await hand.says(), all);
    }
    assert.equal(stopped, 3);
    await until(() => stream.consumers === 0);
  });

  test("a producer terminated in the middle of its work ends its consumers with ESRCH", PATIENT, async () => {
    using domain = Domain.create({ agents: 4, buffers: 8 });
    await using producer = hire(domain, "producer", { bytes: 16, count: 20 });
    const handle = await producer.says<StreamHandle>();
    await using one = hire(domain, "consumer", { stream: handle });
    const consumer = domain.import(handle).frames();
    const mine = (async () => {
      let frames = 0;
      for await (using _frame of consumer) frames++;
      return frames;
    })();
    const failed = assert.rejects(mine, { code: "ESRCH", message: /its producer died/ });
    assert.equal(await producer.says(), "published");
    await producer.worker.terminate();
    await failed;
    assert.equal(await one.says(), 0);
    const { sequences, end } = await one.says<{ sequences: number[]; end: string }>();
    assert.equal(end, "ESRCH");
    assert.deepEqual(sequences, [...sequences.keys()]);
  });
});
