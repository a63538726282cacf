import type { WaitCondition } from "../domain/agent.js";
import { ring, slotOf } from "../domain/agent-slot.js";
import { CONSUMER } from "../domain/layout.js";
import { checkWait, checkWaitSync, countdown, Ending, type WaitOptions, type WaitTerms } from "../domain/wait.js";
import { Held } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { bufferUnder, makeFrame, type Frame } from "./frame.js";
import { readMetadata, type FrameMetadata } from "./metadata.js";
import { frameViews, streamError, type StreamParts } from "./stream-parts.js";
import {
  advanceCursor,
  armConsumer,
  frameIn,
  joinStream,
  leaveConsumer,
  producerOf,
  publishedFrames,
  streamEnd,
  type Policy,
} from "./stream-slot.js";

/** A consumer's place at a stream: all of it but the object that the user has. */
export class ConsumerPlace {
  readonly policy: Policy;
  readonly #parts: StreamParts;
  readonly #word: number;
  /** The number of the first frame that was published after the consumer had joined. */
  readonly #joinedAt: number;
  readonly #left: () => void;
  readonly #what = (): string => `A frame of stream "${this.#parts.name}"`;
  /** The place itself. */
  readonly held: Held;
  /** By their places in the ring: each is held once. */
  readonly #frames: (Held | undefined)[] = [];
  /** Taken, but not returned: a wait for their fences failed. */
  readonly #undelivered: Frame[] = [];
  /** That of waits for the fences of a frame. */
  readonly #ending = new Ending();
  /** The user's object, once for each of its waits: to wait is to use it. */
  readonly #owners: object[] = [];
  #missed = 0;
  #closed = false;

