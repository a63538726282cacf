import { Domain as FullDomain } from "../../src/index.js";
import { Domain, rawFormat, type FrameStream, type PlainFenceHandle, type ReadFence } from "../../src/streams.js";
import { bufferOf } from "../../src/substrate/atomic-words.js";
import { EXCEPTIONS as CORE_EXCEPTIONS, VALID as CORE } from "./core.js";
import type { Exceptions } from "./nonsense.js";
import type { PublicFunction } from "./surface.js";

/** What the functions of `dmabuf/streams` are called on and with, rightly. */

const SIZES = { agents: 4, buffers: 16, timelines: 1, oneShots: 1, streams: 2 };

/** A domain of streams alone, made anew for each function. */
export class StreamsWorld {
  readonly domain = Domain.create(SIZES);
  readonly #full = FullDomain.join(this.domain.invite());
  readonly #timeline = this.#full.createTimeline();
  readonly #control = new Uint8Array(bufferOf(this.domain.invite().control));

  get state(): Uint8Array {
    return this.#control.slice();
  }

  stream(): FrameStream {
    return this.domain.createStream({ format: rawFormat(64), buffers: 2 });
  }

  fence(): ReadFence {
    return this.domain.import(this.handle());
  }

  handle(): PlainFenceHandle {
    return this.#timeline.createFence().handle() as PlainFenceHandle;
  }

  close(): void {
    this.#full.close();
    this.domain.close();
  }
}

export const RECEIVERS: Readonly<Record<string, (world: StreamsWorld) => object>> = {
  Domain: ({ domain }) => domain,
  StreamMembers: ({ domain }) => domain,
  ThreadDomain: ({ domain }) => domain,
  ReadFence: (world) => world.fence(),
  FrameStream: (world) => world.stream(),
  Loan: (world) => world.stream().loanSync()!,
  Consumer(world) {
    const stream = world.stream();
    const consumer = stream.frames();
    stream.loanSync()!.publish();
    return consumer;
  },
};

type Valid = (world: StreamsWorld, receiver: never) => readonly unknown[];

/** Those of `dmabuf` that need no domain, or its stream alone. */
const SHARED = Object.entries(CORE).filter(([id]) =>
  /^(ReadFence|FrameStream|Consumer|Loan|StreamMembers|ThreadDomain)\.|Format\(\)|DmaBufError/.test(id),
);

export const VALID: Readonly<Record<string, Valid>> = {
  ...(Object.fromEntries(SHARED) as unknown as Record<string, Valid>),
  "Domain.create()": () => [SIZES],
  "Domain.join()": ({ domain }) => [domain.invite(), {}],
  "Domain.import() of stream": (world) => [structuredClone({ ...world.stream().handle() })],
  "Domain.import() of fence, plain": (world) => [world.handle()],
};

export const EXCEPTIONS: Exceptions = {
  // As in `dmabuf`.
  "Domain.import() of stream handle.generation": CORE_EXCEPTIONS["AllMembers.import() of stream handle.generation"]!,
  "Domain.import() of fence, plain handle.generation":
    CORE_EXCEPTIONS["AllMembers.import() of fence, plain handle.generation"]!,
  "Loan.publish() options.data": CORE_EXCEPTIONS["Loan.publish() options.data"]!,
  "Domain.create() options.validate": CORE_EXCEPTIONS["Domain.create() options.validate"]!,
  "Domain.join() options.validate": CORE_EXCEPTIONS["Domain.join() options.validate"]!,
};

/** A frame's type names that of its buffer, and so those of fences: this domain gives none of them. */
export function isUntried({ owner }: PublicFunction): boolean {
  return !OWNERS.test(owner);
}

const OWNERS = /^(|Domain|ThreadDomain|StreamMembers|ReadFence|FrameStream|Consumer|Frame|Loan|\w+Handle|DmaBufError)$/;
