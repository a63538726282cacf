import { hostname } from "node:os";
import { check, checkOptions, FUNCTION, instance } from "../arguments.js";
import { agentOf } from "../domain-base.js";
import { DmaBufError } from "../errors.js";
import { FENCE, type Fence } from "../fence/fence.js";
import type { Follower } from "../node/messages/follower.js";
import { ProcessDomain } from "../node/process-domain.js";
import type { FrameStream } from "../stream/frame-stream.js";
import type { JsonValue } from "../stream/metadata.js";
import { AgentCalls, type Calls } from "./calls.js";
import { HostFences } from "./fences/host-fences.js";
import {
  inTime,
  REMOTE_FENCE,
  REMOTE_FENCE_OPTIONS,
  remoteHandle,
  type RemoteFenceHandle,
  type RemoteFenceOptions,
} from "./fences/remote-fence.js";
import { HostPeers } from "./host-peers.js";
import { infoOf, type HostInfo, type HostsView, type OtherHost } from "./hosts-info.js";
import { CONNECT_HOSTS, HOSTS, type ConnectHostsOptions, type HostsOptions } from "./hosts-options.js";
import { HostJobs } from "./jobs/host-jobs.js";
import type { HostQueue, HostQueueOptions } from "./jobs/host-queue.js";
import type { HostJobWork, HostWorker, HostWorkerOptions } from "./jobs/host-worker.js";
import type { Link } from "./links/link.js";
import { AgentConnection } from "./local/agent-connection.js";
import { AgentDoor } from "./local/agent-door.js";
import type { Peers } from "./peers.js";
import {
  findStream,
  followStream,
  LIST,
  WANT,
  type FindStreamOptions,
  type FollowStreamOptions,
} from "./streams/find-stream.js";
import { HostStreams, type HostRelay, type RemoteStream } from "./streams/host-streams.js";

/** What a host does with others, as streams, fences and jobs. */
interface HostPart {
  close(): void | Promise<void>;
}

/** What is behind a face: the agent's own parts, or a connection to the agent. */
interface Way {
  readonly domain: ProcessDomain;
  readonly view: HostsView;
  /** Asks the agent, also where it is this thread. */
  readonly calls: Calls;
  /** Where this thread is the agent. */
  readonly peers?: HostPeers;
  readonly jobs?: HostJobs;
  readonly streams?: HostStreams;
  /** In the order in which they were made. */
  readonly parts: readonly HostPart[];
}

const DOMAIN = instance(ProcessDomain);

/** @public To the tests alone, which need it (knip takes the word), where the host's agent is in this thread. */
export let peersOf: (hosts: Hosts) => Peers;

/**
 * Several hosts, of which each has a domain of its own.
 *
 * @example
 * ```ts
 * import { Hosts } from "dmabuf/hosts";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", key: "known to all of them" });
 * console.log(hosts.self.name, hosts.self.address, hosts.list().length);
 * ```
 */
export class Hosts implements AsyncDisposable {
  static {
    peersOf = (hosts) => {
      const { peers } = hosts.#way;
      if (peers === undefined) throw new DmaBufError("EINVAL", "This thread is no agent of a host");
      return peers;
    };
  }

  readonly #way: Way;
  readonly #forgetDomain: () => void;

  private constructor(way: Way) {
    this.#way = way;
    // What is left of this when its domain is.
    this.#forgetDomain = agentOf(way.domain).ending.onEnd(() => void this.close());
  }

