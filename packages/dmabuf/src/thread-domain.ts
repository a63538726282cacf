import { allOrNothing } from "./all-or-nothing.js";
import { check, checkObject, checkOptions, integer, NAME, required, type Kind, type Kinds } from "./arguments.js";
import { CARRIER, type StorageCarrier } from "./buffer/storage-carrier.js";
import { agentOptions, DomainBase, MEMBER, putTogether, type MemberOptions } from "./domain-base.js";
import type { JoinOptions } from "./join-options.js";
import { Agent } from "./domain/agent.js";
import {
  agentName,
  claimAgentSlot,
  isLive,
  otherAgents,
  retireAgentSlot,
  slotOf,
  type Identity,
} from "./domain/agent-slot.js";
import { absentTables } from "./domain/shared-features.js";
import { without } from "./domain/sizes.js";
import type { ControlWords } from "./domain/control-words.js";
import { Core, sharedBits, type Feature } from "./domain/feature.js";
import { readLayout, writeHeader } from "./domain/header.js";
import {
  claimInvited,
  endInvitation,
  invitationState,
  noteState,
  sayWatched,
  useInvitation,
  type InvitationState,
} from "./domain/invitation-slot.js";
import { checkSizes, INVITATION_STATE, SIZES, type Sizes } from "./domain/layout.js";
import { DmaBufError } from "./errors.js";
import {
  awaitLock,
  createLifeline,
  holdLock,
  isNoticed,
  MESSAGE_PORT,
  usesLocks,
  watchPort,
  type HeldLock,
  type MessagePortLike,
} from "./host/lifeline.js";
import type { Host } from "./host/host.js";
import type { Neighbours } from "./host/neighbours.js";
import { hostWith } from "./host/threads.js";
import { sentInstead } from "./posted.js";
import { INVITE, INVITE_LIMIT, type InviteOptions } from "./invite-options.js";
import { createSharedSubstrate } from "./substrate/shared-array.js";
import { isWasmMemory, type WasmMemory } from "./substrate/wasm-memory.js";

/** How {@link Domain.create} makes a domain: the sizes of its tables, and the creator's own options. */
export interface DomainOptions extends Partial<Sizes>, JoinOptions {
  /** This thread's name, for people; at most 31 bytes of UTF-8. Default "main". */
  readonly name?: string;
}

/** How `Domain.create()` of `dmabuf/streams` makes a domain. */
export interface StreamDomainOptions extends Partial<Sizes>, MemberOptions {
  /** This thread's name, for people; at most 31 bytes of UTF-8. Default "main". */
  readonly name?: string;
}

/**
 * What another thread joins with: post it to that thread, with its `port` in the transfer list. It can be used once.
 */
export interface Invitation {
  /** The domain's shared words: a shared `WebAssembly.Memory` where one can be had. */
  readonly control: SharedArrayBuffer | WasmMemory;
  /** The agent that is reserved for the thread that joins. */
  readonly identity: number;
  /** The agent that has invited. */
  readonly inviter: number;
  /** By it each of the two agents notices the other's end. Name it in the transfer list of the message. */
  readonly port: MessagePortLike;
}

const CREATE: Kinds<StreamDomainOptions> = { ...SIZES, ...MEMBER, name: NAME };
const { OPEN, JOINED, ALONE, WATCHED, REVOKED, EXPIRED } = INVITATION_STATE;

const IDENTITY = required(integer(-(2 ** 31), 2 ** 32 - 1));
const INVITATION: Kinds<Invitation> = {
  control: required({
    wanted: "shared memory",
    // A page may have none.
    isKind: (value) =>
      (typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer) || isWasmMemory(value),
  }),
  identity: IDENTITY,
  inviter: IDENTITY,
  port: required(MESSAGE_PORT),
};

const THREADS: Kind = {
  wanted: "what invite() of a domain of dmabuf gives",
  isKind: (value) => sentInstead(value) === undefined || (value as Partial<Invitation>).control !== undefined,
  nameOf: sentInstead,
};

/** What a thread has got of a domain that it has made, or joined by an invitation. */
export interface ThreadEntry {
  readonly control: SharedArrayBuffer | WasmMemory;
  readonly agent: Agent;
  readonly options: JoinOptions;
  readonly invitation?: Invitation;
}

/** What a domain of threads is put together from. */
export interface ThreadParts {
  readonly features: readonly Feature[];
  readonly words: ControlWords;
  /** Lets sinks listen to the agent that `join` makes. Default: none does. @param trace As the option. */
  readonly traced?: (trace: boolean | string | undefined, host: Host, join: () => Agent) => Agent;
  /** How buffers' memory reaches the other threads; with the neighbours that it sends messages to, if it does. */
  readonly createCarrier: (agent: Agent) => { readonly carrier: StorageCarrier; readonly neighbours?: Neighbours };
}

