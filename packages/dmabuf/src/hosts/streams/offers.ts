import { isCount, isName } from "../../arguments.js";
import type { Agent } from "../../domain/agent.js";
import { STREAM_BUFFERS } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import type { StreamDirectory } from "../../node/messages/stream-directory.js";
import type { FrameFormat } from "../../stream/format.js";
import { MOST_DATA_BYTES, type JsonValue } from "../../stream/metadata.js";
import { formatDamage } from "../../stream/received-format.js";
import type { StreamHandleData } from "../../stream/stream-handle.js";
import { streamEnd } from "../../stream/stream-slot.js";
import type { Peer, Peers } from "../peers.js";

/**
 * Which streams there are, as hosts tell each other on their control connections.
 *
 * offers.1. A host tells of each stream whose producer is there, and when it has gone, with what it has ended.
 * offers.2. It tells of no stream that it relays itself.
 * offers.3. What is told is looked at; of what is wrong nothing is kept.
 * offers.4. Hosts that meet tell each other all, and ask: one may have been told before it could hear.
 * offers.5. A stream that has ended is found no more, and can still be opened while its producer is there: by a relay that had found
 *      it before.
 */

/** Of a host's stream: its place in that host's domain. */
export interface StreamPlace {
  readonly slot: number;
  readonly generation: number;
}

/** A stream of another host's. */
export interface Offer extends StreamPlace {
  readonly peer: Peer;
  readonly name: string;
  readonly format: FrameFormat;
  readonly dataBytes: number;
  readonly buffers: number;
  /** When it began, by `performance.now()` here. */
  readonly began: number;
  /** Aborts when the producer has gone, or its host is lost: with what the stream has failed with, or 0 for its end. */
  readonly gone: AbortSignal;
  /** Whether it has ended (offers.5). */
  hasEnded: boolean;
}

/** A stream of this host's. */
interface Told {
  readonly handle: StreamHandleData;
  /** When it was first seen, by `performance.now()`. */
  readonly since: number;
  hasEnded: boolean;
}

interface Known extends Offer {
  readonly end: AbortController;
}

/** The service by which hosts tell each other. */
export const STREAMS_SERVICE = "streams";
/** Of one host. */
const MOST_OFFERS = 4_096;
/** Milliseconds. */
const LOOK_EVERY = 100;

/** What other hosts have told. */
export class RemoteOffers {
  readonly #offers = new Map<Peer, Map<string, Known>>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  of(name: string): Offer[] {
    return this.open.filter((offer) => offer.name === name);
  }

  /** Those that have not ended. */
  get open(): Offer[] {
    return [...this.#offers.values()].flatMap((offers) => [...offers.values()]).filter(({ hasEnded }) => !hasEnded);
  }

  /** offers.3. */
  hear(peer: Peer, body: JsonValue): void {
    const { is, gone, end, ended } = (body ?? {}) as Readonly<Record<string, unknown>>;
    if (is !== undefined) this.#add(peer, is);
    else if (isPlace(ended)) this.#end(peer, keyOf(ended));
    else if (isPlace(gone)) this.#forget(peer, keyOf(gone), isCount(end) ? end : 0);
    this.#changed();
  }

  #add(peer: Peer, said: unknown): void {
    if (peer.lost.aborted || !isOffer(said)) return;
    const offers = this.#offers.get(peer) ?? this.#begin(peer);
    const key = keyOf(said);
    if (offers.has(key) || offers.size >= MOST_OFFERS) return;
    const { slot, generation, name, format, dataBytes, buffers, age } = said;
    const end = new AbortController();
    const began = performance.now() - age;
    offers.set(key, {
      peer,
      slot,
      generation,
      name,
      format,
      dataBytes,
      buffers,
      began,
      end,
      gone: end.signal,
      hasEnded: false,
    });
  }

  #begin(peer: Peer): Map<string, Known> {
    const offers = new Map<string, Known>();
    this.#offers.set(peer, offers);
    const lost = (): void => {
      for (const key of offers.keys()) this.#forget(peer, key, ESRCH);
      this.#offers.delete(peer);
      this.#changed();
    };
    peer.lost.addEventListener("abort", lost, { once: true });
    return offers;
  }

  #end(peer: Peer, key: string): void {
    const offer = this.#offers.get(peer)?.get(key);
    if (offer !== undefined) offer.hasEnded = true;
  }

  #forget(peer: Peer, key: string, errno: number): void {
    const offers = this.#offers.get(peer);
    const offer = offers?.get(key);
    offers?.delete(key);
    offer?.end.abort(errno);
  }
}

