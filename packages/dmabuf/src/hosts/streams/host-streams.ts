import type { Socket } from "node:net";
import { isCount, isName } from "../../arguments.js";
import { agentOf } from "../../domain-base.js";
import type { Agent } from "../../domain/agent.js";
import { STREAM_BUFFERS } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { directoryOf, type ProcessDomain } from "../../node/process-domain.js";
import type { StreamDirectory } from "../../node/messages/stream-directory.js";
import type { FrameFormat } from "../../stream/format.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import type { JsonValue } from "../../stream/metadata.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import type { Peer, Peers } from "../peers.js";
import { isPlace, keyOf, LocalOffers, RemoteOffers, STREAMS_SERVICE, type StreamPlace } from "./offers.js";
import { DEFAULT_WISH, Relay, type RelayHost, type Wish } from "./stream-relay.js";
import { StreamSender } from "./stream-sender.js";

export interface HostStreamsOptions {
  /** Milliseconds of silence after which a host is lost. */
  readonly limit: number;
  /** The names of the streams that other hosts may have. */
  readonly offers: "all" | readonly string[];
}

/** A stream that another host offers. */
export interface RemoteStream {
  /** Its own, as its producer has it. */
  readonly name: string;
  /** How a frame's bytes are arranged. */
  readonly format: FrameFormat;
  /** The host's id. */
  readonly host: string;
  /** The host's name, for people. */
  readonly hostName: string;
}

/** Frames of a stream that go from one host to another. */
export interface HostRelay {
  /** The stream's name. */
  readonly name: string;
  /** `in` if they come to this host, `out` if they go to the other one. */
  readonly direction: "in" | "out";
  /** The other host's id. */
  readonly host: string;
  /** The other host's name, for people. */
  readonly hostName: string;
  /** Aborts when no more frames go, with an `Error` that says why. */
  readonly over: AbortSignal;
}

/** Beats in a limit. */
const BEATS = 5;

/** The streams of a host's domain that others may have, and those of others that are wanted here. */
export class HostStreams {
  readonly #peers: Peers;
  readonly #agent: Agent;
  readonly #directory: StreamDirectory;
  readonly #options: HostStreamsOptions;
  readonly #relayHost: RelayHost;
  readonly #remote = new RemoteOffers(() => this.#changed());
  readonly #local: LocalOffers;
  readonly #relays = new Map<string, Relay>();
  /** The places of the streams that are relayed (offers.2). */
  readonly #relayed = new Set<string>();
  readonly #sockets = new Set<Socket>();
  readonly #listeners = new Set<() => void>();
  readonly #relayListeners = new Set<(relay: HostRelay) => void>();
  #closed = false;