/** Makes the control segment of a new domain, with the calling thread as its first agent. */
export function createThreads(
  options: DomainOptions,
  { features, words, traced = untraced }: ThreadParts,
): ThreadEntry {
  checkOptions("Domain.create()", options, CREATE);
  checkIsolated("make");
  const { name = "main", spin } = options;
  const host = hostWith(spin);
  const shared = sharedBits(features);
  const layout = words.layout(without(checkSizes(options), absentTables(shared)));
  const control = allocateControl(layout.words * 4, words);
  const memory = createSharedSubstrate(control, host.mayBlock);
  writeHeader(memory, layout.sizes, randomWords(), shared);
  const segment = words.open(memory, layout);
  const agent = traced(options.trace, host, () => {
    const identity = claimAgentSlot(segment, name);
    noteState({ ...segment, identity }, isNoticed ? JOINED : ALONE);
    return new Agent(segment, identity, host, agentOptions(options));
  });
  return { control, agent, options };
}

/** Takes the place that an invitation keeps for the calling thread. */
export function joinThreads(
  invitation: Invitation,
  options: JoinOptions,
  { features, words, traced = untraced }: ThreadParts,
): ThreadEntry {
  checkIsolated("join");
  check("Domain.join()", "invitation", invitation, THREADS);
  checkObject("Domain.join()", "invitation", invitation, INVITATION);
  checkOptions("Domain.join()", options, MEMBER);
  const { control, identity, inviter } = invitation;
  const host = hostWith(options.spin);
  const memory = createSharedSubstrate(control, host.mayBlock);
  const segment = words.open(
    memory,
    readLayout(memory, sharedBits(features), (sizes) => words.layout(sizes)),
  );
  const agent = traced(options.trace, host, () => {
    useInvitation(segment, identity, inviter, isNoticed);
    return new Agent(segment, identity, host, agentOptions(options));
  });
  return { control, agent, options, invitation };
}

function untraced(_: unknown, _host: Host, join: () => Agent): Agent {
  return join();
}

/** A domain of threads: made by the first one, joined by the others. */
export abstract class ThreadDomain extends DomainBase {
  readonly #control: SharedArrayBuffer | WasmMemory;
  readonly #agent: Agent;
  #neighbours: Neighbours | undefined;
  /** What ends the watches on others. */
  readonly #watches = new Map<Identity, () => void>();
  #lock: HeldLock | undefined;

  /** @internal */
  protected constructor(
    { control, agent, options, invitation }: ThreadEntry,
    { features, createCarrier }: ThreadParts,
  ) {
    super();
    this.#agent = agent;
    this.#control = control;
    allOrNothing((orUndo) => {
      // An invitation is used: the inviter does not take it back any more.
      orUndo(() => retireAgentSlot(agent, agent.identity));
      const { carrier, neighbours } = createCarrier(agent);
      this.#neighbours = neighbours;
      const core = new Core(agent, options);
      core.provide(CARRIER, carrier);
      putTogether(this, core, features);
      orUndo(() => this.close());
      this.#lock = holdLock(this.#lockName(agent.identity), () => sayWatched(agent));
      if (invitation !== undefined) this.#watch(invitation.inviter, invitation.port);
    });
  }