  /** @param left Called when it has left, and no frame of it is held. */
  constructor(parts: StreamParts, policy: Policy, left: () => void) {
    this.policy = policy;
    this.#parts = parts;
    this.#left = left;
    const { word, from } = joinStream(parts.agent, parts.key, this.policy, parts.buffers.length);
    this.#word = word;
    this.#joinedAt = from;
    const { agent, key, name } = parts;
    // Who took all that there was may have forgotten it without harm.
    const what = (): string | undefined =>
      streamEnd(agent, key) === undefined ? `A consumer of stream "${name}"` : undefined;
    this.held = new Held(agent.held, what, () => this.#leave());
  }

  /** How many frames were published since this consumer joined (or while it did, if it may lose frames) that it did not get. */
  get missed(): number {
    return this.#missed;
  }

  /** See `Consumer`. @param owner The user's object. */
  async next(options: WaitOptions, owner: object): Promise<Frame | undefined> {
    checkWait("Consumer.next()", options);
    this.#owners.push(owner);
    try {
      return await this.#next(options);
    } finally {
      this.#owners.pop();
    }
  }

  async #next(options: WaitOptions): Promise<Frame | undefined> {
    const { agent } = this.#parts;
    const left = countdown(agent.host, options.timeout);
    for (let limits = options; ; limits = { ...options, timeout: left() }) {
      const attempt = this.#attempt();
      if (!(await agent.wait(attempt, limits))) this.#timedOut(options.timeout);
      const frame = attempt.taken;
      if (frame === undefined) return this.#ended();
      const { work } = bufferUnder(frame)!;
      if (work.testFinished("write")) return this.#given(frame);
      const rest = (): WaitTerms => ({ ...options, timeout: left(), ending: this.#ending });
      try {
        // Work that still writes the frame, by fences.
        const fences = await work.wait("write", rest());
        if (fences === "timed-out") this.#timedOut(options.timeout);
        if (this.#passesOver(frame)) continue;
        const isFinished = await work.waitFinished("write", rest());
        if (!isFinished) this.#timedOut(options.timeout, frame);
      } catch (error) {
        this.#refused(frame);
        if (this.#closed) return undefined;
        throw error;
      }
      return this.#given(frame);
    }
  }

  /** See `Consumer`. */
  nextSync(options: { readonly timeout?: number } = {}): Frame | undefined {
    checkWaitSync("Consumer.nextSync()", options);
    const { agent } = this.#parts;
    const left = countdown(agent.host, options.timeout);
    for (let limit = options.timeout; ; limit = left()) {
      const attempt = this.#attempt();
      if (!agent.waitSync(attempt, limit)) this.#timedOut(options.timeout);
      const frame = attempt.taken;
      if (frame === undefined) return this.#ended();
      const { work } = bufferUnder(frame)!;
      if (work.testFinished("write")) return frame;
      try {
        const fences = work.waitSync("write", { timeout: left() });
        if (fences === "timed-out") this.#timedOut(options.timeout);
        if (this.#passesOver(frame)) continue;
        if (!work.waitFinishedSync("write", { timeout: left() })) this.#timedOut(options.timeout, frame);
      } catch (error) {
        this.#refused(frame);
        throw error;
      }
      return frame;
    }
  }

  /** Leaves the stream and gives all frames back. */
  close(): void {
    for (const frame of this.#frames) frame?.end();
    this.held.end();
  }

  #leave(): void {
    this.#closed = true;
    const { agent, key } = this.#parts;
    leaveConsumer(agent, key.slot, this.#word);
    this.#ending.end(() => new DmaBufError("EBADF", `Stream "${this.#parts.name}" was left`));
    // For the looks of waits of this consumer's.
    ring(agent, slotOf(agent.identity));
    if (!this.#holdsFrames) this.#left();
  }

  #attempt(): WaitCondition & { readonly taken: Frame | undefined } {
    if (this.#closed)
      throw new DmaBufError("EBADF", `Cannot take a frame of stream "${this.#parts.name}": it was left`);
    const { agent, key } = this.#parts;
    const attempt = {
      taken: undefined as Frame | undefined,
      arm: () => {
        if (this.#closed) return;
        armConsumer(agent, key.slot);
        // A wanted frame that is there already can only be under somebody's write hold. One that comes is announced;
        // and to hear of every hold that ends would wake this consumer for each frame that another gives back.
        const cursor = this.#cursor;
        for (let passed = 0; ;) {
          const wanted = this.#wanted(cursor, passed);
          if (wanted === undefined) return;
          this.#parts.buffers[wanted.place]!.holds.arm();
          passed |= 1 << wanted.place;
        }
      },
      ready: () => {
        if (this.#closed) return true;
        // The end is read first: what was published before it is then seen below.
        const end = streamEnd(agent, key);
        attempt.taken = this.#undelivered.shift() ?? this.#tryTake();
        return attempt.taken !== undefined || end !== undefined;
      },
      checkBlocking: () => this.#checkBlocking(),
    };
    return attempt;
  }

  #tryTake(): Frame | undefined {
    const { agent, key, buffers, format } = this.#parts;
    const cursor = this.#cursor;
    for (let passed = 0; ;) {
      const wanted = this.#wanted(cursor, passed);
      if (wanted === undefined) return undefined;
      const { place, number } = wanted;
      passed |= 1 << place;
      const buffer = buffers[place]!;
      const { holds } = buffer;
      if (!holds.tryTake("read")) {
        if (this.policy === "block") return undefined;
        continue;
      }
      if (frameIn(agent, key.slot, place) !== number) {
        holds.release("read");
        continue;
      }
      this.#countMissed(cursor, number);
      // SYNC POINT hold-before-cursor: a producer that no longer waits for the cursor finds the hold.
      advanceCursor(agent, key.slot, this.#word, (number + 1) | 0);
      const endUse = buffer.storage.use();
      const giveBack = (): void => {
        endUse();
        holds.release("read");
      };
      const { bytes, metadata: area } = frameViews(buffer, this.#parts);
      const metadata = this.#metadata(area, giveBack);
      const held = new Held(agent.held, this.#what, () => {
        this.#frames[place] = undefined;
        giveBack();
        if (this.#closed && !this.#holdsFrames) this.#left();
      });
      this.#frames[place] = held;
      return makeFrame(held, buffer, format, bytes, metadata);
    }
  }

  /** A frame whose metadata somebody has damaged is given back, and counts as missed; the next one is another. */
  #metadata(area: DataView, giveBack: () => void): FrameMetadata {
    try {
      return readMetadata(area);
    } catch (error) {
      giveBack();
      this.#missed++;
      throw error;
    }
  }

  /** Frames that were gone when the consumer joined, between others that were still there, it has not missed. */
  #countMissed(cursor: number, taken: number): void {
    const from = ((this.#joinedAt - cursor) | 0) > 0 ? this.#joinedAt : cursor;
    this.#missed += Math.max(0, (taken - from) | 0);
  }

  get #holdsFrames(): boolean {
    return this.#frames.some((frame) => frame !== undefined);
  }

  get #cursor(): number {
    return this.#parts.agent.memory.load(this.#word + CONSUMER.CURSOR);
  }

  /** Of the frames from the cursor on the one that this consumer wants most. @param passed A bit for each other place. */
  #wanted(cursor: number, passed: number): { readonly place: number; readonly number: number } | undefined {
    const { agent, key, buffers } = this.#parts;
    // SYNC POINT published-before-places: a place that is filled while we look might be seen without an earlier frame.
    const end = publishedFrames(agent, key.slot);
    // Most looks of a wait end here: it spins on one word.
    if (((end - cursor) | 0) <= 0) return undefined;
    const isNewest = this.policy === "newest";
    let best = -1;
    let bestNumber = 0;
    for (let place = 0; place < buffers.length; place++) {
      if (((passed >>> place) & 1) !== 0) continue;
      const number = frameIn(agent, key.slot, place);
      if (number === undefined || ((number - cursor) | 0) < 0 || ((number - end) | 0) >= 0) continue;
      if (best >= 0 && ((number - bestNumber) | 0) > 0 !== isNewest) continue;
      best = place;
      bestNumber = number;
    }
    return best < 0 ? undefined : { place: best, number: bestNumber };
  }

  /** A frame whose writing is overdue is lost to a consumer that may lose frames. One that holds the producer waits for it. */
  #passesOver(frame: Frame): boolean {
    if (this.policy === "block" || this.#closed || bufferUnder(frame)!.work.testFinished("write")) return false;
    this.#missed++;
    frame.close();
    return true;
  }

  /** @throws {DmaBufError} `EDEADLK` if there is no frame, and only this thread could publish one. */
  #checkBlocking(): void {
    const { agent, key, name } = this.#parts;
    if (producerOf(agent, key.slot) !== agent.identity || this.#wanted(this.#cursor, 0) !== undefined) return;
    throw new DmaBufError("EDEADLK", `Cannot block for a frame of stream "${name}": this thread itself produces it`);
  }

  /** Who has left meanwhile gets no frame. */
  #given(frame: Frame): Frame | undefined {
    if (!this.#closed) return frame;
    frame.close();
    return undefined;
  }

  /** A frame whose fences were not waited for to the end is the next one again, or missed if only the newest counts. */
  #refused(frame: Frame): void {
    if (this.policy !== "newest" && !this.#closed) {
      this.#undelivered.push(frame);
    } else {
      this.#missed++;
      frame.close();
    }
  }

  #ended(): undefined {
    if (this.#closed) return undefined;
    const end = streamEnd(this.#parts.agent, this.#parts.key);
    if (end !== undefined && end !== 0) throw streamError(this.#parts.name, end);
    return undefined;
  }

  /** @param frame One that is there, but is still written. */
  #timedOut(timeout: number | undefined, frame?: Frame): never {
    const overdue = frame && bufferUnder(frame)!.work.overdueWork("write")?.describe();
    const what = overdue === undefined ? "has published no frame" : "has finished no frame";
    const why = overdue === undefined ? "" : `: ${overdue}`;
    throw new DmaBufError("ETIMEDOUT", `Stream "${this.#parts.name}" ${what} in ${timeout} ms${why}`);
  }
}
