import { Socket } from "node:net";
import { check, checkOptions, integer, NAME, type Kind, type Kinds } from "../arguments.js";
import { allOrNothing } from "../all-or-nothing.js";
import { CARRIER } from "../buffer/feature.js";
import { DomainBase, JOIN, type JoinOptions } from "../domain-base.js";
import { Agent } from "../domain/agent.js";
import { slotOf } from "../domain/agent-slot.js";
import { Core } from "../domain/feature.js";
import { checkWait, type WaitOptions } from "../domain/wait.js";
import { FEATURES, type AllMembers } from "../features.js";
import { createLifeline, holdLifeline, watchLifeline } from "../host/lifeline.js";
import { STREAM_TABLE } from "../stream/feature.js";
import { FRAME_STREAM, type FrameStream } from "../stream/frame-stream.js";
import { admit, apply, checkApplication } from "./joining/join-protocol.js";
import type { ControlSegment, ControlOptions } from "./joining/control-segment.js";
import { DescriptorDirectory } from "./messages/descriptor-directory.js";
import { enterExisting, enterInvited, enterNew, type Entry } from "./joining/entry.js";
import { FOLLOW, Follower, type FollowOptions } from "./messages/follower.js";
import { FileCarrier, type ExportableMemory } from "./memory/file-carrier.js";
import { connectInTime, Gate } from "./joining/listening-socket.js";
import { processHost } from "./host.js";
import { Inbox } from "./messages/mailbox.js";
import {
  acceptInvitation,
  checkInvitation,
  createInvitation,
  type ProcessInvitation,
  type WorkerInvitation,
} from "./joining/invitation.js";
import { checkPlace, CONNECT, LISTEN, type ConnectOptions, type ListenOptions } from "./joining/join-options.js";
import { KnownUsers } from "./joining/known-users.js";
import { endConnection, letGoConnection } from "./memory/let-go.js";
import type { WaitLimits } from "./joining/json-lines.js";
import { Reception } from "./joining/acceptor.js";
import { leaveLedger, releaseEnded } from "./memory/process-ledgers.js";
import type { ResourceLedger } from "./memory/resource-ledger.js";
import type { Seat } from "./joining/membership.js";
import { ViewerServer, SHOW, type ServeViewersOptions } from "./viewers/viewer-server.js";
import { descriptorOf } from "./joining/socket-descriptor.js";
import { StreamDirectory } from "./messages/stream-directory.js";
import { threadLedger } from "./memory/thread-ledger.js";
import { pageSize, processId } from "./system-calls/index.js";

/**
 * How often an agent looks whether others have died. Mostly a connection's end or a worker's tells earlier; this is for
 * what nobody is connected to, and for those whose event loop does not turn.
 */
const LOOK_MS = 50;
const CONNECT_TIMEOUT = 5_000;
const JOINING = "Cannot join the domain";

const INVITE: Kinds<{ readonly name?: string }> = { name: NAME };
const DESCRIPTOR = integer(0, 0x7fff_ffff);
const LENGTH: Kind = {
  wanted: "a multiple of the page size",
  isKind: (value) => typeof value === "number",
  isTaken: (length: number) => Number.isSafeInteger(length) && length > 0 && length % pageSize() === 0,
};

/** What a domain is put together from, and what it is called back by. */
interface Parts {
  readonly segment: ControlSegment;
  readonly seat: Seat;
  readonly ledger: ResourceLedger;
  readonly agent: Agent;
  readonly inbox: Inbox;
  readonly carrier: FileCarrier;
  readonly callbacks: { lookAround: () => void; readLetters: () => void };
}

export interface ProcessDomain extends AllMembers {}

/**
 * A domain of processes: buffers are memory files, waiting is by futex and pipe, and the kernel tells of deaths. Every
 * member may write to the control segment: members trust each other.
 */
export class ProcessDomain extends DomainBase {
  /** Descriptors of other kinds, which agents give each other by name. */
  readonly descriptors: DescriptorDirectory;
  readonly #parts: Parts;
  readonly #directory: StreamDirectory;
  readonly #reception: Reception;
  readonly #gates = new Set<Gate>();
  /** What ends the watches on those that were invited and have not ended. */
  readonly #invited = new Set<() => void>();
  /** What ends with the domain. */
  readonly #endings = new Set<() => void>();

