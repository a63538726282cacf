import { TIMEOUT, type Kinds } from "../../arguments.js";
import type { Agent, WaitCondition } from "../../domain/agent.js";
import { ring, slotOf } from "../../domain/agent-slot.js";
import { take, takeSync, type Steps } from "../../domain/steps.js";
import { checkWait, checkWaitSync, countdown, type WaitOptions } from "../../domain/wait.js";
import { codeOf, DmaBufError } from "../../errors.js";
import { each } from "../../stream/each.js";
import { CONSUMER_OPTIONS, type Consumer, type ConsumerOptions } from "../../stream/consumer.js";
import type { AnyFrame, Frame } from "../../stream/frame.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { StreamDirectory } from "./stream-directory.js";

/**
 * A consumer by a stream's name, which survives producers.
 *
 * follower.1. What a dead producer had published comes before anything of the next one's, and each stream is joined
 *      from the oldest frame on that its ring still holds.
 * follower.2. It leaves a stream only if that has failed with `ESRCH`: because its producer died, or gave it up by
 *      saying so. A stream's end is its end too, and any other failure is thrown.
 * follower.3. A stream that was left is not found again (stream-directory.1), for its producer is not there.
 * follower.4. Of what it leaves, only frames that are held stay, with their buffers, and go when they are given back.
 */
export interface FollowOptions extends ConsumerOptions {
  /**
   * Milliseconds for which a stream of that name is looked for: the first one, and the next one each time that a
   * producer has died. Default: no limit.
   */
  readonly findTimeout?: number;
}

export const FOLLOW: Kinds<FollowOptions> = { ...CONSUMER_OPTIONS, findTimeout: TIMEOUT };

interface Source {
  readonly stream: FrameStream;
  readonly consumer: Consumer<never>;
}

/** A stream that is looked for. */
interface Search {
  readonly there: WaitCondition;
  /** Milliseconds that it may still take. */
  readonly left: () => number;
  /** What the last one failed with. */
  readonly reason: DmaBufError | undefined;
}

/** Made by `ProcessDomain.follow()`. */
export let makeFollower: (
  agent: Agent,
  directory: StreamDirectory,
  name: string,
  options: FollowOptions,
) => Follower<never>;

/**
 * The frames of the streams of one name, one producer's after the other's: iterate over it, or take frames one at a
 * time. A frame has its own stream's format; sequence numbers begin anew with each producer, and so does what can be
 * missed. `Data` is the type of what travels with a frame.
 *
 * @example
 * ```ts
 * import { ProcessDomain } from "dmabuf/node";
 * import { rawFormat } from "dmabuf";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ name: "camera", format: rawFormat(64) });
 * using camera = domain.follow("camera", { findTimeout: 5_000 });
 * const next = camera.next();
 * using loan = await stream.loan();
 * loan?.publish();
 * using frame = await next;
 * console.log(frame?.sequence, camera.takeovers);
 * ```
 */
export class Follower<Data = JsonValue> implements AsyncIterable<Frame<Data>>, Disposable {
  /** The name of the streams that it follows. */
  readonly name: string;
  readonly #agent: Agent;
  readonly #directory: StreamDirectory;
  readonly #options: FollowOptions;
  /** Streams that were left while frames of theirs were held. */
  readonly #left = new Set<FrameStream>();
  #search: Search | undefined;
  #source: Source | undefined;
  #streams = 0;
  #missedBefore = 0;
  #taking = false;
  #closed = false;

  static {
    makeFollower = (agent, directory, name, options) => new Follower<never>(agent, directory, name, options);
  }

  private constructor(agent: Agent, directory: StreamDirectory, name: string, options: FollowOptions) {
    this.name = name;
    this.#agent = agent;
    this.#directory = directory;
    this.#options = options;
  }