  /**
   * Makes this thread the agent of its host: it listens for other hosts, and connects to them. One process of each host does so,
   * with the domain that the host's processes are in.
   *
   * @throws {DmaBufError} `EADDRINUSE`, `EADDRNOTAVAIL` and others if it cannot listen there; `ECONNREFUSED`, `EACCES`, `ETIMEDOUT`
   *   and others if none of the servers lets it in; `ENOENT` if the client of NATS is not installed; `EINVAL` if there is neither
   *   `servers` nor `key`, or `peers` without `key`; `EADDRINUSE` also if the domain has an agent for its host; `EBADF` if this thread has left the domain.
   */
  static async join(domain: ProcessDomain, options: HostsOptions): Promise<Hosts> {
    check("Hosts.join()", "domain", domain, DOMAIN);
    checkOptions("Hosts.join()", options, HOSTS);
    checkJoined(domain);
    const { bind, port = 0, advertise, servers = [], nats = {}, peers = [], key, tls = false } = options;
    if (key === undefined && (servers.length === 0 || peers.length > 0)) {
      throw new DmaBufError("EINVAL", "Cannot join other hosts: without servers, and for peers, a key is needed");
    }
    const { name = hostname().slice(0, MOST_NAME), cluster = "dmabuf", hostLimit: limit = HOST_LIMIT } = options;
    const { offers = "all" } = options;
    const { host } = agentOf(domain);
    const settings = { name, bind, port, advertise, servers, nats, peers, key, tls, cluster, limit, host };
    const agents = await HostPeers.join(settings);
    const view: HostsView = {
      get self() {
        return infoOf(agents.self);
      },
      get others() {
        return agents.all.map(otherOf);
      },
      onHost: (heard) => agents.onPeer((peer) => heard(otherOf(peer as Link))),
      close: () => agents.close(),
    };
    const calls = new AgentCalls();
    try {
      const door = new AgentDoor(domain.id, view, calls, options.users ?? [], host);
      const fences = new HostFences(agents, domain);
      calls.serve(WAIT, (body, signal) => waitFor(fences, body, signal));
      const streams = new HostStreams(agents, domain, { limit, offers });
      calls.serve(WANT, (body, signal) => streams.wanted(body, signal));
      calls.serve(LIST, () => streams.remote as unknown as JsonValue);
      const jobs = new HostJobs(agents, domain, {
        nats: agents.nats,
        cluster,
        cacheBytes: options.cacheBytes,
        address: () => agents.self.address,
        warn: (message) => host.warn(message),
      });
      return new Hosts({ domain, view, calls, peers: agents, jobs, streams, parts: [door, fences, streams, jobs] });
    } catch (error) {
      await agents.close();
      throw error;
    }
  }

  /**
   * Uses other hosts through the agent of this process's host: a process, also this one, that has called {@link join} with a thread
   * of this domain, or runs `npx dmabuf host`.
   *
   * @throws {DmaBufError} `ENOENT` if the domain has no such agent; `EACCES` if this user may not ask it, or if it is not among
   *   `users`; `ETIMEDOUT`; `EBADF` if this thread has left the domain. The signal's reason if it aborts.
   *
   * @example
   * ```ts
   * import { Hosts } from "dmabuf/hosts";
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.listen("@hosts-of-example");
   * await using agent = await Hosts.join(domain, { bind: "127.0.0.1", key: "known to all of them" });
   * // Mostly in another process:
   * using other = await ProcessDomain.connect("@hosts-of-example");
   * await using hosts = await Hosts.connect(other);
   * console.log(hosts.self.id === agent.self.id); // true
   * ```
   */
  static async connect(domain: ProcessDomain, options: ConnectHostsOptions = {}): Promise<Hosts> {
    check("Hosts.connect()", "domain", domain, DOMAIN);
    checkOptions("Hosts.connect()", options, CONNECT_HOSTS);
    checkJoined(domain);
    const { timeout = CONNECT_LIMIT, signal, users = [] } = options;
    const end = performance.now() + timeout;
    const agent = await AgentConnection.open(domain.id, users, { end, signal });
    return new Hosts({ domain, view: agent, calls: agent, parts: [] });
  }

  /** This host. */
  get self(): HostInfo {
    return this.#way.view.self;
  }