  private constructor(parts: Parts, options: ListenOptions) {
    const { segment, agent, inbox, callbacks } = parts;
    const core = new Core(agent, options);
    core.provide(CARRIER, parts.carrier);
    super(core, FEATURES);
    this.#parts = parts;
    const streams = core.get(STREAM_TABLE);
    // Other processes find a stream by its name.
    this.#directory = streams.listing = new StreamDirectory(agent, inbox, (handle) => streams.open(handle));
    this.descriptors = new DescriptorDirectory(agent, parts.ledger, inbox, () => this.#readLetters());
    this.#reception = new Reception({
      users: new KnownUsers(options.users),
      refusal: JOINING,
      admit: (connection, application) => {
        checkApplication(application);
        admit(descriptorOf(connection), segment.files);
        return undefined;
      },
      hungUp: () => this.#lookSoon(),
      host: agent.host,
    });
    callbacks.lookAround = () => this.#lookAround();
    callbacks.readLetters = () => this.#readLetters();
  }

  /** All that can fail once the domain is there. */
  #begin(): void {
    const { segment, agent } = this.#parts;
    const timer = setInterval(() => this.#lookAround(), LOOK_MS).unref();
    this.#endings.add(() => clearInterval(timer));
    segment.listenAt(slotOf(agent.identity), () => this.#readLetters());
    agent.addInterrupt(() => this.#readLetters());
    this.#directory.ask();
  }

  /**
   * Makes a domain, with the calling thread as its first agent.
   *
   * @throws {RangeError} Naming the option that is out of range.
   * @throws {DmaBufError} `ENOSYS` where there are no such domains (see `capabilities()`); `EMFILE` if there are not
   *   enough descriptors.
   */
  static create(options: ListenOptions = {}): ProcessDomain {
    checkOptions("ProcessDomain.create()", options, LISTEN);
    const {
      name = defaultName(),
      handleLimit: _limit,
      spin: _spin,
      users: _users,
      wrapMemory: _wrap,
      ...sizes
    } = options;
    return ProcessDomain.#enter(options, (control) => enterNew(sizes, control, name));
  }

  /**
   * Makes a domain that other processes can connect to.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace.
   * @throws {DmaBufError} `EADDRINUSE` if somebody listens there; otherwise as {@link create}.
   */
  static listen(where: string, options: ListenOptions = {}): ProcessDomain {
    checkPlace("ProcessDomain.listen()", where);
    const domain = ProcessDomain.create(options);
    try {
      domain.listen(where);
      return domain;
    } catch (error) {
      domain.close();
      throw error;
    }
  }

  /**
   * Joins the domain of the process that listens there.
   *
   * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if nobody listens; `EACCES` if this user may not join, or
   *   if another user listens there who is not among `users`; `EPROTO` if the layout's version is
   *   another; `ENOSPC` if the domain is full; `ETIMEDOUT` if it does not answer in time.
   */
  static async connect(where: string, options: ConnectOptions = {}): Promise<ProcessDomain> {
    checkPlace("ProcessDomain.connect()", where);
    checkOptions("ProcessDomain.connect()", options, CONNECT);
    const limits = limitsOf(options);
    const approach = { where, users: new KnownUsers(options.users), action: JOINING };
    return ProcessDomain.#joinThrough(await connectInTime(approach, limits), where, options, limits);
  }

  /**
   * Joins the domain of the process that has started this one.
   *
   * @param descriptor Where the invitation's descriptor stands in this process.
   * @throws {DmaBufError} `EINVAL` if that is no invitation, or one that was used: nothing has happened to it then.
   *   Otherwise as {@link connect}.
   */
  static async inherit(descriptor: number, options: ConnectOptions = {}): Promise<ProcessDomain> {
    check("ProcessDomain.inherit()", "descriptor", descriptor, DESCRIPTOR);
    checkOptions("ProcessDomain.inherit()", options, CONNECT);
    acceptInvitation(descriptor, new KnownUsers(options.users));
    return ProcessDomain.#joinThrough(descriptor, `descriptor ${descriptor}`, options, limitsOf(options));
  }

  /**
   * Joins the domain that another thread of this process has invited this one to.
   *
   * @throws {DmaBufError} `ESTALE` if the invitation is void, because it was used before or its inviter has left.
   * @throws {TypeError} For an invitation to a domain of `dmabuf`, or what is none.
   */
  static join(invitation: WorkerInvitation, options: JoinOptions = {}): ProcessDomain {
    checkInvitation(invitation);
    checkOptions("ProcessDomain.join()", options, JOIN);
    const domain = ProcessDomain.#enter(options, (control) => enterInvited(invitation, control));
    const lifeline = holdLifeline(invitation.port, "", () => domain.#lookSoon());
    domain.#endings.add(() => lifeline.end());
    return domain;
  }

  /**
   * Lets other processes connect. A domain can have several such places, in any of its processes: another process can
   * take over a place whose listener has died.
   *
   * @throws {DmaBufError} `EADDRINUSE` if somebody listens there.
   */
  listen(where: string): void {
    checkPlace("ProcessDomain.listen()", where);
    this.checkJoined();
    this.#gates.add(new Gate(where, this.#reception));
  }

  /** An invitation for one more thread of this process. @throws {DmaBufError} `ENOSPC` if the domain is full. */
  invite(options: { readonly name?: string } = {}): WorkerInvitation {
    checkOptions("ProcessDomain.invite()", options, INVITE);
    this.checkJoined();
    const { segment, seat } = this.#parts;
    const reservation = seat.reserve(segment, options.name ?? "worker");
    const { mine, theirs } = createLifeline();
    const endWatch = watchLifeline(mine, "", () => {
      this.#invited.delete(endWatch);
      endWatch();
      seat.release(reservation);
      this.#lookSoon();
    });
    this.#invited.add(endWatch);
    return { reservation, files: segment.files, port: theirs };
  }

  /** An invitation for a child process: `fork(file, [], { stdio: [..., "ipc", invitation.descriptor] })`. */
  inviteProcess(): ProcessInvitation {
    this.checkJoined();
    const { ledger } = this.#parts;
    const { mine, theirs } = createInvitation();
    const entry = ledger.open(() => theirs);
    this.#reception.serve(new Socket({ fd: mine }), true);
    let open = true;
    return {
      descriptor: theirs,
      [Symbol.dispose]() {
        if (open) ledger.close(entry);
        open = false;
      },
    };
  }

  /** Zeroed memory that can be exported, whole or in parts: that of other places no other process could reach. */
  createMemory(length: number): ExportableMemory {
    check("ProcessDomain.createMemory()", "length", length, LENGTH);
    this.checkJoined();
    return this.#parts.carrier.createMemory(length);
  }

  /**
   * The stream of that name, to consume from it, as soon as there is one whose producer lives. Of several it is one that
   * has not ended; else which one is not said: names are not reserved.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if there is none in time.
   */
  async findStream(name: string, options: WaitOptions = {}): Promise<FrameStream> {
    check("ProcessDomain.findStream()", "name", name, NAME);
    checkWait("ProcessDomain.findStream()", options);
    this.checkJoined();
    return this.#directory.findStream(name, options);
  }

  /**
   * The frames of the streams of that name: those of the first one, and when its producer dies, those of the next
   * producer's. It ends when a stream is ended.
   */
  follow(name: string, options: FollowOptions = {}): Follower {
    check("ProcessDomain.follow()", "name", name, NAME);
    checkOptions("ProcessDomain.follow()", options, FOLLOW);
    this.checkJoined();
    return new Follower(this.#parts.agent, this.#directory, name, options);
  }

  /**
   * Shows a stream to guests: processes that may look at its frames, and are trusted with nothing else. They come by
   * `StreamViewer.connect()`.
   *
   * @param where A path for a socket, made with mode 0600, or "@" and a name in the abstract namespace.
   * @throws {DmaBufError} `EADDRINUSE` if somebody listens there.
   */
  serveViewers(where: string, stream: FrameStream, options: ServeViewersOptions = {}): ViewerServer {
    checkPlace("ProcessDomain.serveViewers()", where);
    check("ProcessDomain.serveViewers()", "stream", stream, FRAME_STREAM);
    checkOptions("ProcessDomain.serveViewers()", options, SHOW);
    this.checkJoined();
    const end = (): void => show.close();
    const show = new ViewerServer(where, stream, options, {
      host: this.#parts.agent.host,
      closed: () => this.#endings.delete(end),
    });
    this.#endings.add(end);
    return show;
  }

  protected override left(): void {
    const { segment, seat, carrier } = this.#parts;
    for (const end of this.#endings) end();
    for (const gate of this.#gates) gate.close();
    this.#reception.close();
    for (const endWatch of this.#invited) endWatch();
    this.descriptors.close();
    carrier.close();
    segment.close();
    seat.giveUp();
    leaveLedger(segment.files.ledger);
    releaseEnded();
  }

  static #enter(options: ListenOptions, open: (options: ControlOptions) => Entry): ProcessDomain {
    // What can fail comes before anything is taken.
    const host = processHost(options.spin);
    const ledger = threadLedger();
    const callbacks = { lookAround: () => {}, readLetters: () => {} };
    const { segment, seat, identity } = open({
      ledger,
      wrapMemory: options.wrapMemory,
      onSlice: () => callbacks.lookAround(),
    });
    return allOrNothing((orUndo) => {
      const agent = new Agent(segment, identity, host);
      const inbox = new Inbox(agent, segment.files, ledger, (message) => agent.host.warn(message));
      const carrier = new FileCarrier({ agent, ledger, inbox, readLetters: () => callbacks.readLetters() });
      const domain = new ProcessDomain({ segment, seat, ledger, agent, inbox, carrier, callbacks }, options);
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
    const entry = ledger.open(() => connection);
    let domain: ProcessDomain;
    try {
      const { name = defaultName() } = options;
      const files = await apply(connection, where, limits);
      domain = ProcessDomain.#enter(options, (control) => enterExisting(files, control, name));
    } catch (error) {
      letGoConnection(ledger.handOver(entry));
      throw error;
    }
    // Only its end says something now.
    const socket = new Socket({ fd: ledger.handOver(entry) }).unref().resume();
    socket.on("error", () => endConnection(socket));
    socket.on("close", () => domain.#lookSoon());
    domain.#endings.add(() => endConnection(socket));
    return domain;
  }

  #readLetters(): void {
    const { agent, carrier, inbox } = this.#parts;
    if (this.isClosed || !inbox.hasLetters) return;
    for (const { letter, from, files } of inbox.take()) {
      try {
        if (letter.kind === "stream") this.#directory.learn(letter.handle);
        else if (letter.kind === "ask for streams") this.#directory.answer(from);
        else if (letter.kind === "descriptor") this.descriptors.receive(letter.name, files[0]!);
        else if (letter.kind === "ask for descriptor") this.descriptors.answer(letter.name, from);
        else carrier.read(letter, from, files);
      } catch (error) {
        agent.host.warn(`A letter from another agent came to nothing: ${String(error)}`);
      }
    }
  }

  /** Gives back what the dead held, wherever they were. */
  #lookAround(): void {
    if (this.isClosed) return;
    const { agent, seat, carrier } = this.#parts;
    for (const identity of seat.lostAgents(agent)) this.recover(identity);
    releaseEnded();
    carrier.lookAround();
  }

  /** A connection may end, or a port close, before the locks of who is dead are gone. */
  #lookSoon(): void {
    this.#lookAround();
    for (const ms of [1, 5, 20]) this.#parts.agent.host.after(ms, () => this.#lookAround());
  }
}

function limitsOf({ timeout = CONNECT_TIMEOUT, signal }: ConnectOptions): WaitLimits {
  return { end: performance.now() + timeout, signal };
}

function defaultName(): string {
  return `process ${processId()}`;
}
