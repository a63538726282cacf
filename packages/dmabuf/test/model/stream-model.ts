import assert from "node:assert/strict";
import { BufferRecord } from "../../src/buffer/buffer-record.js";
import { plainLink } from "../../src/buffer/exporter-link.js";
import { CurrentStorage } from "../../src/buffer/current-storage.js";
import { sharedMemory } from "../../src/buffer/shared-memory.js";
import { HeldBuffer } from "../../src/buffer/stream-buffer.js";
import { currentHolds } from "../../src/buffer/hold.js";
import type { Agent } from "../../src/domain/agent.js";
import { anyBit } from "../../src/domain/bits.js";
import { BUFFER_SLOTS, claimBuffer } from "../../src/buffer/buffer-slot.js";
import { CONSUMER } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/errors.js";
import type { Consumer } from "../../src/stream/consumer.js";
import { rawFormat } from "../../src/stream/format.js";
import type { Loan, Frame } from "../../src/stream/frame.js";
import { makeStream, type FrameStream } from "../../src/stream/frame-stream.js";
import { metadataOffset, metadataSize } from "../../src/stream/metadata.js";
import {
  claimStream,
  joinStream,
  leaveConsumer,
  leaveStream,
  type Policy,
  type StreamKey,
} from "../../src/stream/stream-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import { ModelMemory } from "../../src/testing/model-memory.js";
import { faulty, SOUND, type Fault, type Program, type Scenario } from "./interleavings.js";
import { stoppedReaper } from "./stopped-reaper.js";
import { TinyDomain } from "./tiny-domain.js";
import { ReservationUser } from "../../src/reservation/reservation-user.js";
import { makeBuffer } from "../../src/buffer/buffer.js";

/**
 * A frame stream of one or two buffers on the model. What frames carry is stored in words of the test, one a buffer:
 * the buffers' own bytes are no part of the model, and metadata are not looked at.
 */

export const [PRODUCER, ONE, TWO] = [0, 1, 2];
export const REAPER = TWO;
export const KEY: StreamKey = { slot: 0, generation: 1 };

export const domain = new TinyDomain({ agents: 3, buffers: 2 }, ["buffer 0 BYTES", "buffer 1 BYTES"]);
/** A frame of one byte, and its metadata. */
const SIZE = metadataOffset(1) + metadataSize(0);
export const FIRST_CONSUMER = domain.layout.stream(KEY.slot) + domain.layout.STREAM.JOINED;

/** Where the bytes of a frame or a loan are. */
export function bytesOf({ buffer }: Loan | Frame, on = domain): number {
  return on.extra(`buffer ${buffer.inode - 1} BYTES`);
}

/** What a consumer says in the end: what it has seen, and how the stream ended for it. */
export interface Seen {
  readonly frames: readonly number[];
  readonly end: string;
  /** How many it has missed. */
  readonly missed: number;
}

export function scenario(agents: Scenario["agents"], joined: readonly Policy[]): Scenario {
  return {
    prepare(memory) {
      openDomain(memory);
      for (const policy of joined) openStream(domain.agent(memory, ONE), 2).frames({ policy });
    },
    agents,
    check: (memory) => nothingIsHeld(memory),
  };
}

/** A domain with two buffers, which all agents have, and a stream. */
export function openDomain(memory: Substrate, on = domain): void {
  const { agents } = on.layout.sizes;
  on.open(memory, agents);
  const producer = on.member(memory, PRODUCER);
  for (let i = 0; i < 2; i++) {
    const key = claimBuffer(producer, { size: SIZE, name: "", exporterName: "" });
    for (let slot = 1; slot < agents; slot++) BUFFER_SLOTS.addReference(on.member(memory, slot), key);
  }
  assert.deepEqual(claimStream(producer, "", [0, 1]), KEY);
}

/** As the scenario; each consumer that has lived to the end has seen one of these. */
export function seeing(wanted: readonly (readonly number[])[], { check, ...rest }: Scenario): Scenario {
  return {
    ...rest,
    check(memory, outcome) {
      check!(memory, outcome);
      for (const result of Object.values(outcome.results)) {
        if (typeof result !== "object") continue;
        const { frames } = result as Seen;
        assert.ok(
          wanted.some((numbers) => numbers.join() === frames.join()),
          `a consumer has seen ${frames.join()}`,
        );
      }
    },
  };
}