/** What this host tells. */
export class LocalOffers {
  readonly #agent: Agent;
  readonly #directory: StreamDirectory;
  readonly #peers: Peers;
  readonly #isOffered: (handle: StreamHandleData) => boolean;
  readonly #changed: () => void;
  /** Those that were told, and when they were first seen. */
  readonly #told = new Map<string, Told>();
  readonly #timer: NodeJS.Timeout;
  readonly #endings: (() => void)[];
  #isLooking = false;

  /** @param isOffered Whether others may have it. @param changed Called when a stream has come or gone. */
  constructor(
    agent: Agent,
    directory: StreamDirectory,
    peers: Peers,
    isOffered: (handle: StreamHandleData) => boolean,
    changed: () => void,
  ) {
    this.#agent = agent;
    this.#directory = directory;
    this.#peers = peers;
    this.#isOffered = isOffered;
    this.#changed = changed;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#endings = [directory.onStream(() => this.#lookSoon()), peers.onPeer((peer) => this.#greet(peer))];
    this.#look();
  }

  /** A stream that is offered, by its place. */
  find({ slot, generation }: StreamPlace): StreamHandleData | undefined {
    return this.#list().find((handle) => handle.slot === slot && handle.generation === generation);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const end of this.#endings) end();
  }

  #list(): StreamHandleData[] {
    if (this.#agent.closed) return [];
    return this.#directory.list().filter((handle) => this.#isOffered(handle));
  }

  /** The one that makes a stream marks it as relayed when it has it. */
  #lookSoon(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    queueMicrotask(() => {
      this.#isLooking = false;
      this.#look();
    });
  }

  #look(): void {
    const all = new Map(this.#list().map((handle) => [keyOf(handle), handle]));
    let hasChanged = false;
    for (const [key, told] of this.#told) {
      const { handle } = told;
      if (all.has(key)) {
        this.#tellOfEnd(told);
        continue;
      }
      this.#told.delete(key);
      const { slot, generation } = handle;
      this.#tellAll({
        gone: { slot, generation },
        end: this.#end(handle) ?? 0,
      });
      hasChanged = true;
    }
    for (const [key, handle] of all) {
      if (this.#told.has(key)) continue;
      if (this.#end(handle) !== undefined) continue;
      this.#told.set(key, { handle, since: performance.now(), hasEnded: false });
      this.#tellAll(this.#offerOf(key));
      hasChanged = true;
    }
    if (hasChanged) this.#changed();
  }

  #tellOfEnd(told: Told): void {
    const { slot, generation } = told.handle;
    if (told.hasEnded || this.#end(told.handle) === undefined) return;
    told.hasEnded = true;
    this.#tellAll({ ended: { slot, generation } });
  }

  /** What a stream has ended with, if it has. */
  #end(handle: StreamHandleData): number | undefined {
    return this.#agent.closed ? ESRCH : streamEnd(this.#agent, handle);
  }

  #greet(peer: Peer): void {
    this.tell(peer);
    peer.tell(STREAMS_SERVICE, { ask: true });
  }

  /** offers.4. */
  tell(peer: Peer): void {
    for (const [key, { hasEnded }] of this.#told) if (!hasEnded) peer.tell(STREAMS_SERVICE, this.#offerOf(key));
  }

  #tellAll(body: JsonValue): void {
    for (const peer of this.#peers.all) peer.tell(STREAMS_SERVICE, body);
  }

  #offerOf(key: string): JsonValue {
    const { handle, since } = this.#told.get(key)!;
    const { slot, generation, name, format, dataBytes, buffers } = handle;
    const age = Math.round(performance.now() - since);
    const is = {
      slot,
      generation,
      name,
      format: format as unknown as JsonValue,
      dataBytes,
      buffers: buffers.length,
      age,
    };
    return { is };
  }
}

const ESRCH = new DmaBufError("ESRCH", "").errno;

export function keyOf({ slot, generation }: StreamPlace): string {
  return `${slot}:${generation}`;
}

export function isPlace(said: unknown): said is StreamPlace {
  const { slot, generation } = (said ?? {}) as Partial<Record<keyof StreamPlace, unknown>>;
  return isCount(slot) && Number.isSafeInteger(generation);
}

/** offers.3. */
function isOffer(said: unknown): said is Omit<Offer, "peer" | "began" | "gone"> & { readonly age: number } {
  if (!isPlace(said)) return false;
  const { name, format, dataBytes, buffers, age } = said as unknown as Readonly<Record<string, unknown>>;
  return (
    isName(name) &&
    formatDamage(format) === undefined &&
    isCount(dataBytes) &&
    dataBytes <= MOST_DATA_BYTES &&
    isCount(buffers) &&
    buffers >= 1 &&
    buffers <= STREAM_BUFFERS &&
    isCount(age)
  );
}