  /** The other hosts that live to this one. */
  list(): OtherHost[] {
    return [...this.#way.view.others];
  }

  /** Calls for each host that is there and for each that comes, until what is returned is called. */
  onHost(heard: (host: OtherHost) => void): () => void {
    check("Hosts.onHost()", "heard", heard, FUNCTION);
    return this.#way.view.onHost(heard);
  }

  /**
   * A queue of jobs for the workers of that name, of all hosts.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if this host has no servers of NATS, or this thread is not its agent; `EINVAL` if the name is none; `ENOSPC` if the domain has no
   *   timeline left; `EBADF` once this host has left.
   * @throws {RangeError} Naming the option that is out of range.
   */
  createQueue(options: HostQueueOptions): HostQueue {
    return this.#jobs("create a queue").createQueue(options);
  }

  /**
   * Runs the jobs of a queue here, until the worker is closed.
   *
   * @param name The queue's.
   * @param run Does the work of one job. It may run twice for one job, here or elsewhere: so it changes nothing but the job's buffers.
   * @throws {DmaBufError} `EOPNOTSUPP` if this host has no servers of NATS, or this thread is not its agent; `EINVAL` if the name is none; `EBADF` once this host has left.
   * @throws {RangeError} Naming the option that is out of range.
   * @example
   * ```ts device
   * import { Hosts } from "dmabuf/hosts";
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.create();
   * await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", servers: ["nats://127.0.0.1:4222"] });
   * await using worker = hosts.work("inverted", { slots: 2 }, async ({ reads: [from], writes: [to] }) => {
   *   if (from === undefined || to === undefined) throw new RangeError("two buffers are needed");
   *   using source = await from.access("read");
   *   using target = await to.access("write");
   *   target.bytes.forEach((_, i) => (target.bytes[i] = 255 - (source.bytes[i] ?? 0)));
   * });
   * ```
   */
  work(name: string, options: HostWorkerOptions, run: HostJobWork): HostWorker {
    return this.#jobs("work").work(name, options, run);
  }

  /**
   * A fence of this host as plain data, which other hosts wait for by {@link Hosts.fence}: send it by whatever way there is.
   *
   * @throws {DmaBufError} As `fence.handle()`; `EINVAL` for a fence of another domain; `EBADF` if this thread has left the domain.
   *
   * @example
   * ```ts
   * import { Hosts } from "dmabuf/hosts";
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.create();
   * await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", key: "known to all of them" });
   * using timeline = domain.createTimeline({ name: "render" });
   * const fence = timeline.createFence();
   * const text = JSON.stringify(hosts.share(fence));
   * fence.signal();
   * // Mostly on another host:
   * using rendered = hosts.fence(JSON.parse(text));
   * console.log(await rendered.wait()); // "signaled"
   * ```
   */
  share(fence: Fence): RemoteFenceHandle {
    check("Hosts.share()", "fence", fence, FENCE);
    const { domain, view } = this.#way;
    checkJoined(domain);
    const handle = fence.handle();
    if (handle.domain !== domain.id) {
      throw new DmaBufError("EINVAL", "Cannot share the fence: it is of another domain than the host's");
    }
    return remoteHandle(view.self.id, view.self.incarnation, handle);
  }

  /**
   * A fence of this host's domain for one of another host. It ends once: as the other one does; with `ETIMEDOUT` after its time limit
   * here; with `ESRCH` when that host is lost, or cannot be reached; with `ESTALE` if it is of an earlier incarnation. What it ends
   * with here changes nothing at the other host.
   *
   * @throws {DmaBufError} `ENOSPC` if too many published fences are pending; `EINVAL` if this is no such handle; `EBADF` if this
   *   thread has left the domain.
   */
  fence(handle: RemoteFenceHandle, options: RemoteFenceOptions = {}): Fence {
    check("Hosts.fence()", "handle", handle, REMOTE_FENCE);
    checkOptions("Hosts.fence()", options, REMOTE_FENCE_OPTIONS);
    const { domain, calls } = this.#way;
    checkJoined(domain);
    const { timeout = handle.limit } = options;
    const body = { timeout, handle: handle as unknown as JsonValue };
    const work = inTime(timeout, (signal) => calls.call(WAIT, body, signal));
    return domain.fenceFrom(work, { name: "other host", timeLimit: timeout });
  }

  /**
   * The streams that other hosts offer.
   *
   * @throws {DmaBufError} `ESRCH` if this host's agent is gone.
   */
  async streams(): Promise<RemoteStream[]> {
    return (await this.#way.calls.call(LIST, null)) as unknown as RemoteStream[];
  }

  /**
   * A stream by its name, to consume from it as from any other: this host's own, or else that of another host, whose frames come
   * as soon as a consumer is there. All consumers of this host have them by one copy over the network, and no further copy is made.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if there is none in time; `ENOSPC` or `ENOMEM` if this host has no room for it; `ESRCH` if this
   *   host's agent is gone; `EBADF` if it has left the others, or this thread the domain. The signal's reason if it aborts.
   *
   * @example
   * ```ts
   * import { rawFormat } from "dmabuf";
   * import { Hosts } from "dmabuf/hosts";
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using here = ProcessDomain.create();
   * using there = ProcessDomain.create();
   * const key = "known to all of them";
   * await using hosts = await Hosts.join(here, { bind: "127.0.0.1", key });
   * await using others = await Hosts.join(there, { bind: "127.0.0.1", key, peers: [hosts.self.address] });
   * using camera = here.createStream({ name: "camera", format: rawFormat(4) });
   * using stream = await others.findStream("camera", { policy: "block", timeout: 5_000 });
   * using consumer = stream.frames();
   * using loan = await camera.loan();
   * loan?.publish({ data: { note: "from another host" } });
   * using frame = await consumer.next({ timeout: 5_000 });
   * console.log(frame?.sequence, frame?.data);
   * ```
   */
  async findStream(name: string, options: FindStreamOptions = {}): Promise<FrameStream> {
    const { calls, domain } = this.#way;
    checkJoined(domain);
    return findStream(calls, domain, name, options);
  }

  /**
   * As `follow()` of a domain, for streams of all hosts: the frames of one stream of the name, and when its producer or its host
   * is lost, those of the next one.
   *
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  follow<Data = JsonValue>(name: string, options: FollowStreamOptions = {}): Follower<Data> {
    const { calls, domain } = this.#way;
    return followStream(calls, domain, name, options);
  }

  /**
   * Calls whenever frames of a stream begin to go from one host to another, in either direction, until what is returned is called.
   * They go while a host has a consumer of the other one's stream.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if this thread is not the agent of its host.
   */
  onRelay(heard: (relay: HostRelay) => void): () => void {
    check("Hosts.onRelay()", "heard", heard, FUNCTION);
    const { streams } = this.#way;
    if (streams !== undefined) return streams.onRelay(heard);
    throw new DmaBufError("EOPNOTSUPP", "Cannot hear of relays: this thread is not the agent of its host");
  }

  /** Leaves the other hosts; where this is the host's agent, the host is lost to them. Twice does nothing. */
  async close(): Promise<void> {
    this.#forgetDomain();
    const { parts, view } = this.#way;
    for (const part of [...parts].reverse()) await part.close();
    await view.close();
  }

  #jobs(what: string): HostJobs {
    const { jobs } = this.#way;
    if (jobs !== undefined) return jobs;
    const why =
      "jobs are calls of the thread that has called Hosts.join(), and not of those that use it by Hosts.connect()";
    throw new DmaBufError("EOPNOTSUPP", `Cannot ${what}: ${why}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Milliseconds. */
const HOST_LIMIT = 1_000;
const MOST_NAME = 31;

const CONNECT_LIMIT = 5_000;

/** The call that waits for a fence of another host. */
const WAIT = "wait for a fence";

function waitFor(fences: HostFences, body: JsonValue, signal: AbortSignal): Promise<null> {
  const { handle, timeout } = body as unknown as { readonly handle: RemoteFenceHandle; readonly timeout: number };
  return fences.wait(handle, timeout, signal).then(() => null);
}

function checkJoined(domain: ProcessDomain): void {
  if (domain.isClosed) throw new DmaBufError("EBADF", "Cannot use other hosts: this thread has left the domain");
}

function otherOf({ id, name, incarnation, facts, lost }: Link): OtherHost {
  return { id, name, incarnation, address: facts.address, lost };
}