/** A consumer joins and leaves, and may die; then all places of the slot's next stream can be taken. */
export function joinsAndDies(fault: Fault = SOUND): Scenario {
  return {
    prepare: openDomain,
    agents: [
      (memory) => {
        const member = domain.member(faulty(memory, fault), ONE);
        leaveConsumer(member, KEY.slot, joinStream(member, KEY, "block", 2).word);
      },
      // It takes the second place if the first one is taken, and leaves it.
      (memory) => {
        const member = domain.member(memory, PRODUCER);
        leaveConsumer(member, KEY.slot, joinStream(member, KEY, "newest", 2).word);
      },
    ],
    crash: { agents: [0], recover: { reaper: (memory) => domain.recover(memory, REAPER, ONE) } },
    check(memory) {
      const producer = domain.member(memory, PRODUCER);
      leaveStream(producer, KEY);
      const next = { slot: 0, generation: 2 };
      assert.deepEqual(claimStream(producer, "", []), next, "the slot is not free");
      const places = Array.from({ length: 3 }, () => joinStream(producer, next, "block", 2).word);
      const first = domain.layout.stream(0) + domain.layout.STREAM.JOINED;
      assert.deepEqual(
        places,
        [0, 1, 2].map((index) => first + index * CONSUMER.WORDS),
      );
    },
  };
}

/** A stream ends and another takes its slot, while a consumer joins the first one. */
export function joinsTooLate(fault: Fault = SOUND): Scenario {
  return {
    prepare: openDomain,
    agents: {
      producer: (memory) => leaveStream(domain.member(memory, PRODUCER), KEY),
      consumer: (memory) => failure(() => void joinStream(domain.member(faulty(memory, fault), ONE), KEY, "block", 2)),
      next: (memory) => failure(() => void claimStream(domain.member(memory, TWO), "", [])),
    },
    check(memory, { results: { consumer, next } }) {
      const isIn = consumer === undefined;
      assert.equal(memory.load(FIRST_CONSUMER + CONSUMER.OWNER) !== 0, isIn);
      if (isIn) assert.equal(next, "ENOSPC", "two streams share a slot");
    },
  };
}

/** A consumer that held the producer has died, and its reaper may be stopped. @param fault The producer's. */
export function losesConsumer(fault: Fault = SOUND): Scenario {
  const { prepare } = scenario([], ["block"]);
  const waiter = produces(2, { buffers: 1, fault });
  return { prepare: prepare!, ...stoppedReaper(domain, { waiter, slots: { dead: ONE, looker: PRODUCER } }) };
}

/** A producer has died, and its reaper may be stopped. @param fault The reaper's. */
export function losesProducer(fault: Fault = SOUND): Scenario {
  const { prepare } = scenario([], ["block"]);
  const waiter = consumes(ONE, "block", { buffers: 1 });
  return {
    prepare: prepare!,
    ...stoppedReaper(domain, { waiter, slots: { dead: PRODUCER, looker: ONE }, fault }),
    check: (_memory, { results }) => assert.deepEqual(results["waiter"], { frames: [], end: "ESRCH", missed: 0 }),
  };
}

/** The errno that something fails with, if it does. */
export function failure(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof DmaBufError) return error.code;
    throw error;
  }
}

/** Recovers an agent that has died: the first agent produces, the second one is in slot ONE. */
export function recovers(memory: Substrate, victim: number): void {
  domain.recover(memory, REAPER, victim);
}

export function nothingIsHeld(memory: Substrate, on = domain): void {
  for (const buffer of [0, 1]) {
    const { writer, readers } = currentHolds(on.member(memory, REAPER), buffer);
    assert.equal(writer, 0, `the producer still holds buffer ${buffer}`);
    assert.ok(!anyBit(memory, readers, on.layout.agentWords), `a consumer still holds buffer ${buffer}`);
  }
}

/**
 * Publishes frames 1 to `count`, but for those that are published already, and ends the stream; returns `count`.
 *
 * @param missed How many frames are lost before each.
 */
export function produces(
  count: number,
  {
    buffers = 2,
    from = 0,
    missed = 0,
    fault,
    on = domain,
  }: { buffers?: number; from?: number; missed?: number; fault?: Fault | undefined; on?: TinyDomain } = {},
): Program {
  return (memory) => {
    let published = from;
    const agent = on.agent(memory, PRODUCER, { fault, state: () => `published ${published}` });
    const stream = openStream(agent, buffers, true);
    while (published < count) {
      using loan = stream.loanSync()!;
      const bytes = bytesOf(loan, on);
      landmark(memory, `fills ${bytes} after ${published}`);
      memory.store(bytes, published + 1);
      loan.publish(missed === 0 ? undefined : { missed });
      published++;
      landmark(memory, `published ${published}`);
    }
    stream.end();
    return published;
  };
}

