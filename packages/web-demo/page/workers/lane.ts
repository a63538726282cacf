import { DmaBufError, type Consumer, type ErrorCode, type Frame, type FrameFormat, type FrameStream } from "dmabuf";
import { troubleOf, type LaneOrder, type LaneReport, type Policy, type PostedFrame } from "../shared/messages.js";
import { Meter } from "./meter.js";
import { onOrder, reporter, type RoleContext } from "./role.js";

/** What a lane does with pictures. Those of a stream it gives back itself, as soon as it can. */
export interface LaneWork {
  /** Pictures of this format follow, until `end()`. */
  begin(format: FrameFormat, feed: SharedFeed | undefined): void;
  /** One that lies in shared memory. */
  shared(frame: Frame): void | Promise<void>;
  /** One that was copied for this lane alone. */
  posted(frame: PostedFrame): void | Promise<void>;
  /** Before the next picture of a stream is looked for, when this one is done with. */
  rest?(): Promise<void>;
  /** What there is to draw, since it was asked last. */
  values?(): readonly number[] | undefined;
  /** No further picture of this kind comes: whatever is kept of them is given back. */
  end(): void;
}

/** A stream, and the memory of the WebAssembly modules that may share its frames. */
export interface SharedFeed {
  readonly stream: FrameStream;
  readonly memory: WebAssembly.Memory;
}

type Feed = Extract<LaneOrder, { readonly kind: "stream" | "copies" }>;

/** Looks at every stream that the page names, one after the other. */
export class Lane {
  readonly #context: RoleContext;
  readonly #work: LaneWork;
  readonly #report: (report: LaneReport) => void;
  /** Ends the feed that is under way. */
  #stop = (): void => {};
  #last = Promise.resolve();

  constructor(context: RoleContext, work: LaneWork, onDelay: (ms: number) => void = () => {}) {
    this.#context = context;
    this.#work = work;
    this.#report = reporter<LaneReport>(context);
    onOrder<LaneOrder>(context, (order) => {
      if (order.kind === "delay") return onDelay(order.ms);
      this.#stop();
      this.#stop = () => {};
      if (order.kind === "nothing") return;
      const feed = order.kind === "stream" ? this.#sharedFeed(order) : this.#copiedFeed(order);
      this.#last = this.#last.then(feed).catch((error: unknown) => {
        this.#report({ kind: "trouble", trouble: troubleOf(error) });
      });
    });
  }

  /** Frames in place. */
  #sharedFeed(order: Feed & { readonly kind: "stream" }): () => Promise<void> {
    const { domain } = this.#context;
    const stream = domain.import(order.handle);
    const policy: Policy = order.policy ?? "newest";
    const consumer = stream.frames({ policy });
    let isOver = false;
    this.#stop = () => {
      isOver = true;
      consumer.close();
    };
    return async () => {
      const meter = this.#meter();
      try {
        this.#work.begin(stream.format, { stream, memory: order.memory });
        for (;;) {
          const frame = isOver ? undefined : await nextOf(consumer);
          if (typeof frame === "string") return this.#report({ kind: "ended", code: frame });
          if (frame === undefined) break;
          const { publishedAt } = frame;
          const since = performance.now();
          try {
            await this.#work.shared(frame);
          } catch (error) {
            frame.close();
            throw error;
          }
          meter.done(publishedAt, performance.now() - since, consumer.missed, () => this.#work.values?.());
          await this.#work.rest?.();
        }
        if (!isOver) this.#report({ kind: "ended" });
      } catch (error) {
        // Nothing is wrong with a lane whose stream another one takes the place of.
        if (!isOver) throw error;
      } finally {
        this.#work.end();
        stream.close();
      }
    };
  }

  /** Copies by messages, as a program without shared memory has them. */
  #copiedFeed({ port, format }: Feed & { readonly kind: "copies" }): () => Promise<void> {
    return async () => {
      const meter = this.#meter();
      let over = (): void => {};
      const ended = new Promise<void>((resolve) => (over = resolve));
      let working = Promise.resolve();
      const take = async (frame: PostedFrame): Promise<void> => {
        const since = performance.now();
        await this.#work.posted(frame);
        meter.done(frame.publishedAt, performance.now() - since, 0, () => this.#work.values?.());
        port.postMessage("taken");
      };
      this.#work.begin(format, undefined);
      this.#stop = () => {
        port.close();
        over();
      };
      let failed: Error | undefined;
      port.onmessage = ({ data }: MessageEvent<PostedFrame>) => {
        working = working
          .then(async () => take(data))
          .catch((error: unknown) => {
            failed = error as Error;
            over();
          });
      };
      await ended;
      await working;
      this.#work.end();
      if (failed !== undefined) throw failed;
    };
  }

  #meter(): Meter {
    return new Meter(() => this.#context.domain.now(), this.#report);
  }
}

/** @returns The code of what the stream has failed with, if it has. */
async function nextOf(consumer: Consumer): Promise<Frame | ErrorCode | undefined> {
  try {
    return await consumer.next();
  } catch (error) {
    if (error instanceof DmaBufError) return error.code;
    throw error;
  }
}
