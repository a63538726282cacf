import { randomBytes, randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as pause } from "node:timers/promises";
import { codeOf, DmaBufError, textOf } from "../errors.js";
import type { Host } from "../host/host.js";
import { LimitedWarnings } from "../node/connecting/limited-warnings.js";
import type { JsonValue } from "../stream/metadata.js";
import { NatsDirectory } from "./directory/nats-directory.js";
import { withAddress, type HostFacts } from "./links/facts.js";
import { answer, approach, refuse, type Approach, type Hello } from "./links/handshake.js";
import { Link } from "./links/link.js";
import { connectTo } from "./links/open-data.js";
import { Port } from "./links/port.js";
import { hostTlsKey, sharedTlsKey, type TlsKey } from "./links/secure.js";
import { Tickets } from "./links/tickets.js";
import type { Peer, Peers, Service } from "./peers.js";

/**
 * Which other hosts there are, as this one sees it.
 *
 * host-peers.1. A host beats on each control connection, five times in the limit. One of which nothing was heard for longer than
 *      the limit is lost, whatever it does: across a network, stopped, cut off and dead look alike.
 * host-peers.2. The limit of two hosts is the larger one of theirs.
 * host-peers.3. The end of the control connection is the loss of the host, at once.
 * host-peers.4. With a host all is lost that it was connected for: its data connections are destroyed, its tickets void.
 * host-peers.5. A host that was silent itself for longer than its limit counts as lost to all others. It finds that by its own
 *      clock, before it looks at anything that has come; then it leaves all of them and comes back under a new incarnation.
 * host-peers.6. An incarnation that was lost because it was silent is refused with `ESTALE`, and so is an earlier one. The host is
 *      told so, and comes back under a new one.
 * host-peers.7. To one that asks for a host by its id, it is not there if no connection to it can be made, whatever the reason is.
 */

/** Beats in a limit. */
const BEATS = 5;
/** Milliseconds between two tries to connect. */
const TRY_AGAIN = 250;
const CONNECT_LIMIT = 2_000;
const TICKET_LIMIT = 5_000;
/** Lost incarnations that are remembered. */
const MOST_PAST = 4_096;

/** What a host is told when it begins. */
export interface PeersOptions {
  readonly name: string;
  readonly bind: string;
  readonly port: number;
  /** Where others find it, if that is not where it listens. */
  readonly advertise: string | undefined;
  readonly cluster: string;
  /** Milliseconds. */
  readonly limit: number;
  /** Addresses of others, which the key is for. */
  readonly peers: readonly string[];
  readonly key: string | undefined;
  readonly tls: boolean;
  /** NATS servers, and more options of the client; without servers there is no directory. */
  readonly servers: readonly string[];
  readonly nats: object;
  readonly host: Pick<Host, "warn" | "after">;
}

/** How a host is reached. */
interface Way {
  readonly address: string;
  /** What was issued for it there; without one it is the shared key. */
  readonly ticket?: string;
  /** The other host's secret, if it has told one. */
  readonly secret?: string | undefined;
}