/** Takes the frames of a stream that it has joined before, `most` at the most. */
export function consumes(
  slot: number,
  policy: Policy,
  { buffers = 2, most = Infinity, fault = SOUND }: { buffers?: number; most?: number; fault?: Fault } = {},
): Program {
  const scratch = new ModelMemory(domain.words);
  openDomain(scratch);
  return (memory) => {
    // The join that `prepare` has made already is made here once more, where no agent sees it.
    let joining = true;
    const mark = scratch.mark();
    const frames: number[] = [];
    let consumer: Consumer | undefined = undefined;
    const agent = domain.agent(memory, slot, {
      fault: (memory) => elsewhere(scratch, () => joining)(faulty(memory, fault)),
      state: () => seenSoFar(frames, consumer),
    });
    consumer = openStream(agent, buffers).frames({ policy });
    scratch.undo(mark);
    joining = false;
    return takeFrames(memory, consumer, frames, most);
  };
}

/** Joins a stream, and takes its frames. */
export function joins(
  slot: number,
  policy: Policy,
  { buffers = 2, most = Infinity, fault = SOUND }: { buffers?: number; most?: number; fault?: Fault } = {},
): Program {
  return (memory) => {
    const frames: number[] = [];
    let consumer: Consumer | undefined = undefined;
    const agent = domain.agent(memory, slot, { fault, state: () => seenSoFar(frames, consumer) });
    consumer = openStream(agent, buffers).frames({ policy });
    return takeFrames(memory, consumer, frames, most);
  };
}

function seenSoFar(frames: readonly number[], consumer: Consumer | undefined): string {
  return `${frames.join()} missed ${consumer?.missed ?? 0}`;
}

/** Takes frames until the stream ends or there are enough, and leaves. */
function takeFrames(memory: Substrate, consumer: Consumer, frames: number[], most: number): Seen {
  let end = "left";
  try {
    while (frames.length < most) {
      using frame = consumer.nextSync();
      if (frame === undefined) {
        end = "ended";
        break;
      }
      const seen = memory.load(bytesOf(frame));
      landmark(memory, `holds ${bytesOf(frame)}: ${frames.join()} and ${seen}`);
      assert.equal(memory.load(bytesOf(frame)), seen, "a frame was written while it was held");
      frames.push(seen);
    }
  } catch (error) {
    if (!(error instanceof DmaBufError)) throw error;
    end = error.code;
  }
  landmark(memory, `leaves: ${end} after ${seenSoFar(frames, consumer)}`);
  consumer[Symbol.dispose]();
  return { frames, end, missed: consumer.missed };
}

/** The end of the stream at an agent that has its buffers. Their own bytes are this agent's alone. */
export function openStream(agent: Agent, count: number, isProducer = false): FrameStream {
  const buffers = Array.from({ length: count }, (_, slot) => {
    const storage = sharedMemory.adopt([{ memory: new ArrayBuffer(SIZE), offset: 0, length: SIZE }]);
    const owner = { carrier: sharedMemory, handleLimit: 1, closed: () => false, follow: () => {} };
    const key = { slot, generation: 1 };
    const reservation = ReservationUser.of(agent, slot);
    const known = new CurrentStorage(agent, undefined, { key, version: 0, storage });
    const record = new BufferRecord(agent, key, SIZE, known, plainLink(known), reservation, {}, owner);
    return new HeldBuffer(makeBuffer(record, "read-write"));
  });
  const parts = { agent, key: KEY, name: "", format: rawFormat(1), dataBytes: 0, buffers };
  return makeStream(parts, isProducer, () => {});
}

/** All operations go to another memory as long as `there` says so. */
export function elsewhere(other: Substrate, there: () => boolean): Fault {
  return (memory) => {
    const now = (): Substrate => (there() ? other : memory);
    return {
      ...memory,
      load: (word) => now().load(word),
      store: (word, value) => now().store(word, value),
      add: (word, amount) => now().add(word, amount),
      exchange: (word, value) => now().exchange(word, value),
      or: (word, bits) => now().or(word, bits),
      and: (word, bits) => now().and(word, bits),
      compareExchange: (word, expected, replacement) => now().compareExchange(word, expected, replacement),
      load64: (word) => now().load64(word),
      wake: (word) => now().wake(word),
    };
  };
}
