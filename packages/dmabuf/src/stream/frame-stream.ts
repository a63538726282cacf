import {
  check,
  checkOptions,
  ERROR_CODE,
  FLAG,
  instance,
  integer,
  NAME,
  OBJECT,
  required,
  shown,
  type Kinds,
} from "../arguments.js";
import type { AllocateOptions } from "../buffer/heap.js";
import type { BufferWork, StreamBuffer } from "../buffer/stream-buffer.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { agentName, waitsFor, type Identity } from "../domain/agent-slot.js";
import { FOUND, STREAM_BUFFERS } from "../domain/layout.js";
import type { HeldUp } from "../domain/long-waits.js";
import { isLater, promiseOf } from "../domain/promised.js";
import { take, takeSync, until, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, Ending, NO_LIMIT, type WaitOptions } from "../domain/wait.js";
import { DmaBufError, ERRNO, type ErrorCode } from "../errors.js";
import { ConsumerPlace } from "./consumer-place.js";
import { CONSUMER_OPTIONS, makeConsumer, type Consumer, type ConsumerOptions } from "./consumer.js";
import { each } from "./each.js";
import type { FrameFormat } from "./format.js";
import { FrameHold } from "./frame-hold.js";
import { makeLoan, type Loan, type Publisher } from "./frame.js";
import { LoanAttempt } from "./loan-attempt.js";
import { MOST_DATA_BYTES, writeMetadata, type JsonValue } from "./metadata.js";
import { formatDamage } from "./received-format.js";
import { makeStreamHandle, type StreamHandle } from "./stream-handle.js";
import { slowMembers } from "./stream-group.js";
import type { StreamParts } from "./stream-parts.js";
import {
  consumerCount,
  endStream,
  isStream,
  leaveStream,
  publishedFrames,
  slowConsumers,
  streamEnd,
  type StreamKey,
} from "./stream-slot.js";

/** How a stream is made. */
export interface StreamOptions {
  /** How a frame's bytes are arranged: `imageFormat()`, `tensorFormat()` or `rawFormat()`. */
  readonly format: FrameFormat;
  /** For people; at most 31 bytes of UTF-8. Default "stream". */
  readonly name?: string;
  /** How many frames can be on their way or in use at the same time, from 1 to 32. Default 4. */
  readonly buffers?: number;
  /** How many bytes of JSON a frame may carry. Default 1,024. */
  readonly dataBytes?: number;
  /** Whether no agent but the producer can ever write to the frames' memory. Domains of processes have it. Default false. */
  readonly sealed?: AllocateOptions["sealed"];
  /** The name of the heap of `domain.heaps` that the frames' memory is from. Default "system". */
  readonly heap?: string;
}

const OPTIONS: Kinds<StreamOptions> = {
  format: required(OBJECT),
  name: NAME,
  buffers: integer(1, STREAM_BUFFERS),
  dataBytes: integer(0, MOST_DATA_BYTES),
  sealed: FLAG,
  heap: NAME,
};
const COUNT = integer(0);

export const DEFAULT_BUFFERS = 4;
export const DEFAULT_DATA_BYTES = 1024;

/** An end of a stream as the rest of the library knows it. */
export interface StreamEnd {
  /** The ring. */
  readonly buffers: readonly StreamBuffer[];
  /** How many bytes of JSON a frame may carry. */
  readonly dataBytes: number;
  readonly agent: Agent;
  /** Its place in the segment. */
  readonly key: StreamKey;
  /** Whether the producer has died, or has given the stream up by failing it with `ESRCH`. */
  isOrphaned(): boolean;
  /** Closes a consumer's end as soon as the frames that were taken are given back. */
  leave(): void;
  /** Closes this end as soon as the consumers that joined by it have left, which may take what there still is. */
  closeWhenLeft(): void;
  /**
   * Empties the ring of a producer that no consumer has, so that its numbers may begin anew.
   *
   * @returns False if a consumer has come, which may have seen a frame: then they may not.
   */
  restart(): boolean;
  /** As {@link FrameStream.loan}, but of a place other than the newest frame's whenever `isBeside()`. */
  loanBeside(isBeside: () => boolean, options: WaitOptions): Promise<Loan | undefined>;
}

