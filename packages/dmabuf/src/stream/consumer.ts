import { NAME, type Kinds } from "../arguments.js";
import { owned } from "../domain/held.js";
import { promiseOf } from "../domain/promised.js";
import type { DmaBufError } from "../errors.js";
import { NO_LIMIT, WAIT, type WaitOptions } from "../domain/wait.js";
import type { ConsumerPlace } from "./consumer-place.js";
import { each } from "./each.js";
import type { Frame } from "./frame.js";
import type { JsonValue } from "./metadata.js";
import { POLICY, type Policy } from "./stream-slot.js";

/** How a consumer takes frames. `timeout` and `signal` are of each wait for one. */
export interface ConsumerOptions extends WaitOptions {
  /**
   * What happens when this consumer is slower than the producer: `block` makes the producer wait, `drop-oldest`
   * loses the oldest frames, `newest` always takes the newest one. Default `block`.
   */
  readonly policy?: Policy;
  /**
   * The name of a group of consumers that share the work: each frame goes to one of them. All of a group have the same
   * `policy`. Default: this consumer is in none, and gets every frame.
   */
  readonly group?: string;
}

export const CONSUMER_OPTIONS: Kinds<ConsumerOptions> = { ...WAIT, policy: POLICY, group: NAME };

/** For the library's own use: another policy for a consumer that is in no group, from its next frame on. */
export let changePolicy: (consumer: Consumer, policy: Policy) => void;
/** How many frames a consumer has not got, also of those that were gone when it joined. */
export let leftOut: (consumer: Consumer) => number;
export let makeConsumer: (place: ConsumerPlace, options: ConsumerOptions) => Consumer<never>;

/**
 * One consumer of a stream: iterate over it, or take frames one at a time. `Data` is the type of what travels with them.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames<{ title: string }>({ policy: "newest" });
 * using loan = await stream.loan();
 * loan?.publish({ data: { title: "hello" } });
 * using frame = await consumer.next({ timeout: 1000 });
 * console.log(frame?.sequence, frame?.data?.title);
 * ```
 */
export class Consumer<Data = JsonValue> implements AsyncIterable<Frame<Data>>, Disposable {
  readonly #place: ConsumerPlace;
  readonly #options: ConsumerOptions;

  private constructor(place: ConsumerPlace, options: ConsumerOptions) {
    this.#place = place;
    this.#options = options;
  }

  static {
    makeConsumer = (place, options) => owned(place.held, new Consumer<never>(place, options));
    changePolicy = (consumer, policy) => consumer.#place.changePolicy(policy);
    leftOut = (consumer) => consumer.#place.leftOut;
  }

  /** What happens when this consumer is slower than the producer. */
  get policy(): Policy {
    return this.#place.policy;
  }

  /** The name of the group of consumers that it shares the work with, if there is one. */
  get group(): string | undefined {
    return this.#place.group;
  }

  /** How many frames were published since this consumer joined (or while it did, if it may lose frames) that it did not get. */
  get missed(): number {
    return this.#place.missed;
  }

  /** Whether a look for a frame has found that no further one comes: the stream has ended and all was taken, or it was left. */
  get hasEnded(): boolean {
    return this.#place.hasEnded;
  }

  /** What the stream has failed with, once `hasEnded` says that no frame comes; `undefined` if it has not failed. */
  get error(): DmaBufError | undefined {
    return this.#place.error;
  }

  /**
   * The next frame; `undefined` once the stream has ended and everything was taken.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `ESRCH` if the producer died, or what it failed with;
   *   `EPROTO` if the frame's data are damaged: the next call takes the next frame; `EBADF` if the
   *   stream was left.
   */
  next(options: WaitOptions = this.#options): Promise<Frame<Data> | undefined> {
    return promiseOf(() => this.#place.next(options, this));
  }

  /**
   * As {@link next}, blocking this thread.
   *
   * @param options `timeout` in milliseconds; default no limit.
   * @throws {DmaBufError} Besides, `EDEADLK` without a limit if there is no frame, and this thread itself produces them.
   */
  nextSync(options: { readonly timeout?: number } = NO_LIMIT): Frame<Data> | undefined {
    return this.#place.nextSync(options);
  }

  /**
   * The next frame if it is there at once; else `undefined`, as once the stream has ended or was left: `hasEnded` tells. It
   * makes no promise and sets no timer, and what happens to a stream is no exception: it is for audio and other code that
   * must not wait. A frame with damaged data counts as missed.
   */
  tryNext(): Frame<Data> | undefined {
    return this.#place.tryNext();
  }

  /** Takes frames until the stream ends; the consumer leaves when the loop does. */
  [Symbol.asyncIterator](): AsyncGenerator<Frame<Data>, void, undefined> {
    return each(
      () => this.#place.next(this.#options, this),
      () => this.close(),
    );
  }

  /** Leaves the stream and gives all frames back; a `next()` that waits gets none. Twice does nothing. */
  close(): void {
    this.#place.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