  /** How often another producer has taken over: when it rises, the frame that comes is of another stream. */
  get takeovers(): number {
    return Math.max(0, this.#streams - 1);
  }

  /**
   * The stream that frames come from now, once it was found; of the last frame that was taken, and not of those before a
   * takeover. It is the follower's: do not close it.
   */
  get stream(): FrameStream | undefined {
    return this.#source?.stream;
  }

  /** How many frames were published since it joined each of the streams that it did not get. */
  get missed(): number {
    return this.#missedBefore + (this.#source?.consumer.missed ?? 0);
  }

  /**
   * The next frame; `undefined` once a stream has ended and everything was taken.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first, or if there was no stream within `findTimeout`; `ESRCH`
   *   if a producer died and no other took over within it; `EBUSY` if another call waits; what a stream has failed
   *   with.
   */
  async next(options: WaitOptions = this.#options): Promise<Frame<Data> | undefined> {
    checkWait("Follower.next()", options);
    return take(this.#agent, this.#next(options.timeout), options);
  }

  /** As {@link next}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  nextSync(options: { readonly timeout?: number } = {}): Frame<Data> | undefined {
    checkWaitSync("Follower.nextSync()", options);
    return takeSync(this.#agent, this.#next(options.timeout), options.timeout);
  }

  *#next(timeout: number | undefined): Steps<Frame<Data> | undefined> {
    if (this.#closed || this.#agent.closed)
      throw new DmaBufError("EBADF", `Cannot take a frame of streams "${this.name}": they were left`);
    if (this.#taking) throw new DmaBufError("EBUSY", `Cannot take a frame of streams "${this.name}": one is awaited`);
    this.#taking = true;
    try {
      return yield* this.#take(timeout);
    } finally {
      this.#taking = false;
    }
  }

  /** Takes frames until a stream ends; what it follows is left when the loop is. */
  [Symbol.asyncIterator](): AsyncGenerator<Frame<Data>, void, undefined> {
    return each(
      () => this.next(),
      () => this.close(),
    );
  }

  /** Leaves and gives all frames back; a `next()` that waits gets `undefined`. Twice does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#left) stream.close();
    this.#source?.stream.close();
    // For the looks of waits of this follower's.
    if (!this.#agent.closed) ring(this.#agent, slotOf(this.#agent.identity));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  *#take(timeout: number | undefined): Steps<Frame<Data> | undefined> {
    for (;;) {
      const source = this.#source ?? (yield* this.#join(timeout));
      if (source === undefined) return undefined;
      try {
        return yield* nextOf(source.consumer);
      } catch (error) {
        if (this.#closed || this.#agent.closed || !endOf(source.stream).isOrphaned() || !isDeath(error)) throw error;
        this.#leave(source, error);
      }
    }
  }

  /** Waits for a stream, and joins it. @returns `undefined` if this was disposed during the wait. */
  *#join(timeout: number | undefined): Steps<Source | undefined> {
    const search = (this.#search ??= this.#searchFor(undefined));
    const awaited = { ...search.there, ready: () => this.#closed || search.there.ready() };
    for (;;) {
      const limits = { all: Infinity, toFind: Infinity };
      const limit = (all: number): number => {
        Object.assign(limits, { all, toFind: search.left() });
        return Math.min(limits.all, limits.toFind);
      };
      const found =
        awaited.ready() ||
        (yield {
          wait: (terms) => this.#agent.wait(awaited, { ...terms, timeout: limit(terms.timeout ?? Infinity) }),
          waitSync: (all) => this.#agent.waitOnSync(awaited, limit(all)),
        });
      if (this.#closed) return undefined;
      if (!found && limits.toFind <= limits.all) throw this.#notFound(search.reason);
      if (!found) throw new DmaBufError("ETIMEDOUT", `Streams "${this.name}" had no frame in ${timeout} ms`);
      const source = this.#open();
      if (source !== undefined) return source;
    }
  }

  #searchFor(reason: DmaBufError | undefined): Search {
    const left = countdown(this.#agent.host, this.#options.findTimeout);
    return { there: this.#directory.await(this.name), left, reason };
  }

  #notFound(reason: DmaBufError | undefined): DmaBufError {
    if (reason !== undefined) return reason;
    return new DmaBufError("ETIMEDOUT", `There is no stream "${this.name}" after ${this.#options.findTimeout} ms`);
  }

  #open(): Source | undefined {
    const stream = this.#directory.open(this.name);
    if (stream === undefined) return undefined;
    try {
      this.#source = { stream, consumer: stream.frames<never>(this.#options) };
      this.#search = undefined;
      this.#streams++;
      return this.#source;
    } catch (error) {
      stream.close();
      if (codeOf(error) !== "ESTALE") throw error;
      // It has just gone.
      return undefined;
    }
  }

  /** follower.4. */
  #leave({ stream, consumer }: Source, reason: DmaBufError): void {
    this.#missedBefore += consumer.missed;
    this.#source = undefined;
    this.#search = this.#searchFor(reason);
    endOf(stream).leave();
    for (const one of this.#left) if (one.isClosed) this.#left.delete(one);
    if (!stream.isClosed) this.#left.add(stream);
  }
}

/** The next frame of one stream. */
function* nextOf(consumer: Consumer<never>): Steps<AnyFrame | undefined> {
  let frame: AnyFrame | undefined;
  yield {
    wait: async (terms) => {
      frame = await consumer.next(terms);
      return true;
    },
    waitSync: (timeout) => {
      frame = consumer.nextSync({ timeout });
      return true;
    },
  };
  return frame;
}

function isDeath(error: unknown): error is DmaBufError {
  return error instanceof DmaBufError && error.code === "ESRCH";
}
