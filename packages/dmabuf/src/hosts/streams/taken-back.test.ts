import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connection } from "../../../test/connection.js";
import { rawFormat } from "../../index.js";
import { ProcessDomain } from "../../node/index.js";
import type { Loan } from "../../stream/frame.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import { encodeHeader } from "./frame-header.js";
import { StreamReceiver } from "./stream-receiver.js";
import { CREDIT, StreamSender } from "./stream-sender.js";

// Memory is given back while sockets read into it and write from it. Newer Node.js takes the views of it away then; the
// system still knows the addresses.

const LONG = { timeout: 240_000 };
const IN_TIME = { timeout: 60_000 };
const ROUNDS = 20;
/** More than the buffers of a connection hold. */
const SIZE = 7_000_000;
const BUFFERS = 3;
const OF_FRAMES = 1;
const OF_LATER = 255;
/** It is in no header. */
const LATER = Buffer.alloc(64, OF_LATER);

type Spoil = (socket: Socket) => void;

/** It says that it is closed before it is. */
const closesTooEarly: Spoil = (socket) => {
  socket.destroy = () => {
    setImmediate(() => socket.emit("close"));
    return socket;
  };
};

function domainOf(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  return domain;
}

function streamOf(domain: ProcessDomain): FrameStream {
  return domain.createStream({ name: "camera", format: rawFormat(SIZE), buffers: BUFFERS });
}

/** All buffers of a stream are someone else's now: they have new content. */
async function reuse(stream: FrameStream): Promise<readonly Loan[]> {
  const loans: Loan[] = [];
  for (let i = 0; i < BUFFERS; i++) loans.push((await stream.loan(IN_TIME))!);
  for (const { bytes } of loans) bytes.fill(OF_LATER);
  return loans;
}

/** Nothing, or some of what goes through the socket by itself; so much that it waits, if it is to be found. */
async function turns(round: number, spoil: Spoil | undefined): Promise<void> {
  if (spoil !== undefined) return pause(200);
  for (let turns = round % 8; turns > 0; turns--) await new Promise(setImmediate);
}

/** Who cuts the connection, and how. */
const CUTS = ["left", "reset", "half-closed"] as const;

/** A connection is cut while a frame comes. @returns Whether its bytes came into memory that was given back. */
async function readsOn(t: TestContext, stream: FrameStream, round: number, spoil?: Spoil): Promise<boolean> {
  const consumer = stream.frames();
  let far!: Socket;
  const receiver = new StreamReceiver({
    stream,
    dataBytes: 100,
    credits: 2,
    most: 2,
    limit: 60_000,
    open: async (onread) => {
      const ends = await connection(t, onread);
      spoil?.(ends.near);
      far = ends.far;
      return ends.near;
    },
  });
  const outcome = receiver.run();
  while (far === undefined) await pause(1);
  await once(far, "data");
  far.write(encodeHeader({ kind: "frame", length: SIZE, dataLength: 0, missed: 0, sequence: round, timestamp: 0 }));
  far.write(new Uint8Array(SIZE / 2).fill(OF_FRAMES));
  // Here, there, or in the middle of it.
  await turns(round, spoil);
  const cut = CUTS[round % CUTS.length]!;
  if (cut === "left") receiver.finish({ kind: "left" });
  else if (cut === "reset") far.resetAndDestroy();
  else far.end();
  await outcome;
  consumer.close();
  const loans = await reuse(stream);
  if (far.writable) far.write(new Uint8Array(SIZE / 4).fill(OF_FRAMES));
  await pause(spoil === undefined ? 5 : 200);
  const isUntouched = loans.every(({ bytes }) => !bytes.includes(OF_FRAMES));
  for (const loan of loans) loan.close();
  far.destroy();
  return !isUntouched;
}

test(
  "a connection that is cut in mid-frame reads nothing into blanks that are given back stream-receiver.3",
  LONG,
  async (t) => {
    const stream = streamOf(domainOf(t));
    for (let round = 0; round < ROUNDS; round++) assert.equal(await readsOn(t, stream, round), false, `round ${round}`);
    assert.equal(stream.published, 0);
  },
);

test("a blank that is given back too early is found stream-receiver.3", LONG, async (t) => {
  assert.equal(await readsOn(t, streamOf(domainOf(t)), 0, closesTooEarly), true);
});

/** A connection is cut while frames go. @returns Whether any of what was written to their memory afterwards was sent. */
async function writesOn(
  t: TestContext,
  domain: ProcessDomain,
  source: FrameStream,
  round: number,
  spoil?: Spoil,
): Promise<boolean> {
  const { near, far } = await connection(t);
  spoil?.(far);
  near.pause();
  new StreamSender(far, await domain.findStream("camera", IN_TIME), {
    policy: "block",
    after: undefined,
    beat: 60_000,
  });
  for (let i = 0; i < 2; i++) {
    using loan = (await source.loan(IN_TIME))!;
    loan.bytes.fill(OF_FRAMES);
    loan.publish();
  }
  near.write(Uint8Array.of(CREDIT, CREDIT));
  while (far.writableLength === 0) await pause(1);
  await turns(round, spoil);
  // What the system has taken, the other side still gets.
  if (round % 2 === 0) far.destroy();
  else near.write(Uint8Array.of(0));
  const loans = await reuse(source);
  let isLater = false;
  let at = 0;
  near.on("data", (chunk: Buffer) => {
    at += chunk.length;
    isLater ||= chunk.includes(LATER);
  });
  near.resume();
  if (spoil === undefined && !near.closed) await once(near, "close");
  else await pause(200);
  for (const loan of loans) loan.close();
  assert.ok(at > 0);
  return isLater;
}

test(
  "a connection that is cut in mid-frame sends nothing of frames that are given back stream-sender.2",
  LONG,
  async (t) => {
    const domain = domainOf(t);
    const source = streamOf(domain);
    for (let round = 0; round < ROUNDS; round++)
      assert.equal(await writesOn(t, domain, source, round), false, `round ${round}`);
  },
);

test("a frame that is given back too early is found stream-sender.2", LONG, async (t) => {
  const domain = domainOf(t);
  assert.equal(await writesOn(t, domain, streamOf(domain), 0, closesTooEarly), true);
});
