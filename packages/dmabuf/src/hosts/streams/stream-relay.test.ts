import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connection } from "../../../test/connection.js";
import { DmaBufError } from "../../errors.js";
import { rawFormat } from "../../index.js";
import { ProcessDomain } from "../../node/index.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import type { OnRead } from "../peers.js";
import type { Offer } from "./offers.js";
import { Relay, TRY_FOR } from "./stream-relay.js";
import { StreamSender } from "./stream-sender.js";

const LONG = { timeout: 120_000 };
const IN_TIME = { timeout: 60_000 };
const NAME = "camera";
const FORMAT = rawFormat(4_096);

interface Relayed {
  readonly source: FrameStream;
  /** The stream of the host that has it by a relay. */
  readonly stream: FrameStream;
  /** How often the other host was connected to. */
  readonly opens: () => number;
}

/** A relay of a stream, whose host refuses the first connections. */
async function relayed(t: TestContext, refusals: number): Promise<Relayed> {
  const [here, there] = [ProcessDomain.create(), ProcessDomain.create()];
  t.after(() => here.close());
  t.after(() => there.close());
  const options = { name: NAME, format: FORMAT };
  const source = there.createStream(options);
  let opens = 0;
  const open = async (_ticket: string, onread?: OnRead): Promise<Socket> => {
    if (++opens <= refusals) throw new DmaBufError("ECONNREFUSED", "The port is closed");
    const { near, far } = await connection(t, onread);
    new StreamSender(far, source, { policy: "block", after: undefined, beat: 1_000 });
    return near;
  };
  const peer = { id: "there", name: "there", ask: () => Promise.resolve({ ticket: "a ticket" }), open };
  const offer = { ...options, peer, slot: 0, generation: 1, dataBytes: 100, buffers: 4, began: 0, hasEnded: false };
  const offers = [{ ...offer, gone: new AbortController().signal } as unknown as Offer];
  const host = {
    domain: here,
    host: { warn: (message: string) => assert.fail(message) },
    limit: 10_000,
    offers: () => offers,
    hasProducer: () => false,
    mark: () => () => {},
    begin: () => () => {},
    onChange: () => () => {},
  };
  const relay = new Relay(host, NAME, () => {});
  t.after(() => relay.close());
  await relay.there(new AbortController().signal);
  const stream = await here.findStream(NAME, IN_TIME);
  t.after(() => stream.close());
  return { source, stream, opens: () => opens };
}

test(
  "a host that refuses a connection at first is connected to again, and its frames come stream-relay.6",
  LONG,
  async (t) => {
    const { source, stream, opens } = await relayed(t, 3);
    const consumer = stream.frames({ policy: "block" });
    (await source.loan(IN_TIME))!.publish({ data: "after that" });
    using frame = await consumer.next(IN_TIME);
    assert.deepEqual([frame?.sequence, frame?.data, opens()], [0, "after that", 4]);
  },
);

test(
  "a host that goes on refusing fails the stream with ESRCH, and no earlier than it says stream-relay.6",
  LONG,
  async (t) => {
    const { stream, opens } = await relayed(t, Infinity);
    const begun = performance.now();
    await assert.rejects(stream.frames().next(IN_TIME), { code: "ESRCH" });
    assert.ok(performance.now() - begun >= TRY_FOR);
    const tried = opens();
    assert.ok(tried > 1);
    // The next stream of the name has no consumer.
    await pause(500);
    assert.equal(opens(), tried);
  },
);

test("a host that refuses is not tried for a consumer that has left stream-relay.6", LONG, async (t) => {
  const { stream, opens } = await relayed(t, Infinity);
  const consumer = stream.frames();
  while (opens() === 0) await pause(1);
  consumer.close();
  await pause(500);
  const tried = opens();
  await pause(500);
  assert.equal(opens(), tried);
});
