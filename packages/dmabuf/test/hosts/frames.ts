/** Frames whose every word follows from their number, and what one consumer of them must see. */
import assert from "node:assert/strict";
import type { Consumer, Frame, Loan } from "../../src/index.js";
import { checkPattern, writePattern } from "../pattern.js";

/** What is with a frame. */
export interface Mark {
  /** Which producer's it is. */
  readonly epoch: number;
  /** Its number among this producer's. */
  readonly n: number;
}

/** Of a process that fills frames. It is in a frame while that is half-written. */
const WRITER = 1;

export function publishMarked(loan: Loan, { epoch, n }: Mark, between: () => void = () => {}): void {
  writePattern(loan.bytes, versionOf({ epoch, n }), WRITER, between);
  loan.publish({ data: { epoch, n } });
}

function versionOf({ epoch, n }: Mark): number {
  return (Math.imul(epoch, 1_000_003) + n) | 0;
}

/**
 * What holds for the frames of one stream, wherever its producer is:
 *
 * frames.1. No frame is torn: all its words are those of its number.
 * frames.2. No frame comes twice, and none before an earlier one.
 * frames.3. A frame has its producer's number, and what was left out is what the consumer has missed; what was left out behind a
 *      frame that was there before it joined, it may not have missed.
 */
export class FrameCheck {
  count = 0;
  last: Mark | undefined;
  readonly #consumer: Consumer<Mark>;
  #first: Mark | undefined;
  #missed = 0;
  #before = 0;
  /** When the consumer had joined, as frames have it. */
  readonly #joined = Number(process.hrtime.bigint());
  /** How many were left out behind frames that were there then. */
  #early = 0;
  #wasThere = false;
  /** The last frames, and what was missed by then. */
  readonly #history: [number, number][] = [];

  constructor(consumer: Consumer<Mark>) {
    this.#consumer = consumer;
  }

  take(frame: Frame<Mark>): void {
    const mark = frame.data!;
    assert.equal(
      checkPattern(
        frame.bytes,
        () => {},
        () => false,
      ),
      versionOf(mark),
      "frames.1: the bytes of another frame",
    );
    assert.equal(frame.sequence, mark.n, "frames.3: it has another number than its producer gave it");
    this.#first ??= mark;
    const { last } = this;
    assert.equal(mark.epoch, this.#first.epoch, "frames.2: two producers' frames are on one stream");
    if (last !== undefined) assert.ok(mark.n > last.n, `frames.2: frame ${mark.n} came after ${last.n}`);
    const { missed } = this.#consumer;
    if (last !== undefined && this.#wasThere) this.#early += mark.n - last.n - 1;
    this.#wasThere = frame.publishedAt < this.#joined;
    this.count++;
    this.last = mark;
    // What was dropped since it has joined, before its first frame.
    if (this.count === 1) this.#before = missed;
    // What was dropped behind this frame may be counted already, and not more.
    const left = mark.n - this.#first.n + 1 - this.count;
    this.#history.push([mark.n, missed]);
    const what = `frames.3 (${this.#consumer.policy}): of ${JSON.stringify(this.#history.slice(-8))} ${left} were left out`;
    assert.ok(this.#missed <= left + this.#before, `${what}, and ${this.#missed} were missed before it`);
    assert.ok(missed >= left - this.#early, `${what}, and ${missed} are missed`);
    this.#missed = missed;
  }
}
