import type { ChildProcess, ForkOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { resolve } from "node:path";
import { isMainThread, threadId } from "node:worker_threads";
import { check, checkList, checkOptions, NAME, OBJECT, TEXT, type Kind, type Kinds } from "../arguments.js";
import { allOrNothing } from "../all-or-nothing.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import { HANDLE_MODE } from "../buffer/handle.js";
import { CARRIER } from "../buffer/storage-carrier.js";
import { agentOptions, DomainBase, putTogether } from "../domain-base.js";
import { JOIN, type JoinOptions } from "../join-options.js";
import { Agent } from "../domain/agent.js";
import { sayWhere, slotOf, type Identity } from "../domain/agent-slot.js";
import { INVITE, INVITE_LIMIT, type InviteOptions } from "../invite-options.js";
import { Core, sharedBits } from "../domain/feature.js";
import { take, takeSync } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { FEATURES, featuresOfNew, type AllMembers } from "../features.js";
import { createLifeline, watchPort } from "../host/lifeline.js";
import { STREAM_TABLE } from "../stream/feature.js";
import { type FrameStream } from "../stream/frame-stream.js";
import type { JsonValue } from "../stream/metadata.js";
import { sendDomain, requestDomain, checkJoinRequest } from "./joining/join-protocol.js";
import type { ControlSegment } from "./joining/control-segment.js";
import { makeDescriptorDirectory, type DescriptorDirectory } from "./messages/descriptor-directory.js";
import { enterExisting, enterInvited, enterNew, enterShared, type Entry } from "./joining/entry.js";
import { FOLLOW, makeFollower, type Follower, type FollowOptions } from "./messages/follower.js";
import { listDomains, type DomainList } from "./observing/listed-domains.js";
import { observeDomain, type DomainObserver, type ObserveOptions } from "./observing/domain-observer.js";
import { makeBufferFile, type BufferFile, type OpenFileOptions } from "./memory/buffer-file.js";
import { PROGRAM_FILE } from "./joining/program-file.js";
import { FileCarrier, type ExportableMemory } from "./memory/file-carrier.js";
import { connectInTime, ListeningSocket } from "./connecting/listening-socket.js";
import { DmaBufError } from "../errors.js";
import type { Host } from "../host/host.js";
import { traced } from "../trace/traced.js";
import { processHost } from "./host.js";
import { PostOffice } from "./messages/post-office.js";
import {
  acceptInvitation,
  checkInvitation,
  createInvitation,
  type InvitationEnds,
  type ProcessInvitation,
  type WorkerInvitation,
} from "./joining/invitation.js";
import { findInheritance, forgetInvitation, forkWith, leaveForWorkers } from "./joining/inheritance.js";
import {
  checkPlace,
  CONNECT,
  INHERIT,
  LISTEN,
  type ConnectOptions,
  type InheritOptions,
  type ListenOptions,
} from "./joining/join-options.js";
import { KnownUsers } from "./connecting/known-users.js";
import { endConnection, letGoConnection } from "./resources/let-go.js";
import type { WaitLimits } from "./connecting/json-lines.js";
import { Acceptor } from "./connecting/acceptor.js";
import { leaveLedger, releaseEnded } from "./resources/process-ledgers.js";
import type { LedgerEntry, ResourceLedger } from "./resources/resource-ledger.js";
import type { Membership, Reservation } from "./joining/membership.js";
import {
  CONTRIBUTOR_SERVICE,
  type ContributorServer,
  type ServeContributorsOptions,
} from "./visitors/contributor-server.js";
import { VIEWER_SERVICE, type ServeViewersOptions, type ViewerServer } from "./visitors/viewer-server.js";
import { serve, type ServiceHost } from "./visitors/visitor-service.js";
import { descriptorOf } from "./resources/socket-descriptor.js";
import { StreamDirectory } from "./messages/stream-directory.js";
import { threadLedger } from "./resources/thread-ledger.js";
import { closeDescriptor, pageSize, processId } from "./system-calls/index.js";

/**
 * Milliseconds between two looks whether others have died. Mostly a connection's end or a worker's tells earlier; this is
 * for those without a connection, and for agents whose event loop does not turn.
 */
const REAP_EVERY = 50;
const CONNECT_TIMEOUT = 5_000;
const JOINING = "Cannot join the domain";

const OPEN_FILE: Kinds<OpenFileOptions> = { mode: HANDLE_MODE };
const LENGTH: Kind = {
  wanted: "a multiple of the page size",
  isKind: (value) => typeof value === "number",
  isTaken: (length: number) => Number.isSafeInteger(length) && length > 0 && length % pageSize() === 0,
};

/** What a domain is put together from. */
interface Parts {
  readonly segment: ControlSegment;
  readonly membership: Membership;
  readonly ledger: ResourceLedger;
  readonly agent: Agent;
  readonly post: PostOffice;
  readonly carrier: FileCarrier;
}

export interface ProcessDomain extends AllMembers {}

/** For the library's own use: the streams of a domain, as this agent knows them. */
export let directoryOf: (domain: ProcessDomain) => StreamDirectory;

/**
 * A domain of processes: buffers are memory files, waiting is by futex and pipe, and the kernel tells of deaths. Every
 * member may write to the control segment: members trust each other.
 *
 * @example
 * ```ts
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.listen("@domain-of-example");
 * // Mostly in another process:
 * using other = await ProcessDomain.connect("@domain-of-example", { name: "other" });
 * using buffer = domain.allocate(4096, { name: "shared" });
 * using handle = buffer.handle();
 * using imported = other.import(handle);
 * console.log(imported.size, domain.agents);
 * ```
 */
export class ProcessDomain extends DomainBase {
  /** Descriptors of other kinds, which agents give each other by name. */
  readonly descriptors: DescriptorDirectory;
  readonly #parts: Parts;
  readonly #directory: StreamDirectory;
  readonly #acceptor: Acceptor;
  readonly #listening = new Set<ListeningSocket>();
  /** What ends the watches on those that were invited and have not ended. */
  readonly #invited = new Map<Identity, () => void>();
  /** What ends with the domain. */
  readonly #endings = new Set<() => void>();
  #isShared = false;

  static {
    directoryOf = (domain) => domain.#directory;
  }

  private constructor(parts: Parts, options: ListenOptions) {
    super();
    const { segment, ledger, agent, post, carrier } = parts;
    const core = new Core(agent, options);
    core.provide(CARRIER, carrier);
    putTogether(this, core, FEATURES);
    this.#parts = parts;
    const streams = core.get(STREAM_TABLE);
    // Other processes find a stream by its name.
    this.#directory = streams.listing = new StreamDirectory(agent, post, (handle) => streams.open(handle));
    const { directory, end } = makeDescriptorDirectory(agent, ledger, post);
    this.descriptors = directory;
    this.#endings.add(end);
    this.#acceptor = new Acceptor({
      users: new KnownUsers(options.users),
      refusal: JOINING,
      accept: (connection, request) => {
        checkJoinRequest(request);
        sendDomain(descriptorOf(connection), segment.files);
        return undefined;
      },
      hungUp: () => this.#reapSoon(),
      host: agent.host,
    });
  }

  /** All that can fail once the domain is there. */
  #begin(): void {
    const { segment, agent, post } = this.#parts;
    const timer = setInterval(() => this.#reapDead(), REAP_EVERY).unref();
    this.#endings.add(() => clearInterval(timer));
    posts.add(post);
    this.#endings.add(() => posts.delete(post));
    const onSlice = (): void => {
      this.#reapDead();
      readPosts();
    };
    segment.attend(slotOf(agent.identity), () => post.hear(), onSlice);
    agent.addInterrupt(readPosts);
    this.#directory.ask();
  }

  /**
   * Makes a domain, with the calling thread as its first agent.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSYS` where there are no such domains (see `capabilities()`); `EMFILE` if there are not
   *   enough descriptors; `EFBIG` if the domain would be larger than one view of memory.
   */
  static create(options: ListenOptions = {}): ProcessDomain {
    checkOptions("ProcessDomain.create()", options, LISTEN);
    const shared = sharedBits(featuresOfNew(options));
    const { name = defaultName() } = options;
    return ProcessDomain.#enter(options, (ledger) => enterNew(options, shared, ledger, name));
  }

  /**
   * Makes a domain that other processes can connect to.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace.
   * @throws {DmaBufError} `EADDRINUSE` if a process listens there; otherwise as {@link create}.
   */
  static listen(where: string, options: ListenOptions = {}): ProcessDomain {
    checkPlace("ProcessDomain.listen()", where);
    return allOrNothing((orUndo) => {
      const domain = ProcessDomain.create(options);
      orUndo(() => domain.close());
      domain.listen(where);
      return domain;
    });
  }

  /**
   * Joins the domain of the process that listens there.
   *
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if no process listens there; `EACCES` if this user may not join, or
   *   if the listener's user is not among `users`; `EPROTO` if the layout's version is another, or what comes is no
   *   domain; `ENOSPC` if the domain is full; `ETIMEDOUT` if no answer comes in time; otherwise as {@link create}. The
   *   signal's reason if it aborts.
   */
  static async connect(where: string, options: ConnectOptions = {}): Promise<ProcessDomain> {
    checkPlace("ProcessDomain.connect()", where);
    checkOptions("ProcessDomain.connect()", options, CONNECT);
    const limits = limitsOf(options);
    const approach = { where, users: new KnownUsers(options.users), action: JOINING };
    return ProcessDomain.#joinThrough(await connectInTime(approach, limits), where, options, limits);
  }

  /**
   * Joins the domain of the process or thread that has started this one: by {@link fork}, or after
   * {@link shareWithWorkers}. Nothing is done with a descriptor that is not proved to be the domain's.
   *
   * @throws {DmaBufError} `ENOENT` if none has left a domain for this one; `EINVAL` if the descriptor is no invitation, or
   *   one that was used; `ESTALE` if no thread is in the domain any more. Otherwise as {@link connect}.
   */
  static async inherit(options: InheritOptions = {}): Promise<ProcessDomain> {
    checkOptions("ProcessDomain.inherit()", options, INHERIT);
    const { descriptor: named } = options;
    const left = named === undefined ? findInheritance() : { descriptor: named, id: undefined };
    if ("place" in left) return ProcessDomain.connect(left.place, options);
    if ("files" in left) {
      const { name = defaultName() } = options;
      return ProcessDomain.#enter(options, (ledger) => enterShared(left.files, ledger, name));
    }
    const { descriptor, id } = left;
    acceptInvitation(descriptor, new KnownUsers(options.users), id);
    if (named === undefined) forgetInvitation();
    return ProcessDomain.#joinThrough(descriptor, `descriptor ${descriptor}`, options, limitsOf(options));
  }

  /**
   * Joins the domain that another thread of this process has invited this one to.
   *
   * @throws {DmaBufError} `ESTALE` if the invitation is void, because it was used before or its inviter has left;
   *   otherwise as {@link create}.
   * @throws {TypeError} For an invitation to a domain of `dmabuf`, or what is none.
   */
  static join(invitation: WorkerInvitation, options: JoinOptions = {}): ProcessDomain {
    checkInvitation(invitation);
    checkOptions("ProcessDomain.join()", options, JOIN);
    const domain = ProcessDomain.#enter(options, (ledger) => enterInvited(invitation, ledger));
    domain.#endings.add(watchPort(invitation.port, () => domain.#reapSoon()));
    return domain;
  }

  /**
   * Looks at a domain from outside: without joining it, and without the help of its processes, which may hang or be stopped.
   * It needs the rights of ptrace on the process that it is found by: those of the same user, mostly.
   *
   * @param where The number of a process of the domain; or the place of a process that listens, a path, or "@" and an
   *   abstract name. No connection is made there.
   * @throws {DmaBufError} `ESRCH` if there is no such process, `ENOENT` or `ECONNREFUSED` if none listens there; `EACCES` if
   *   this process may not look into it; `ENOENT` if it is in no domain; `EINVAL` if it is in several, or not in the one that is
   *   named: the message lists them; `EPROTO` if the layout's version is another; `EOPNOTSUPP` if the kernel does not tell
   *   who listens at a place; `ENOSYS` where there are no such domains (see `capabilities()`).
   */
  static observe(where: string | number, options: ObserveOptions = {}): DomainObserver {
    return observeDomain(where, options);
  }

  /**
   * All domains of this machine whose processes may be looked into: mostly those of the same user. Nothing is asked of them.
   *
   * @throws {DmaBufError} `ENOSYS` where there are no such domains (see `capabilities()`).
   *
   * @example
   * ```ts
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using _domain = ProcessDomain.listen("@listed-by-example", { name: "camera" });
   * const { domains, hidden } = ProcessDomain.domains();
   * for (const { domain, agents, places } of domains) console.log(domain, agents.map(({ name }) => name), places);
   * console.log(hidden.length, "processes may not be looked into");
   * ```
   */
  static domains(): DomainList {
    return listDomains();
  }

  /**
   * Lets other processes connect. A domain can have several such places, in any of its processes: another process can
   * take over a place whose listener has died.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace. With the option
   *   `users` of the domain the mode is 0666, and the kernel says who connects.
   * @throws {DmaBufError} `EADDRINUSE` if a process listens there; `EBADF` if this thread has left the domain.
   */
  listen(where: string): void {
    checkPlace("ProcessDomain.listen()", where);
    this.checkJoined();
    this.#listening.add(new ListeningSocket(where, this.#acceptor));
    sayWhere(this.#parts.agent, where.startsWith("@") ? where : resolve(where));
  }

  /**
   * An invitation for one more thread of this process: post it there, with its `port` in the transfer list.
   *
   * @throws {DmaBufError} `ENOSPC` if the domain is full; `EBADF` if this thread has left the domain.
   */
  invite(options: InviteOptions = {}): WorkerInvitation {
    checkOptions("ProcessDomain.invite()", options, INVITE);
    this.checkJoined();
    const { segment, membership, agent } = this.#parts;
    const { name = "worker", limit = INVITE_LIMIT } = options;
    const reservation = membership.reserve(segment, name);
    const { mine, theirs } = createLifeline();
    const endWatch = watchPort(mine, () => {
      this.#unwatch(reservation);
      membership.release(reservation);
      this.#reapSoon();
    });
    const expire = (): void => void this.#release(reservation);
    const endLimit = limit === Infinity ? undefined : agent.host.after(limit, expire);
    this.#invited.set(reservation.identity, () => {
      endLimit?.();
      endWatch();
    });
    return { reservation, files: segment.files, port: theirs };
  }

  /**
   * Takes an invitation of {@link invite} back that was not used: the domain has its place for another thread soon.
   *
   * @returns Whether it was not used until now, so that no thread can join by it.
   * @throws {DmaBufError} `EINVAL` for an invitation of another thread; `EBADF` if this thread has left the domain.
   */
  revoke(invitation: WorkerInvitation): boolean {
    checkInvitation(invitation, "ProcessDomain.revoke()");
    this.checkJoined();
    if (this.#parts.membership.hasReserved(invitation.reservation)) return this.#release(invitation.reservation);
    throw new DmaBufError("EINVAL", "Cannot revoke the invitation: another thread has made it");
  }

  #release(reservation: Reservation): boolean {
    const isVoid = !this.isClosed && this.#parts.membership.release(reservation);
    if (!isVoid) return false;
    this.#unwatch(reservation);
    this.#reapDead();
    return true;
  }

  #unwatch({ identity }: Reservation): void {
    this.#invited.get(identity)?.();
    this.#invited.delete(identity);
  }

  /**
   * Starts a child process that joins the domain by {@link inherit}. All else is as with `fork()` of `node:child_process`; among
   * the child's descriptors there is one more, behind those of `stdio`.
   *
   * @param file The program.
   * @param args What it gets in `process.argv`.
   * @param options Those of `node:child_process`.
   * @throws {DmaBufError} `EMFILE` if there is no descriptor left; `EBADF` if this thread has left the domain.
   */
  fork(file: string | URL, args: readonly string[] = [], options: ForkOptions = {}): ChildProcess {
    check("ProcessDomain.fork()", "file", file, PROGRAM_FILE);
    const given = checkList("ProcessDomain.fork()", "args", args, TEXT);
    check("ProcessDomain.fork()", "options", options, OBJECT);
    const settings = { ...options };
    const { ends, close } = this.#invite();
    try {
      return forkWith(ends, file, given, settings);
    } finally {
      close();
    }
  }

  /**
   * Leaves the domain for all worker threads and child processes that this thread starts from now on: pools, clusters, and
   * what these start themselves. Each joins by {@link inherit}. A process that is given an environment of its own needs the variable
   * `DMABUF_DOMAIN` of this one in it. It ends with the domain, and does not keep the process alive.
   *
   * @throws {DmaBufError} `EBUSY` if this thread shares another domain already; `EBADF` if it has left the domain.
   */
  shareWithWorkers(): void {
    this.checkJoined();
    if (this.#isShared) return;
    const place = `@dmabuf ${randomUUID()}`;
    this.#endings.add(leaveForWorkers(this.#parts.segment.files, place));
    this.#isShared = true;
    this.#listening.add(new ListeningSocket(place, this.#acceptor).unref());
  }

  /**
   * An invitation for a child process that is not started by {@link fork}: `spawn(file, args, { stdio: [..., invitation.descriptor] })`.
   * The child joins by `inherit({ descriptor })`, with the number that this has there.
   *
   * @throws {DmaBufError} `EMFILE` if there is no descriptor left; `EBADF` if this thread has left the domain.
   */
  inviteProcess(): ProcessInvitation {
    const { ends, close } = this.#invite();
    return { descriptor: ends.theirs, close, [Symbol.dispose]: close };
  }

  #invite(): { readonly ends: InvitationEnds; readonly close: () => void } {
    this.checkJoined();
    const { ledger } = this.#parts;
    const ends = createInvitation();
    const [entry] = allOrNothing((orUndo) => {
      orUndo(() => closeDescriptor(ends.mine));
      return ledger.enter([ends.theirs]) as [LedgerEntry];
    });
    this.#acceptor.serve(new Socket({ fd: ends.mine }), true);
    let open = true;
    const close = (): void => {
      if (open) ledger.close(entry);
      open = false;
    };
    return { ends, close };
  }

  /**
   * Zeroed memory that can be exported, whole or in parts: memory of other places could not be reached by other processes.
   *
   * @param length Bytes, a multiple of the page size.
   * @throws {RangeError} If the length is none.
   * @throws {DmaBufError} `ENOMEM` if there is not so much; `EMFILE` if there is no descriptor left; `EBADF` if this
   *   thread has left the domain.
   */
  createMemory(length: number): ExportableMemory {
    check("ProcessDomain.createMemory()", "length", length, LENGTH);
    this.checkJoined();
    return this.#parts.carrier.createMemory(length);
  }

  /**
   * Opens a buffer as the file that its memory is, for a program or a library that takes a file. While it is open, the
   * buffer lives, and its memory stays where it is.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if the memory is not one whole file; `EACCES` to write through a handle to read, `EPERM`
   *   to write to sealed memory; `EAGAIN` while the memory is being moved; `EMFILE` if there is no descriptor left; `EBADF` if
   *   the buffer is closed, or this thread has left the domain.
   */
  openFile(buffer: DmaBuf, options: OpenFileOptions = {}): BufferFile {
    check("ProcessDomain.openFile()", "buffer", buffer, DMA_BUF);
    checkOptions("ProcessDomain.openFile()", options, OPEN_FILE);
    this.checkJoined();
    return makeBufferFile({ ledger: this.#parts.ledger, endings: this.#endings }, buffer, options);
  }

  /**
   * The stream of that name, to consume from it, as soon as there is one whose producer lives. Of several it is one that
   * has not ended; else which one is not said: names are not reserved.
   *
   * @param name At most 31 bytes of UTF-8.
   * @param options `timeout` in milliseconds, by default no limit, and `signal`, which ends the wait.
   * @throws {DmaBufError} `ETIMEDOUT` if there is none in time; `EBADF` if this thread has left the domain; the signal's
   *   reason if it aborts.
   */
  async findStream(name: string, options: WaitOptions = {}): Promise<FrameStream> {
    check("ProcessDomain.findStream()", "name", name, NAME);
    checkWait("ProcessDomain.findStream()", options);
    this.checkJoined();
    return take(this.#parts.agent, this.#directory.findStream(name, options.timeout), options);
  }

  /** As {@link findStream}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  findStreamSync(name: string, options: { readonly timeout?: number } = {}): FrameStream {
    check("ProcessDomain.findStreamSync()", "name", name, NAME);
    checkWaitSync("ProcessDomain.findStreamSync()", options);
    this.checkJoined();
    return takeSync(this.#parts.agent, this.#directory.findStream(name, options.timeout), options.timeout);
  }

  /**
   * The frames of the streams of that name: those of the first one, and when its producer dies, those of the next
   * producer's. It ends when a stream is ended. `Data` is the type of what travels with them, as the program says: no code
   * checks it.
   *
   * @param name At most 31 bytes of UTF-8.
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  follow<Data = JsonValue>(name: string, options: FollowOptions = {}): Follower<Data> {
    check("ProcessDomain.follow()", "name", name, NAME);
    checkOptions("ProcessDomain.follow()", options, FOLLOW);
    this.checkJoined();
    return makeFollower(this.#parts.agent, this.#directory, name, options);
  }

  /**
   * Serves a stream to viewers: processes that may look at its frames, and are trusted with nothing else. They connect
   * by `StreamViewer.connect()`.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace.
   * @throws {DmaBufError} `EADDRINUSE` if a process listens there; `EBADF` if this thread has left the domain.
   */
  serveViewers(where: string, stream: FrameStream, options: ServeViewersOptions = {}): ViewerServer {
    return serve("ProcessDomain.serveViewers()", VIEWER_SERVICE, { where, stream, options }, () => this.#service());
  }

  /**
   * Has a stream filled by contributors: processes that may write one frame at a time, and are members of nothing. They
   * connect by `StreamContributor.connect()`, or speak the protocol of docs/protocol.md. The kernel says of each frame
   * whether its contributor can still write to it: what is published does not change.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace.
   * @param stream One of this thread's own, not `sealed`.
   * @throws {DmaBufError} `EADDRINUSE` if a process listens there; `EPERM` if the stream belongs to another agent or its memory is
   *   sealed; `EOPNOTSUPP` if its memory is of another heap, or several frames are in one file; `EBADF` if this thread has
   *   left the domain.
   */
  serveContributors(where: string, stream: FrameStream, options: ServeContributorsOptions = {}): ContributorServer {
    return serve("ProcessDomain.serveContributors()", CONTRIBUTOR_SERVICE, { where, stream, options }, () =>
      this.#service(),
    );
  }

  #service(): ServiceHost {
    this.checkJoined();
    const { agent, ledger } = this.#parts;
    return { host: agent.host, ledger, endings: this.#endings };
  }

  protected override left(): void {
    const { segment, membership, carrier } = this.#parts;
    for (const end of this.#endings) end();
    for (const socket of this.#listening) socket.close();
    this.#acceptor.close();
    for (const endWatch of this.#invited.values()) endWatch();
    carrier.close();
    segment.close();
    membership.leave();
    leaveLedger(segment.files.ledger);
    releaseEnded();
  }

  static #enter(options: ListenOptions, enter: (ledger: ResourceLedger) => Entry): ProcessDomain {
    // What can fail comes before anything is taken.
    const host = processHost(options.spin);
    const ledger = threadLedger();
    const { entry, agent } = tracedEntry(options, host, () => enter(ledger));
    const { segment, membership } = entry;
    return allOrNothing((orUndo) => {
      const post = new PostOffice(agent, segment.files, ledger);
      const carrier = new FileCarrier({ agent, ledger, post });
      const domain = new ProcessDomain({ segment, membership, ledger, agent, post, carrier }, options);
      orUndo(() => domain.close());
      domain.#begin();
      return domain;
    });
  }

  static async #joinThrough(
    connection: number,
    where: string,
    options: ConnectOptions,
    limits: WaitLimits,
  ): Promise<ProcessDomain> {
    const ledger = threadLedger();
    const [entry] = ledger.enter([connection]) as [LedgerEntry];
    const domain = await allOrNothing(async (orUndo) => {
      orUndo(() => letGoConnection(ledger.handOver(entry)));
      const { name = defaultName() } = options;
      const files = await requestDomain(connection, where, limits);
      return ProcessDomain.#enter(options, (own) => enterExisting(files, own, name));
    });
    // Only its end says something now.
    const socket = new Socket({ fd: ledger.handOver(entry) }).unref().resume();
    socket.on("error", () => endConnection(socket));
    socket.on("close", () => domain.#reapSoon());
    domain.#endings.add(() => endConnection(socket));
    return domain;
  }

  /** Gives back what the dead held, wherever they were. */
  #reapDead(): void {
    if (this.isClosed) return;
    const { agent, membership, carrier } = this.#parts;
    for (const identity of membership.lostAgents(agent)) this.recover(identity);
    releaseEnded();
    carrier.sweep();
  }

  /** A connection may end, or a port close, before the locks of the dead agent are gone. */
  #reapSoon(): void {
    this.#reapDead();
    for (const ms of [1, 5, 20]) this.#parts.agent.host.after(ms, () => this.#reapDead());
  }
}

/** Of all agents of this thread: a wait that blocks one of them blocks all, and they answer then, too (file-carrier.2). */
const posts = new Set<PostOffice>();

function readPosts(): void {
  for (const post of posts) post.read();
}

function limitsOf({ timeout = CONNECT_TIMEOUT, signal }: ConnectOptions): WaitLimits {
  return { end: performance.now() + timeout, signal };
}

function defaultName(): string {
  return isMainThread ? `process ${processId()}` : `thread ${threadId} of process ${processId()}`;
}

function tracedEntry(
  options: ListenOptions,
  host: Host,
  enter: () => Entry,
): { readonly entry: Entry; readonly agent: Agent } {
  let entry!: Entry;
  const agent = traced(options.trace, host, () => {
    entry = enter();
    return new Agent(entry.segment, entry.identity, host, agentOptions(options));
  });
  return { entry, agent };
}