  /**
   * An invitation for one more thread. If that thread ends without closing its domain, however it ends, everything it
   * held is given back: its fences end with `ESRCH`, its locks open, its references go.
   *
   * @throws {DmaBufError} `ENOSPC` if the domain has no room for another agent; `EOPNOTSUPP` in an AudioWorklet, which cannot
   *   invite; `EBADF` if this thread has left the domain.
   */
  invite(options: InviteOptions = {}): Invitation {
    checkOptions("Domain.invite()", options, INVITE);
    this.checkJoined();
    const { name = "worker", limit = INVITE_LIMIT } = options;
    const agent = this.#agent;
    const { mine, theirs } = createLifeline();
    const identity = allOrNothing((orUndo) => {
      orUndo(() => mine.close());
      return claimInvited(agent, name);
    });
    const expire = (): void => void this.#void(identity, EXPIRED);
    this.#watch(identity, mine, limit === Infinity ? undefined : agent.host.after(limit, expire));
    return { control: this.#control, identity, inviter: agent.identity, port: theirs };
  }

  /**
   * Takes an invitation back that was not used: the domain has its place for another thread.
   *
   * @returns Whether it was not used until now, so that no thread can join by it. Twice is true once.
   * @throws {DmaBufError} `EINVAL` for an invitation of another thread; `EBADF` if this thread has left the domain.
   *
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * const invitation = domain.invite();
   * // The worker's script did not load:
   * console.log(domain.revoke(invitation)); // true
   * ```
   */
  revoke(invitation: Invitation): boolean {
    return this.#void(this.#identityOf("revoke", invitation), REVOKED);
  }

  /**
   * Gives back what a thread held that has joined by an invitation of this one, and whose end no system tells: an
   * AudioWorklet after the end of its context. Call it only when that thread will not run again. An unused invitation is taken
   * back; if the thread has left, nothing is done.
   *
   * @throws {DmaBufError} `EBUSY` if the thread's end will be noticed: a worker may run on for seconds after `terminate()`;
   *   `EINVAL` for an invitation of another thread; `EBADF` if this thread has left the domain.
   */
  expel(invitation: Invitation): void {
    const identity = this.#identityOf("expel", invitation);
    const agent = this.#agent;
    const state = invitationState(agent, identity);
    if ((state === JOINED || state === WATCHED) && isLive(agent, identity)) {
      const name = agentName(agent, identity);
      throw new DmaBufError("EBUSY", `Cannot expel agent "${name}": it may still run, and its end will be noticed`);
    }
    this.#end(identity);
  }

  /**
   * Resolves when the end of this thread, however it comes, would be noticed. In Node.js that is at once; in a browser it
   * takes a turn of the event loop, so await it before this thread blocks.
   */
  get ready(): Promise<void> {
    return this.#lock!.ready;
  }

  protected override left(): void {
    for (const end of this.#watches.values()) end();
    this.#watches.clear();
    this.#lock?.end();
  }

  #identityOf(call: string, invitation: Invitation): Identity {
    checkObject(`Domain.${call}()`, "invitation", invitation, INVITATION);
    this.checkJoined();
    const { control, identity, inviter } = invitation;
    const agent = this.#agent;
    const isOwn = control === this.#control && inviter === agent.identity;
    if (isOwn && slotOf(identity) < agent.layout.sizes.agents) return identity;
    throw new DmaBufError("EINVAL", `Cannot ${call} the invitation: another thread has made it`);
  }

  /**
   * Notices the end of another agent: by the port to it, if there is one, and where there are locks by its lock.
   *
   * @param endLimit Ends the limit of its invitation, with the watch.
   */
  #watch(other: Identity, port?: MessagePortLike, endLimit?: () => void): void {
    if (this.#watches.has(other)) return;
    const agent = this.#agent;
    const ended = (): void => {
      if (this.#watches.has(other)) this.#end(other);
    };
    const isOf = (...states: number[]): boolean => states.includes(invitationState(agent, other));
    const endPort = port && watchPort(port, ended);
    // lifeline.1.
    const endLock = usesLocks
      ? agent.watch({ arm() {}, ready: () => !isOf(OPEN, JOINED) }, () => {
          if (isOf(WATCHED)) awaitLock(this.#lockName(other), ended);
        })
      : undefined;
    if (port !== undefined) this.#neighbours?.add(other, port);
    this.#watches.set(other, () => {
      endLimit?.();
      endPort?.();
      endLock?.();
    });
  }

  /** Another agent has ended. */
  #end(other: Identity): void {
    if (this.#void(other, REVOKED)) return;
    this.#unwatch(other);
    this.recover(other);
    if (!usesLocks) return;
    // lifeline.3.
    for (const identity of otherAgents(this.#agent)) this.#watch(identity);
  }

  #void(invited: Identity, state: InvitationState): boolean {
    const isVoid = !this.isClosed && endInvitation(this.#agent, invited, state);
    if (isVoid) this.#unwatch(invited);
    return isVoid;
  }

  #unwatch(other: Identity): void {
    this.#watches.get(other)?.();
    this.#watches.delete(other);
    this.#neighbours?.remove(other);
  }

  #lockName(identity: Identity): string {
    return `dmabuf ${this.id} ${identity}`;
  }
}

/**
 * What a page needs for shared memory.
 *
 * @see https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/SharedArrayBuffer
 */
const ISOLATION =
  '"Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp", on its workers\' scripts too';

function checkIsolated(action: string): void {
  if (typeof SharedArrayBuffer !== "undefined") return;
  throw new DmaBufError(
    "EOPNOTSUPP",
    `Cannot ${action} a domain: the page has no SharedArrayBuffer, since it is not cross-origin isolated by the headers ${ISOLATION}`,
  );
}

function allocateControl(bytes: number, words: ControlWords): SharedArrayBuffer | WasmMemory {
  try {
    return words.allocate(bytes);
  } catch (cause) {
    if (cause instanceof DmaBufError) throw cause;
    throw new DmaBufError("ENOMEM", `Cannot allocate the ${bytes} bytes of a domain's control segment`, { cause });
  }
}

/** Names the domain; need not be secret. */
function randomWords(): number[] {
  return Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32) | 0);
}
