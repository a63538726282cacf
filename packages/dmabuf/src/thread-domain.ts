import { allOrNothing } from "./all-or-nothing.js";
import { check, checkObject, checkOptions, integer, NAME, required, type Kind, type Kinds } from "./arguments.js";
import { CARRIER, type StorageCarrier } from "./buffer/storage-carrier.js";
import { agentOptions, DomainBase, JOIN, putTogether, traced, type JoinOptions } from "./domain-base.js";
import { Agent } from "./domain/agent.js";
import { claimAgentSlot, isLive, slotOf, type Identity } from "./domain/agent-slot.js";
import { absentTables } from "./domain/shared-features.js";
import { without } from "./domain/sizes.js";
import { Core, sharedBits, type Feature } from "./domain/feature.js";
import { readHeader, writeHeader } from "./domain/header.js";
import { checkSizes, Layout, SIZES, type Sizes } from "./domain/layout.js";
import { DmaBufError } from "./errors.js";
import { createLifeline, holdLifeline, MESSAGE_PORT, watchLifeline, type MessagePortLike } from "./host/lifeline.js";
import type { Neighbours } from "./host/neighbours.js";
import { hostWith } from "./host/threads.js";
import { wantsAtomics } from "./host/environment.js";
import { sentInstead } from "./posted.js";
import { createSharedSubstrate } from "./substrate/shared-array.js";
import { createWasmMemory, isWasmMemory, type WasmMemory } from "./substrate/wasm-memory.js";

/** How {@link Domain.create} makes a domain: the sizes of its tables, and the creator's own options. */
export interface DomainOptions extends Partial<Sizes>, JoinOptions {
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

const CREATE: Kinds<DomainOptions> = { ...SIZES, ...JOIN, name: NAME };
const INVITE: Kinds<{ readonly name?: string }> = { name: NAME };

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
  /** How buffers' memory reaches the other threads; with the neighbours that it sends messages to, if it does. */
  readonly createCarrier: (agent: Agent) => { readonly carrier: StorageCarrier; readonly neighbours?: Neighbours };
}

/** Makes the control segment of a new domain, with the calling thread as its first agent. */
export function createThreads(options: DomainOptions, { features }: Pick<ThreadParts, "features">): ThreadEntry {
  checkOptions("Domain.create()", options, CREATE);
  const { name = "main", spin } = options;
  const host = hostWith(spin);
  const shared = sharedBits(features);
  const layout = new Layout(without(checkSizes(options), absentTables(shared)));
  const control = allocateControl(layout.words * 4);
  const memory = createSharedSubstrate(control, host.mayBlock);
  writeHeader(memory, layout.sizes, randomWords(), shared);
  const segment = { memory, layout };
  const agent = traced(options, host, () => {
    return new Agent(segment, claimAgentSlot(segment, name), host, agentOptions(options));
  });
  return { control, agent, options };
}

/** Takes the place that an invitation keeps for the calling thread. */
export function joinThreads(
  invitation: Invitation,
  options: JoinOptions,
  { features }: Pick<ThreadParts, "features">,
): ThreadEntry {
  checkIsolated("join");
  check("Domain.join()", "invitation", invitation, THREADS);
  checkObject("Domain.join()", "invitation", invitation, INVITATION);
  checkOptions("Domain.join()", options, JOIN);
  const { control, identity, inviter } = invitation;
  const host = hostWith(options.spin);
  const memory = createSharedSubstrate(control, host.mayBlock);
  const segment = { memory, layout: readHeader(memory, memory.words, sharedBits(features)) };
  if (!isLive(segment, identity) || slotOf(inviter) >= segment.layout.sizes.agents) {
    throw new DmaBufError("ESTALE", "Cannot join the domain: the invitation is void");
  }
  const agent = traced(options, host, () => new Agent(segment, identity, host, agentOptions(options)));
  return { control, agent, options, invitation };
}

/** A domain of threads: made by the first one, joined by the others. */
export abstract class ThreadDomain extends DomainBase {
  readonly #control: SharedArrayBuffer | WasmMemory;
  readonly #agent: Agent;
  readonly #neighbours: Neighbours | undefined;
  readonly #lifelines = new Set<() => void>();
  #ready = Promise.resolve();

  /** @internal */
  protected constructor(
    { control, agent, options, invitation }: ThreadEntry,
    { features, createCarrier }: ThreadParts,
  ) {
    super();
    const { carrier, neighbours } = createCarrier(agent);
    const core = new Core(agent, options);
    core.provide(CARRIER, carrier);
    putTogether(this, core, features);
    this.#agent = agent;
    this.#neighbours = neighbours;
    this.#control = control;
    if (invitation !== undefined) this.#hold(invitation);
  }

  /**
   * An invitation for one more thread. If that thread ends without closing its domain, however it ends, everything it
   * held is given back: its fences end with `ESRCH`, its locks open, its references go.
   *
   * @param options `name`: the thread's name, for people; at most 31 bytes of UTF-8. Default "worker".
   * @throws {DmaBufError} `ENOSPC` if the domain has no room for another agent; `EOPNOTSUPP` in an AudioWorklet, which cannot
   *   invite; `EBADF` if this thread has left the domain.
   */
  invite(options: { readonly name?: string } = {}): Invitation {
    checkOptions("Domain.invite()", options, INVITE);
    this.checkJoined();
    const { mine, theirs } = createLifeline();
    const identity = allOrNothing((orUndo) => {
      orUndo(() => mine.close());
      return claimAgentSlot(this.#agent, options.name ?? "worker");
    });
    const end = watchLifeline(mine, this.#lockName(identity), () => {
      this.#lifelines.delete(end);
      end();
      this.recover(identity);
      this.#neighbours?.remove(identity);
    });
    this.#neighbours?.add(identity, mine);
    this.#lifelines.add(end);
    return { control: this.#control, identity, inviter: this.#agent.identity, port: theirs };
  }

  /**
   * Resolves when the end of this thread, however it comes, would be noticed. In Node.js that is at once; in a browser it
   * takes a turn of the event loop, so await it before this thread blocks.
   */
  get ready(): Promise<void> {
    return this.#ready;
  }

  protected override left(): void {
    for (const end of this.#lifelines) end();
  }

  #hold({ port, identity, inviter }: Invitation): void {
    const lifeline = holdLifeline(port, this.#lockName(identity), () => {
      this.recover(inviter);
      this.#neighbours?.remove(inviter);
    });
    this.#neighbours?.add(inviter, port);
    this.#lifelines.add(() => lifeline.end());
    this.#ready = lifeline.ready;
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

function allocateControl(bytes: number): SharedArrayBuffer | WasmMemory {
  checkIsolated("make");
  try {
    return (wantsAtomics() ? undefined : createWasmMemory(bytes)) ?? new SharedArrayBuffer(bytes);
  } catch (cause) {
    throw new DmaBufError("ENOMEM", `Cannot allocate the ${bytes} bytes of a domain's control segment`, { cause });
  }
}

/** Names the domain; need not be secret. */
function randomWords(): number[] {
  return Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32) | 0);
}