export let endOf: (stream: FrameStream) => StreamEnd;
/** @param onClose Called once, when the end is closed. */
export let makeStream: (parts: StreamParts, isProducer: boolean, onClose: (self: FrameStream) => void) => FrameStream;

/**
 * A ring of buffers between one producer and any number of consumers. The agent that created it produces; every agent
 * that has its handle may consume, the producer's too.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4), name: "numbers" });
 * using consumer = stream.frames();
 * using loan = await stream.loan();
 * loan?.bytes.fill(7);
 * loan?.publish({ data: { note: "seven" } });
 * stream.end();
 * for await (using frame of consumer) console.log(frame.sequence, frame.bytes[0], frame.data);
 * ```
 */
export class FrameStream implements Disposable {
  /** The stream's name. */
  readonly name: string;
  /** How a frame's bytes are arranged. */
  readonly format: FrameFormat;
  /** Whether this end may produce. */
  readonly isProducer: boolean;
  readonly #parts: StreamParts;
  readonly #consumers = new Set<ConsumerPlace>();
  readonly #onClose: (self: FrameStream) => void;
  /** That of producing. */
  readonly #ending = new Ending();
  readonly #publisher: Publisher;
  /** By their places. */
  readonly #holds: FrameHold[] = [];
  /** The least number that the next frame can have. */
  #next = 0;
  /** The bit of the place that was published last; 0 before the first. */
  #newest = 0;
  #leaving = false;
  #closed = false;

