import { setTimeout as pause } from "node:timers/promises";
import { DmaBufError, codeOf, errorCode, textOf, type ErrorCode } from "../../errors.js";
import type { Host } from "../../host/host.js";
import { STREAM_BUFFERS } from "../../domain/layout.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Policy } from "../../stream/stream-slot.js";
import type { Peer } from "../peers.js";
import { STREAMS_SERVICE, type Offer } from "./offers.js";
import { StreamReceiver, type Outcome } from "./stream-receiver.js";

/**
 * The streams of one name of other hosts, as a stream of this host's domain.
 *
 * stream-relay.1. A producer of this host's own comes first: then there is no relay. Of several hosts' the one that began last is
 *      relayed, and of those that began at the same time the one with the greater host id. A relay that a consumer has stays as it is.
 * stream-relay.2. The stream here has the format of the one there, and the frames have their numbers, timestamps, data, pictures
 *      and lengths. What was missed on the way the consumers here have missed.
 * stream-relay.3. Frames come while a consumer is there. When the last one leaves, the connection is closed and the ring is emptied:
 *      who joins later gets what the ring there has, and nothing that is old.
 * stream-relay.4. Of the policies that were asked for since there was no consumer, the strongest counts, also while frames come.
 * stream-relay.5. The stream here ends as the one there. If the host is lost, or the producer died, it fails with `ESRCH`, and the
 *      next stream of the name is relayed as another stream.
 * stream-relay.6. A host that is there, and lets no connection in, is tried again for 5 seconds while a consumer is there. Then the
 *      stream here fails with `ESRCH`.
 */

/** How frames are to come. */
export interface Wish {
  readonly policy: Policy;
  readonly credits: number;
}

export const DEFAULT_WISH: Wish = { policy: "newest", credits: 2 };

const STRENGTHS: readonly Policy[] = ["newest", "drop-oldest", "block"];
/** Milliseconds. */
const TRY_AGAIN = 100;
export const TRY_FOR = 5_000;

/** A frame that comes, the newest one, and one that a consumer has (stream-receiver.6). */
const LEAST_BUFFERS = 3;

/** What a relay has of its host. */
export interface RelayHost {
  readonly domain: ProcessDomain;
  readonly host: Pick<Host, "warn">;
  /** Milliseconds of silence after which a host is lost. */
  readonly limit: number;
  /** What other hosts offer by a name. */
  readonly offers: (name: string) => readonly Offer[];
  /** Whether this host has a producer by the name. */
  readonly hasProducer: (name: string) => boolean;
  /** The stream is relayed, and not offered, until what is returned is called. */
  readonly mark: (stream: FrameStream) => () => void;
  /** Frames begin to come from a host. @returns Is called when no more come, with the reason. */
  readonly begin: (name: string, peer: Peer) => (why: string) => void;
  /** Calls at each change of what there is, until what is returned is called. */
  readonly onChange: (heard: () => void) => () => void;
}

/** A relay ends with the stream that it relays, unless that fails with `ESRCH`. */
export class Relay {
  readonly name: string;
  readonly #host: RelayHost;
  readonly #over: () => void;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  readonly #waiting = new Set<{ readonly found: () => void; readonly failed: (error: Error) => void }>();
  #wish = DEFAULT_WISH;
  #receiver: StreamReceiver | undefined;
  #isThere = false;

  constructor(host: RelayHost, name: string, over: () => void) {
    this.#host = host;
    this.name = name;
    this.#over = over;
    this.#done = this.#run();
  }

  /** stream-relay.4. */
  wish({ policy, credits }: Wish): void {
    this.#wish = { policy: stronger(policy, this.#wish.policy), credits: Math.max(credits, this.#wish.credits) };
    this.#receiver?.ask(this.#wish);
  }

