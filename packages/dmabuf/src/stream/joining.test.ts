/** A consumer joins and leaves on real shared memory, and before each of its steps another agent has a turn. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BareDomain, createMemory } from "../../test/bare-domain.js";
import { publish, takeAll } from "../../test/streams.js";
import { SteppedSubstrate } from "../testing/index.js";
import type { Consumer } from "./consumer.js";
import { rawFormat } from "./format.js";
import type { FrameStream } from "./frame-stream.js";
import type { Policy } from "./stream-slot.js";

const TIMEOUT = { timeout: 60_000 };

/** A producer whose stream holds two frames, and a consumer to be. */
class Pair {
  readonly stream: FrameStream;
  readonly theirs: FrameStream;
  readonly steps: SteppedSubstrate;

  constructor() {
    const memory = createMemory({ agents: 2, buffers: 3, timelines: 1, oneShots: 1, streams: 1 });
    this.stream = new BareDomain(memory, "producer").createStream({ format: rawFormat(1), buffers: 3 });
    this.steps = new SteppedSubstrate(memory);
    this.theirs = new BareDomain(this.steps, "consumer").import(this.stream.handle());
    this.publishAll(2);
  }

  /** Publishes frames as long as there are loans. */
  publishAll(most: number): number[] {
    const published: number[] = [];
    for (let i = 0; i < most; i++) {
      try {
        published.push(this.stream.loanSync({ timeout: 0 })!.publish());
      } catch {
        break;
      }
    }
    return published;
  }
}

/** Has a consumer join, and something happen before one of its steps; `undefined` if it has not so many. */
function joinsWith(pair: Pair, at: number, policy: Policy, happen: () => void): Consumer | undefined {
  let happened = false;
  const once = (): void => {
    happened = true;
    happen();
  };
  pair.steps.begin({ at, happen: once });
  const consumer = pair.theirs.frames({ policy });
  pair.steps.begin({});
  return happened ? consumer : undefined;
}

test("a consumer that is counted gets every frame from then on, and says that it missed none", TIMEOUT, async () => {
  let counted = 0;
  for (let at = 1; ; at++) {
    const pair = new Pair();
    let published: number[] = [];
    const consumer = joinsWith(pair, at, "block", () => {
      if (pair.stream.consumers > 0) published = pair.publishAll(6);
    });
    if (consumer === undefined) break;
    if (pair.stream.consumers > 0 && published.length > 0) counted++;
    const got = await takeAll(consumer);
    assert.deepEqual(
      published.filter((frame) => !got.includes(frame)),
      [],
      `published before step ${at}: ${published.join()}; got ${got.join()}`,
    );
    assert.equal(consumer.missed, 0);
  }
  assert.ok(counted > 0, "it was counted before its last step");
});

test("a consumer that may lose frames counts those that it has lost while it joined", TIMEOUT, async () => {
  for (const policy of ["drop-oldest", "newest"] as const) {
    for (let at = 1; ; at++) {
      const pair = new Pair();
      let published: number[] = [];
      const consumer = joinsWith(pair, at, policy, () => {
        if (pair.stream.consumers > 0) published = pair.publishAll(6);
      });
      if (consumer === undefined) break;
      const got = await takeAll(consumer);
      const lost = published.filter((frame) => !got.includes(frame)).length;
      assert.ok(consumer.missed >= lost, `before step ${at}: lost ${lost} of ${published.length}`);
    }
  }
});

test("a producer neither counts a consumer that only joins or leaves, nor waits for it", TIMEOUT, async () => {
  for (let at = 1; ; at++) {
    const pair = new Pair();
    const seen: [number, string[]][] = [];
    const look = (): void => void seen.push([pair.stream.consumers, pair.stream.waitsFor]);
    const consumer = joinsWith(pair, at, "block", look);
    if (consumer === undefined) break;
    pair.steps.begin({ at, happen: look });
    consumer[Symbol.dispose]();
    for (const [count, names] of seen) assert.deepEqual(names, count === 0 ? [] : ["consumer"]);
    assert.equal(pair.stream.consumers, 0);
    await publish(pair.stream, 3);
  }
});