  private constructor(parts: StreamParts, isProducer: boolean, onClose: (self: FrameStream) => void) {
    this.#parts = parts;
    this.#onClose = onClose;
    this.name = parts.name;
    this.format = parts.format;
    this.isProducer = isProducer;
    const { format, dataBytes } = parts;
    this.#publisher = {
      format,
      dataBytes,
      publish: (hold, timestamp, encoded, length, picture, sequence, missed) =>
        this.#publish(hold, timestamp, encoded, length, picture, sequence, missed),
    };
  }

  static {
    makeStream = (parts, isProducer, onClose) => new FrameStream(parts, isProducer, onClose);
    endOf = (stream) => ({
      get buffers() {
        return stream.#open().buffers;
      },
      get dataBytes() {
        return stream.#parts.dataBytes;
      },
      get agent() {
        return stream.#parts.agent;
      },
      get key() {
        return stream.#open().key;
      },
      isOrphaned: () => streamEnd(stream.#parts.agent, stream.#parts.key) === ERRNO.ESRCH,
      leave: () => stream.#leave(),
      restart: () => stream.#restart(),
      loanBeside: (isBeside, options) =>
        promiseOf(() => stream.#loan(options, () => (isBeside() ? stream.#newest : 0))),
      closeWhenLeft: () => {
        stream.#leaving = true;
        stream.#closeIfLeft();
      },
    });
  }

  /** Whether this end was closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether no further frame comes: it was ended or failed, its producer has left or died, or this end was closed. */
  get hasEnded(): boolean {
    return this.#closed || streamEnd(this.#parts.agent, this.#parts.key) !== undefined;
  }

  /**
   * How many frames its producer has published, with those that it has said to be missed, also if it has died since; 0 once
   * another stream has its place. Modulo 2³².
   */
  get published(): number {
    const { agent, key } = this.#parts;
    const published = publishedFrames(agent, key.slot) >>> 0;
    return isStream(agent, key) ? published : 0;
  }

  /** How many consumers have joined and not left, in all agents. */
  get consumers(): number {
    const { agent, key } = this.#parts;
    return consumerCount(agent, key);
  }

  /**
   * Names of the agents for whom the producer waits if no loan is free: those that use a frame, those whose work on one
   * is overdue, and those whose consumers may miss none (policy `"block"`) and have not taken all.
   */
  get waitsFor(): string[] {
    const { agent } = this.#open();
    return [...this.#inTheWay()].map((identity) => agentName(agent, identity));
  }

  /**
   * Waits until at least `count` consumers have joined.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EPIPE` if the stream has ended, `EBADF` if it was closed,
   *   also while the call waits; `EPERM` if this end does not produce.
   */
  async waitForConsumers(count: number, options: WaitOptions = {}): Promise<void> {
    check("FrameStream.waitForConsumers()", "count", count, COUNT);
    checkWait("FrameStream.waitForConsumers()", options);
    return take(this.#producing().agent, this.#joined(count), options, this.#ending);
  }

  /** As {@link waitForConsumers}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  waitForConsumersSync(count: number, options: { readonly timeout?: number } = {}): void {
    check("FrameStream.waitForConsumersSync()", "count", count, COUNT);
    checkWaitSync("FrameStream.waitForConsumersSync()", options);
    takeSync(this.#producing().agent, this.#joined(count), options.timeout);
  }

  *#joined(count: number): Steps<void> {
    const { agent, key, name } = this.#parts;
    const joined: WaitCondition = {
      arm: () => agent.protocol.armProducer(key.slot),
      ready: () => this.consumers >= count,
      activity: () => ({ does: "awaits-consumers", ...key, number: count }),
    };
    if (joined.ready()) return;
    this.#ending.check();
    const few = (): string => `${this.consumers} of ${count} consumers have joined`;
    if (yield until(agent, joined, () => [`begin with stream "${name}"`, `only ${few()}`])) return;
    throw new DmaBufError("ETIMEDOUT", `Only ${few()} stream "${name}"`);
  }

  /**
   * A handle to send to another agent.
   *
   * @throws {DmaBufError} `EAGAIN` if too many handles are on their way.
   */
  handle(): StreamHandle {
    return makeStreamHandle(this.#open());
  }

  /**
   * Joins as a consumer, from the oldest frame on that the ring still holds. Iterate over the result, or take frames
   * from it one at a time. `Data` is the type of what travels with the frames, as the program says: no code checks it.
   *
   * @throws {DmaBufError} `ENOSPC` if the stream has too many consumers; `ESTALE` if it is gone.
   */
  frames<Data = JsonValue>(options: ConsumerOptions = {}): Consumer<Data> {
    checkOptions("FrameStream.frames()", options, CONSUMER_OPTIONS);
    const { policy = "block", group } = options;
    const place: ConsumerPlace = new ConsumerPlace(this.#open(), policy, group, () => {
      this.#consumers.delete(place);
      if (this.#leaving) this.#closeIfLeft();
    });
    this.#consumers.add(place);
    return makeConsumer(place, options);
  }

  /** Loans to fill and publish, one after the other, until the stream is ended. */
  loans(options: WaitOptions = {}): AsyncGenerator<Loan, void, undefined> {
    checkWait("FrameStream.loans()", options);
    return each(() => this.#loan(options));
  }

  /**
   * The next loan to fill; `undefined` once the stream has ended.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `EPERM` if this end does not produce.
   */
  loan(options: WaitOptions = NO_LIMIT): Promise<Loan | undefined> {
    return promiseOf(() => {
      checkWait("FrameStream.loan()", options);
      return this.#loan(options);
    });
  }

  /** @param kept A bit for each place that is not to be had. */
  #loan(options: WaitOptions, kept?: () => number): Loan | undefined | Promise<Loan | undefined> {
    const found = this.#look(kept?.());
    if (found >= FOUND.READY) return this.#readyLoan(found - FOUND.READY);
    const { agent } = this.#parts;
    const taken = take(agent, this.#waitForLoan(found, options.timeout, kept), options, this.#ending);
    if (isLater(taken)) agent.activities?.gives(taken);
    return taken;
  }

  /**
   * As {@link loan}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if this thread itself uses all buffers.
   */
  loanSync(options: { readonly timeout?: number } = NO_LIMIT): Loan | undefined {
    checkWaitSync("FrameStream.loanSync()", options);
    const found = this.#look();
    if (found >= FOUND.READY) return this.#readyLoan(found - FOUND.READY);
    return takeSync(this.#parts.agent, this.#waitForLoan(found, options.timeout), options.timeout);
  }

  /**
   * A loan if one is free at once; else `undefined`, as once the stream has ended: `hasEnded` tells. It makes no promise and
   * sets no timer, and what happens to a stream is no exception: it is for audio and other code that must not wait.
   *
   * @throws {DmaBufError} `EPERM` if this end does not produce.
   */
  tryLoan(): Loan | undefined {
    if (this.isProducer && this.#closed) return undefined;
    const found = this.#look();
    if (found >= FOUND.READY) return this.#readyLoan(found - FOUND.READY);
    if (found === FOUND.NONE) return undefined;
    const hold = this.#attempt().tryFinished(found);
    return hold && this.#toLoan(hold);
  }

  /** The first look of a call, in one: most find a place that is ready. @returns FOUND. */
  #look(kept = 0): number {
    const { agent, key, buffers } = this.#producing();
    return agent.protocol.loan(key.slot, key.generation, buffers.length, kept, agent.identity);
  }

  #readyLoan(place: number): Loan {
    const hold = this.#holdOf(place);
    hold.taken();
    return this.#lend(hold, true);
  }

  #lend(hold: FrameHold, isUnmoved: boolean): Loan {
    this.#parts.agent.tracer?.stream("stream:loan", this.#parts, 0, hold.place);
    try {
      return makeLoan(hold, this.#publisher, isUnmoved);
    } catch (error) {
      hold.end();
      throw error;
    }
  }

  /** @param found What the first look has found. */
  *#waitForLoan(found: number, timeout?: number, kept?: () => number): Steps<Loan | undefined> {
    const heldUpBy =
      (work?: BufferWork): HeldUp =>
      () => [`get a loan of stream "${this.name}"`, this.#whyNoLoan(work)];
    const attempt = this.#attempt(kept);
    attempt.look(found);
    try {
      for (;;) {
        if (!attempt.isReady && !(yield until(this.#parts.agent, attempt, heldUpBy()))) this.#noLoan(timeout);
        const { taken } = attempt;
        if (taken === undefined) return undefined;
        // Work that still reads the buffer, by fences: its hold is ours, so no more can come.
        const { work } = taken.buffer;
        if (!attempt.isFinished && !(yield* work.signaled("read", heldUpBy(work)))) this.#noLoan(timeout, work);
        if (attempt.isFinished || !attempt.setAsideIfOverdue()) return this.#toLoan(taken);
        attempt.ready();
      }
    } catch (error) {
      attempt.taken?.end();
      // Its own end has ended the wait, and not that of the domain.
      if (this.#ending.isOver && !this.#parts.agent.ending.isOver) return undefined;
      throw error;
    }
  }

  /** Says that no further frame comes: consumers take what there is, then their loops end. */
  end(): void {
    this.#end(0);
  }

  /** As {@link end}, but the consumers' loops fail with this error after the last frame. */
  fail(code: ErrorCode): void {
    check("FrameStream.fail()", "code", code, ERROR_CODE);
    this.#end(new DmaBufError(code, "").errno);
  }

  /** Leaves the stream: a producer ends it, a consumer's frames are given back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const place of [...this.#consumers]) place.close();
    this.#ending.end(() => this.#isClosedHere());
    const { agent } = this.#parts;
    agent.tracer?.stream("stream:close", this.#parts);
    if (this.isProducer) leaveStream(agent, this.#parts.key);
    for (const buffer of this.#parts.buffers) buffer.close();
    agent.held.forgetEnded();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #restart(): boolean {
    const loans: Loan[] = [];
    for (let loan = this.tryLoan(); loan !== undefined; loan = this.tryLoan()) loans.push(loan);
    for (const loan of loans) loan.close();
    if (loans.length < this.#parts.buffers.length || this.consumers > 0) return false;
    this.#next = 0;
    this.#newest = 0;
    return true;
  }

  #leave(): void {
    this.#leaving = true;
    for (const place of [...this.#consumers]) place.held.end();
    this.#closeIfLeft();
  }

  #closeIfLeft(): void {
    if (this.#consumers.size === 0) this.close();
  }

  #end(errno: number): void {
    const { agent, key } = this.#producing();
    endStream(agent, key, errno);
    this.#ending.end(() => new DmaBufError("EPIPE", `Cannot go on waiting: stream "${this.name}" has ended`));
  }

  #attempt(kept?: () => number): LoanAttempt {
    return new LoanAttempt(this.#parts, (place) => this.#holdOf(place), kept);
  }

  #holdOf(place: number): FrameHold {
    return (this.#holds[place] ??= this.#newHold(place));
  }

  /** Apart, as a function with a closure in it makes a context at each call. */
  #newHold(place: number): FrameHold {
    // The close has given the place back.
    const what = (): string | undefined => (this.#closed ? undefined : `A loan of stream "${this.name}"`);
    return new FrameHold(this.#parts, place, "write", what);
  }

  /** @returns Nothing if the stream has ended in the turn in which the place was taken. */
  #toLoan(hold: FrameHold): Loan | undefined {
    if (!this.#ending.isOver) return this.#lend(hold, false);
    hold.end();
    return undefined;
  }

  #publish(
    hold: FrameHold,
    timestamp: number | undefined,
    data: Uint8Array | undefined,
    length?: number,
    picture?: Float64Array,
    sequence = this.#next,
    missed = 0,
  ): number {
    const { agent, key } = this.#parts;
    const now = agent.host.nowNs();
    // Its own close has given the buffer back.
    if (this.#closed) throw this.#hasEnded();
    if (sequence < this.#next) {
      const last = this.#next - 1;
      throw new DmaBufError("EINVAL", `Cannot publish the frame with number ${sequence}: the last one had ${last}`);
    }
    writeMetadata(hold.area, sequence, timestamp ?? now, now, data, length, picture);
    if (agent.protocol.publish(key.slot, key.generation, hold.place, missed, agent.identity) === 0)
      throw this.#hasEnded();
    agent.tracer?.stream("stream:publish", this.#parts, sequence, hold.place, now);
    hold.buffer.holds.writerLeft();
    hold.end();
    this.#newest = 1 << hold.place;
    this.#next = sequence + 1;
    return sequence;
  }

  #hasEnded(): DmaBufError {
    return new DmaBufError("EPIPE", `Cannot publish the frame: stream "${this.name}" has ended`);
  }

  #producing(): StreamParts {
    if (!this.isProducer) {
      throw new DmaBufError("EPERM", `Cannot produce on stream "${this.name}": it belongs to another agent`);
    }
    return this.#open();
  }

  #open(): StreamParts {
    if (this.#closed) throw this.#isClosedHere();
    return this.#parts;
  }

  #isClosedHere(): DmaBufError {
    return new DmaBufError("EBADF", `Cannot use stream "${this.name}": it was closed here`);
  }

  #inTheWay(): Set<Identity> {
    const { agent, key, buffers } = this.#open();
    const users = buffers.flatMap(({ holds }) => holds.users());
    const overdue = buffers.flatMap(({ work }) => work.overdueWork("read")?.owners ?? []);
    return new Set([...users, ...overdue, ...slowConsumers(agent, key), ...slowMembers(agent, key)]);
  }

  #noLoan(timeout: number | undefined, work?: BufferWork): never {
    const why = this.#whyNoLoan(work);
    throw new DmaBufError("ETIMEDOUT", `No buffer of stream "${this.name}" became free in ${timeout} ms: ${why}`);
  }

  /** @param work That on the buffer which it has, and only waits for. */
  #whyNoLoan(work?: BufferWork): string {
    if (work !== undefined) return work.waitsFor("read");
    const { agent, buffers } = this.#parts;
    const overdue = buffers.map(({ work }) => work.overdueWork("read")?.describe());
    const reasons = [waitsFor(agent, this.#inTheWay()), overdue.find((text) => text !== undefined)];
    return reasons.filter((text) => text !== undefined).join("; ");
  }
}

/** What an argument `stream` must be. */
export const FRAME_STREAM = /* @__PURE__ */ instance(FrameStream);

/** @throws {RangeError} Naming the option that is out of range. @throws {TypeError} For a format that is none. */
export function checkStreamOptions(options: StreamOptions): void {
  const call = "Domain.createStream()";
  checkOptions(call, options, OPTIONS);
  const damage = formatDamage(options.format);
  if (damage === undefined) return;
  throw new TypeError(`${call}: option "format" must be one of a frame, not ${shown(options.format)}: ${damage}`);
}