  /** Resolves when this host has a stream of the name. The signal's reason if it aborts. */
  async there(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isThere) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => failed(signal.reason as Error);
      const settled = (settle: () => void): void => {
        signal.removeEventListener("abort", abort);
        this.#waiting.delete(waiting);
        settle();
      };
      const failed = (error: Error): void => settled(() => reject(error));
      const waiting = { found: () => settled(resolve), failed };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.#receiver?.finish({ kind: "left" });
    await this.#done;
  }

  async #run(): Promise<void> {
    let error: Error = new DmaBufError("ECANCELED", `Cannot find stream "${this.name}": this host has left the others`);
    try {
      while (!this.#end.signal.aborted) {
        const isHere = this.#host.hasProducer(this.name);
        this.#settle(isHere);
        const offer = isHere ? undefined : this.#best();
        if (offer === undefined) await this.#change();
        else if (await this.#relay(offer)) break;
      }
    } catch (caught) {
      error = caught as Error;
    }
    this.#over();
    for (const { failed } of this.#waiting) failed(error);
  }

  #settle(isThere: boolean): void {
    this.#isThere = isThere;
    if (isThere) for (const { found } of this.#waiting) found();
  }

  /** stream-relay.1. */
  #best(): Offer | undefined {
    const [best] = [...this.#host.offers(this.name)].sort(
      (a, b) => b.began - a.began || (a.peer.id < b.peer.id ? 1 : -1),
    );
    return best;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop();
        this.#end.signal.removeEventListener("abort", done);
        resolve();
      };
      const stop = this.#host.onChange(done);
      this.#end.signal.addEventListener("abort", done, { once: true });
    });
  }

  /** @returns Whether the stream has ended, and there is no next one to look for. */
  async #relay(offer: Offer): Promise<boolean> {
    const { domain, mark } = this.#host;
    const { format, dataBytes } = offer;
    const buffers = Math.min(STREAM_BUFFERS, Math.max(LEAST_BUFFERS, offer.buffers, this.#wish.credits + 1));
    const stream = domain.createStream({ name: this.name, format, dataBytes, buffers });
    const unmark = mark(stream);
    try {
      this.#settle(true);
      const code = await this.#serve(stream, offer, buffers);
      this.#isThere = false;
      if (code === undefined) stream.end();
      else stream.fail(code);
      return code !== "ESRCH";
    } finally {
      this.#isThere = false;
      stream.close();
      unmark();
    }
  }

  /** @returns What the stream fails with, if it does. */
  async #serve(stream: FrameStream, offer: Offer, buffers: number): Promise<ErrorCode | undefined> {
    let after: number | undefined;
    for (;;) {
      if (!(await this.#consumed(stream, offer))) return offer.gone.aborted ? codeOfEnd(offer) : "ESRCH";
      const over = this.#host.begin(this.name, offer.peer);
      const [outcome, last] = await this.#receive(stream, offer, buffers, after);
      over(whyOver(outcome));
      if (this.#end.signal.aborted || stream.isClosed) return "ESRCH";
      if (outcome.kind === "end" || outcome.kind === "fail") offer.hasEnded = true;
      if (outcome.kind === "end") return undefined;
      if (outcome.kind === "fail") return outcome.code;
      if (outcome.kind === "lost") return this.#codeOfLoss(outcome.error, offer);
      // stream-relay.3
      after = endOf(stream).restart() ? undefined : (last ?? after);
      if (stream.consumers === 0) this.#wish = DEFAULT_WISH;
    }
  }

  /** Waits for a consumer. @returns False if another stream is to be relayed, or none. */
  async #consumed(stream: FrameStream, offer: Offer): Promise<boolean> {
    const end = new AbortController();
    const look = (): void => {
      const isOther = this.#host.hasProducer(this.name) || ![undefined, offer].includes(this.#best());
      if (this.#end.signal.aborted || offer.gone.aborted || isOther) end.abort();
    };
    const stop = this.#host.onChange(look);
    this.#end.signal.addEventListener("abort", look);
    look();
    try {
      await stream.waitForConsumers(1, { signal: end.signal });
      return true;
    } catch {
      return false;
    } finally {
      stop();
      this.#end.signal.removeEventListener("abort", look);
    }
  }

  async #receive(
    stream: FrameStream,
    offer: Offer,
    buffers: number,
    after: number | undefined,
  ): Promise<[Outcome, number | undefined]> {
    const { peer, slot, generation, dataBytes } = offer;
    const begun = performance.now();
    for (;;) {
      const receiver = new StreamReceiver({
        stream,
        dataBytes,
        credits: Math.max(1, Math.min(this.#wish.credits, buffers - 1)),
        most: Math.max(1, buffers - 1),
        limit: this.#host.limit,
        open: async (onread) => {
          const { policy } = this.#wish;
          const body = { open: { slot, generation }, policy, ...(after !== undefined && { after }) };
          const answer = await peer.ask(STREAMS_SERVICE, body, { signal: this.#end.signal });
          return peer.open(ticketIn(answer), onread);
        },
      });
      this.#receiver = receiver;
      try {
        return [await receiver.run(), receiver.last];
      } catch (error) {
        // stream-relay.6
        const isOver = offer.gone.aborted || this.#end.signal.aborted || performance.now() - begun > TRY_FOR;
        if (isOver) return [endOfOffer(offer) ?? { kind: "lost", error }, undefined];
        if (stream.consumers === 0) return [{ kind: "left" }, undefined];
        await pause(TRY_AGAIN);
      } finally {
        this.#receiver = undefined;
      }
    }
  }

  #codeOfLoss(error: unknown, { peer }: Offer): ErrorCode {
    const isWrong = codeOf(error) === "EPROTO" || error instanceof TypeError || error instanceof RangeError;
    if (!isWrong) return "ESRCH";
    this.#host.host.warn(`Stream "${this.name}" of host "${peer.name}" is wrong: ${textOf(error)}`);
    return "EPROTO";
  }
}

/** What a stream that is gone has ended with. */
function endOfOffer({ gone }: Offer): Outcome | undefined {
  if (!gone.aborted) return undefined;
  const errno = gone.reason as number;
  return errno === 0 ? { kind: "end" } : { kind: "fail", code: errorCode(errno) };
}

function codeOfEnd(offer: Offer): ErrorCode | undefined {
  const end = endOfOffer(offer);
  return end?.kind === "fail" ? end.code : undefined;
}

/** For people. */
function whyOver(outcome: Outcome): string {
  if (outcome.kind === "left") return "No consumer is left";
  if (outcome.kind === "end") return "The stream has ended";
  if (outcome.kind === "fail") return `The stream has failed with ${outcome.code}`;
  return textOf(outcome.error);
}

function stronger(a: Policy, b: Policy): Policy {
  return STRENGTHS.indexOf(a) > STRENGTHS.indexOf(b) ? a : b;
}

function ticketIn(answer: JsonValue): string {
  const { ticket } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof ticket === "string") return ticket;
  throw new DmaBufError("EPROTO", "The other host has sent no ticket");
}