export class HostPeers implements Peers {
  readonly #options: PeersOptions;
  readonly #id = randomUUID();
  /** secure.2. */
  readonly #secret: string | undefined;
  #incarnation = 1;
  #port!: Port;
  #directory: NatsDirectory | undefined;
  readonly #links = new Map<string, Link>();
  /** The last incarnation of each host that was lost because it was silent (host-peers.6). */
  readonly #past = new Map<string, number>();
  /** Hosts that this one has given its proof to (handshake.5). */
  readonly #proving = new Set<string>();
  readonly #services = new Map<string, Service>();
  readonly #heard = new Set<(peer: Peer) => void>();
  readonly #tickets = new Tickets<(socket: Socket) => void>();
  readonly #controlTickets = new Tickets<true>();
  /** Hosts that this one is connecting to, by tickets of theirs. */
  readonly #meeting = new Map<string, Promise<void>>();
  readonly #end = new AbortController();
  readonly #warnings: LimitedWarnings;
  /** By `performance.now()`: this host has not been silent until then. */
  #lastBeat = performance.now();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: PeersOptions) {
    this.#options = options;
    this.#secret = options.tls ? randomBytes(32).toString("base64url") : undefined;
    this.#warnings = new LimitedWarnings(options.host);
  }

  /** @throws {DmaBufError} As {@link Port.listen}. */
  static async join(options: PeersOptions): Promise<HostPeers> {
    const peers = new HostPeers(options);
    try {
      await peers.#begin();
    } catch (error) {
      await peers.close();
      throw error;
    }
    return peers;
  }

  async #begin(): Promise<void> {
    const { bind, port, limit, peers, servers, nats, name, cluster } = this.#options;
    this.#port = await Port.listen(bind, port, {
      redeem: (ticket) => this.#tickets.redeem(ticket),
      greet: (socket, line, hello) => this.#greet(socket, line, hello),
      warnings: this.#warnings,
      tls: this.#tlsKeys(),
    });
    this.#lastBeat = performance.now();
    this.#timer = setInterval(() => this.#beat(), limit / BEATS);
    for (const address of peers) void this.#keep(address);
    if (servers.length === 0) return;
    const host = {
      facts: () => this.#facts,
      ownFacts: () => this.#ownFacts,
      warnings: this.#warnings,
      issueControl: () => this.#controlTickets.issue(true, this, TICKET_LIMIT),
      found: (id: string) => this.#found(id),
    };
    this.#directory = await NatsDirectory.join(host, cluster, { servers, name, more: nats });
    await this.#directory.listens();
  }

  get self(): { readonly id: string; readonly name: string; readonly incarnation: number; readonly address: string } {
    const { name, advertise } = this.#options;
    const address = advertise ?? this.#port.address;
    return { id: this.#id, name, incarnation: this.#incarnation, address };
  }

  get ownTls(): TlsKey | undefined {
    return this.#secret === undefined ? undefined : hostTlsKey(this.#secret);
  }

  get all(): readonly Link[] {
    return [...this.#links.values()];
  }

  onPeer(heard: (peer: Peer) => void): () => void {
    this.#heard.add(heard);
    for (const link of this.all) heard(link);
    return () => this.#heard.delete(heard);
  }

  serve(name: string, service: Service): void {
    this.#services.set(name, service);
  }

  issue(peer: Peer, serve: (socket: Socket) => void, limit = TICKET_LIMIT): string {
    const admit = (socket: Socket): void => {
      const end = (): void => void socket.destroy();
      peer.lost.addEventListener("abort", end, { once: true });
      socket.once("close", () => peer.lost.removeEventListener("abort", end));
      serve(socket);
    };
    return this.#tickets.issue(admit, peer, limit);
  }

  /** The connection to NATS, where there is one. */
  get nats(): NatsConnection | undefined {
    return this.#directory?.nats;
  }

  async reach(id: string, signal?: AbortSignal): Promise<Peer> {
    signal?.throwIfAborted();
    const link = this.#links.get(id) ?? (await this.#meetToReach(id, signal));
    signal?.throwIfAborted();
    if (link === undefined) throw new DmaBufError("ESRCH", `There is no host ${id}`);
    return link;
  }

  async close(): Promise<void> {
    if (this.#end.signal.aborted) return;
    this.#end.abort(new DmaBufError("ECANCELED", "This host has left"));
    clearInterval(this.#timer);
    for (const link of this.all) link.leave(new DmaBufError("ESRCH", "The host has left"));
    this.#tickets.void();
    this.#controlTickets.void();
    // Without a port it could not begin.
    (this.#port as Port | undefined)?.close();
    this.#warnings.flush();
    await this.#directory?.close();
  }

  get #facts(): HostFacts {
    return { ...this.self, limit: this.#options.limit };
  }

  get #ownFacts(): HostFacts {
    return { ...this.#facts, ...(this.#secret !== undefined && { secret: this.#secret }) };
  }

  /** secure.1. */
  #tlsKeys(): TlsKey[] | undefined {
    const { key } = this.#options;
    if (this.#secret === undefined) return undefined;
    return [hostTlsKey(this.#secret), ...(key === undefined ? [] : [sharedTlsKey(key)])];
  }

  /** Connects to an address, and again whenever there is no link to the host there. */
  async #keep(address: string): Promise<void> {
    const { signal } = this.#end;
    let found: string | undefined;
    while (!signal.aborted) {
      try {
        const isLinked = this.all.some(({ facts }) => facts.address === address || facts.id === found);
        if (!isLinked) found = (await this.#connect({ address })).id;
      } catch (error) {
        if (error instanceof OwnAddress) return;
        if (error instanceof Linked) found = error.id;
        else this.#warnOf(address, error);
      }
      await pause(TRY_AGAIN, undefined, { signal }).catch(() => {});
    }
  }

  /** A host has told that it is there. */
  #found(id: string): void {
    if (this.#links.has(id) || this.#meeting.has(id) || this.#end.signal.aborted) return;
    this.#meetOnce(id).catch((error: unknown) => this.#warnOf(id, error));
  }

  /** Connects to a host by a ticket of its own, unless it does so already. */
  #meetOnce(id: string): Promise<void> {
    const meeting = this.#meeting.get(id) ?? this.#meet(id).finally(() => this.#meeting.delete(id));
    this.#meeting.set(id, meeting);
    return meeting;
  }

  /** host-peers.7. */
  async #meetToReach(id: string, signal?: AbortSignal): Promise<Link | undefined> {
    try {
      await this.#meetOnce(id);
      return this.#links.get(id);
    } catch (cause) {
      signal?.throwIfAborted();
      if (["ESRCH", "ETIMEDOUT"].includes(codeOf(cause))) throw cause;
      throw new DmaBufError("ESRCH", `Cannot reach host ${id}: ${textOf(cause)}`, { cause });
    }
  }

  async #meet(id: string): Promise<void> {
    if (this.#directory === undefined) throw new DmaBufError("ESRCH", `There is no host ${id}`);
    try {
      const { ticket, host } = await this.#directory.ask(id);
      await this.#connect({ address: host.address, ticket, secret: host.secret });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      // It connects to this one just now.
      await this.#linked(id);
    }
  }

  /** Until there is a link to the host, or it has taken too long. */
  #linked(id: string): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        end();
        resolve();
      };
      const timer = setTimeout(done, CONNECT_LIMIT);
      const end = this.onPeer((peer) => {
        if (peer.id === id) setImmediate(done);
      });
    });
  }

  /** A host that is not there yet is no news. */
  #warnOf(where: string, error: unknown): void {
    const code = codeOf(error);
    if (["EACCES", "EPROTO", "EINVAL"].includes(code)) {
      this.#warnings.warn(`Cannot connect to the host ${where}: ${textOf(error)}`);
    }
  }

  async #connect({ address, ticket, secret: theirs }: Way): Promise<HostFacts> {
    const { signal } = this.#end;
    const { key } = this.#options;
    const secret = ticket ?? key;
    if (secret === undefined) throw new DmaBufError("EINVAL", `Cannot connect to ${address}: there is no key`);
    const incarnation = this.#incarnation;
    const socket = await connectTo({ address, limit: CONNECT_LIMIT, signal, tls: this.#tlsKeyTo(address, theirs) });
    let proved: string | undefined;
    try {
      const facts = await approach(socket, ticket, {
        ...this.#terms(secret),
        decide: (other) => {
          this.#decideToProve(other);
          this.#proving.add((proved = other.id));
        },
      });
      if (incarnation !== this.#incarnation || signal.aborted) throw new DmaBufError("ECANCELED", "This host has left");
      this.#add(socket, withAddress(facts, address));
      return facts;
    } catch (error) {
      socket.destroy();
      if (proved !== undefined) this.#hearStale(error, incarnation);
      throw error;
    } finally {
      if (proved !== undefined) this.#proving.delete(proved);
    }
  }

  #tlsKeyTo(address: string, secret: string | undefined): TlsKey | undefined {
    const { tls, key } = this.#options;
    if (!tls) return undefined;
    if (secret !== undefined) return hostTlsKey(secret);
    if (key !== undefined) return sharedTlsKey(key);
    throw new DmaBufError("EPROTO", `Cannot connect to ${address}: it has not the option "tls"`);
  }

  /** host-peers.6. @param incarnation The one that was refused. */
  #hearStale(error: unknown, incarnation: number): void {
    if (codeOf(error) !== "ESTALE" || error instanceof PastIncarnation || incarnation !== this.#incarnation) return;
    this.#comeBack("another host counts it as lost");
  }

  #terms(secret: string): Omit<Approach, "decide"> {
    return { self: this.#ownFacts, cluster: this.#options.cluster, secret };
  }

  /** handshake.4. */
  #decideToProve(other: HostFacts): void {
    if (other.id === this.#id) throw new OwnAddress();
    this.#checkPast(other);
    if (this.#links.has(other.id)) throw new Linked(other.id);
  }

  async #greet(socket: Socket, line: string, hello: Hello): Promise<void> {
    const { ticket } = hello;
    const secret =
      ticket === undefined ? this.#options.key : this.#controlTickets.redeem(ticket) === undefined ? undefined : ticket;
    if (secret === undefined) {
      const error = new DmaBufError(
        "EACCES",
        ticket === undefined ? "No host is let in without a ticket" : "The ticket is not known",
      );
      refuse(socket, error);
      throw error;
    }
    const incarnation = this.#incarnation;
    const before = this.#links.get(hello.host?.id ?? "");
    const facts = await answer(socket, line, hello, {
      ...this.#terms(secret),
      decide: (other) => {
        if (incarnation !== this.#incarnation) throw new DmaBufError("EAGAIN", "The host has a new incarnation");
        this.#decideToWelcome(other, before);
      },
    }).catch((error: unknown) => {
      this.#hearStale(error, incarnation);
      // Two that connect at the same time, and a host that finds itself, are no news.
      if (!["EEXIST", "ESTALE", "ECONNRESET"].includes(codeOf(error))) throw error;
      return undefined;
    });
    if (facts !== undefined) this.#add(socket, withAddress(facts, socket.remoteAddress));
  }

  /** @param before The link to it when this host was greeted. */
  #decideToWelcome(other: HostFacts, before: Link | undefined): void {
    if (other.id === this.#id) throw new DmaBufError("EEXIST", "That is this host itself");
    this.#checkPast(other);
    // handshake.5
    if (this.#proving.has(other.id) && this.#id < other.id) {
      throw new DmaBufError("EEXIST", "This host connects to it just now");
    }
    const link = this.#links.get(other.id);
    if (link === undefined) return;
    // handshake.6
    if (link !== before && link.incarnation >= other.incarnation) throw new Linked(other.id);
    link.lose(new DmaBufError("ESRCH", `${link.title} has connected again`));
  }

  /** host-peers.6. */
  #checkPast({ id, incarnation }: HostFacts): void {
    if (incarnation > (this.#past.get(id) ?? 0)) return;
    throw new PastIncarnation(incarnation);
  }

  #add(socket: Socket, facts: HostFacts): void {
    if (this.#links.has(facts.id)) throw new Linked(facts.id);
    const link = new Link(socket, facts, {
      answer: (peer, service, body) => this.#answer(peer, service, body),
      hear: (peer, service, body) => this.#hear(peer, service, body),
      heard: () => !this.#wasSilent(),
      lost: (peer) => this.#forget(peer),
    });
    this.#links.set(facts.id, link);
    link.begin();
    if (!link.lost.aborted) for (const heard of this.#heard) heard(link);
  }

  #forget(link: Link): void {
    if (this.#links.get(link.id) === link) this.#links.delete(link.id);
    this.#tickets.void(link);
  }

  async #answer(peer: Link, service: string, body: JsonValue): Promise<JsonValue> {
    const answers = this.#services.get(service)?.answer;
    if (answers === undefined) throw new DmaBufError("ENOENT", `There is no service "${service.slice(0, 40)}"`);
    return answers(peer, body);
  }

  #hear(peer: Link, service: string, body: JsonValue): void {
    try {
      this.#services.get(service)?.hear?.(peer, body);
    } catch (error) {
      this.#warnings.warn(`What ${peer.title} has told (${service.slice(0, 40)}) was not taken: ${textOf(error)}`);
    }
  }

  #beat(): void {
    if (this.#wasSilent()) return;
    this.#lastBeat = performance.now();
    for (const link of this.all) link.beat();
    // What has come is heard first.
    setImmediate(() => this.#look());
  }

  /** host-peers.1. */
  #look(): void {
    if (this.#end.signal.aborted || this.#wasSilent()) return;
    const now = performance.now();
    for (const link of this.all) {
      const limit = Math.max(this.#options.limit, link.facts.limit);
      if (now - link.lastHeard <= limit) continue;
      this.#remember(link);
      link.lose(new DmaBufError("ESRCH", `${link.title} was silent for ${Math.round(now - link.lastHeard)} ms`));
    }
  }

  #remember({ id, incarnation }: Link): void {
    this.#past.delete(id);
    this.#past.set(id, incarnation);
    if (this.#past.size <= MOST_PAST) return;
    const [oldest] = this.#past.keys();
    this.#past.delete(oldest!);
  }

  /** host-peers.5. */
  #wasSilent(): boolean {
    if (this.#end.signal.aborted) return true;
    const silence = performance.now() - this.#lastBeat;
    if (silence <= this.#options.limit) return false;
    this.#comeBack(`it was silent for ${Math.round(silence)} ms, and counts as lost to others`);
    return true;
  }

  #comeBack(why: string): void {
    this.#lastBeat = performance.now();
    this.#incarnation++;
    this.#tickets.void();
    this.#controlTickets.void();
    for (const link of this.all) link.lose(new DmaBufError("ESRCH", `This host comes back: ${why}`));
    this.#directory?.announce();
    this.#warnings.warn(
      `Host ${JSON.stringify(this.#options.name)} comes back as incarnation ${this.#incarnation}: ${why}`,
    );
  }
}

/** An address that is this host's own. */
class OwnAddress extends DmaBufError {
  constructor() {
    super("EEXIST", "That is this host itself");
  }
}

/** Another host comes as one that was lost. */
class PastIncarnation extends DmaBufError {
  constructor(incarnation: number) {
    super("ESTALE", `Incarnation ${incarnation} was silent for too long, and counts as lost`);
  }
}

/** There is a link to that host already. */
class Linked extends DmaBufError {
  readonly id: string;

  constructor(id: string) {
    super("EEXIST", "There is a connection to that host");
    this.id = id;
  }
}