  constructor(peers: Peers, domain: ProcessDomain, options: HostStreamsOptions) {
    this.#peers = peers;
    this.#agent = agentOf(domain);
    this.#directory = directoryOf(domain);
    this.#options = options;
    const { host } = this.#agent;
    this.#relayHost = {
      domain,
      host,
      limit: options.limit,
      offers: (name) => this.#remote.of(name),
      hasProducer: (name) => this.#own().some((handle) => handle.name === name),
      mark: (stream) => this.#mark(stream),
      begin: (name, peer) => this.#begin(name, "in", peer),
      onChange: (heard) => {
        this.#listeners.add(heard);
        return () => this.#listeners.delete(heard);
      },
    };
    const isOffered = ({ name }: { readonly name: string }): boolean =>
      options.offers === "all" || options.offers.includes(name);
    const offered = (handle: StreamPlace & { readonly name: string }): boolean =>
      !this.#relayed.has(keyOf(handle)) && isOffered(handle);
    peers.serve(STREAMS_SERVICE, {
      hear: (peer, body) => this.#hear(peer, body),
      answer: (peer, body) => this.#answer(peer, body),
    });
    this.#local = new LocalOffers(this.#agent, this.#directory, peers, offered, () => this.#changed());
  }

  /**
   * Resolves when this host has a stream of the name, its own or another host's. What it is to be is remembered until there is
   * one, and no consumer any more.
   *
   * @throws {DmaBufError} `EBADF` if this host has left the others; what the stream cannot be made for. The signal's reason if it
   *   aborts.
   */
  async want(name: string, wish: Wish, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw new DmaBufError("EBADF", `Cannot find stream "${name}": this host has left the others`);
    let relay = this.#relays.get(name);
    if (relay === undefined) {
      const own = new Relay(this.#relayHost, name, () => {
        if (this.#relays.get(name) === own) this.#relays.delete(name);
      });
      this.#relays.set(name, (relay = own));
    }
    relay.wish(wish);
    await relay.there(signal);
  }

  /** As {@link want}, for what another process of this host has asked. @throws {DmaBufError} `EPROTO` if that is nothing to ask. */
  async wanted(body: JsonValue, signal: AbortSignal): Promise<null> {
    const {
      name,
      policy = DEFAULT_WISH.policy,
      credits = DEFAULT_WISH.credits,
    } = (body ?? {}) as Readonly<Record<string, unknown>>;
    if (!isName(name) || !POLICY.isKind(policy) || !isCount(credits) || credits < 1 || credits > STREAM_BUFFERS) {
      throw new DmaBufError("EPROTO", "Cannot find a stream: what was asked is damaged");
    }
    await this.want(name as string, { policy: policy as Policy, credits }, signal);
    return null;
  }

  /** The streams that other hosts offer. */
  get remote(): RemoteStream[] {
    return this.#remote.open.map(({ name, format, peer }) => ({ name, format, host: peer.id, hostName: peer.name }));
  }

  /** Calls for each relay that begins, until what is returned is called. */
  onRelay(heard: (relay: HostRelay) => void): () => void {
    this.#relayListeners.add(heard);
    return () => this.#relayListeners.delete(heard);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#local.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#relays.values()].map((relay) => relay.close()));
  }

  #own(): { readonly name: string }[] {
    if (this.#agent.closed) return [];
    return this.#directory.list().filter((handle) => !this.#relayed.has(keyOf(handle)));
  }

  #changed(): void {
    for (const heard of [...this.#listeners]) heard();
  }

  /** @returns Ends it, and says why. */
  #begin(name: string, direction: "in" | "out", peer: Peer): (why: string) => void {
    const end = new AbortController();
    const relay = { name, direction, host: peer.id, hostName: peer.name, over: end.signal };
    for (const heard of [...this.#relayListeners]) heard(relay);
    return (why) => end.abort(new Error(why));
  }

  #mark(stream: FrameStream): () => void {
    const key = keyOf(endOf(stream).key);
    this.#relayed.add(key);
    return () => this.#relayed.delete(key);
  }

  #hear(peer: Peer, body: JsonValue): void {
    // offers.4
    if ((body as { readonly ask?: unknown } | null)?.ask === true) this.#local.tell(peer);
    else this.#remote.hear(peer, body);
  }

  /** Another host asks for the frames of a stream. */
  #answer(peer: Peer, body: JsonValue): JsonValue {
    const { open, policy, after } = (body ?? {}) as Readonly<Record<string, unknown>>;
    if (!isPlace(open) || !POLICY.isKind(policy) || !(after === undefined || isCount(after))) {
      throw new DmaBufError("EPROTO", "Cannot open a stream: what was asked is damaged");
    }
    if (this.#local.find(open) === undefined) throw new DmaBufError("ENOENT", "Cannot open the stream: it is gone");
    const ticket = this.#peers.issue(peer, (socket) => this.#send(socket, peer, open, policy as Policy, after));
    return { ticket };
  }

  #send(socket: Socket, peer: Peer, place: StreamPlace, policy: Policy, after: number | undefined): void {
    const handle = this.#closed ? undefined : this.#local.find(place);
    const stream = handle && this.#directory.openKnown(handle);
    if (stream === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    try {
      new StreamSender(socket, stream, { policy, after, beat: this.#options.limit / BEATS });
      const over = this.#begin(stream.name, "out", peer);
      socket.once("close", () => over("The other host takes no more, or the stream has ended"));
    } catch (error) {
      // All consumers' places are taken.
      stream.close();
      socket.destroy();
      this.#agent.host.warn(`Cannot send stream "${stream.name}" to another host: ${String(error)}`);
    }
  }
}
