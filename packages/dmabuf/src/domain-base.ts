import { FLAG, instance, isObject, isText, milliseconds, type Kind, type Kinds } from "./arguments.js";
import type { Agent, AgentOptions } from "./domain/agent.js";
import { agentName, agentNames, deadIn, isLive, slotOf, type Identity } from "./domain/agent-slot.js";
import { listenTo, POINT, trace, traces } from "./domain/tracing.js";
import { recoveryOf, type Core, type Feature } from "./domain/feature.js";
import { leave, recover, type RecoveryStep } from "./domain/recovery.js";
import type { ValidateOptions } from "./domain/validation.js";
import { allOrNothing } from "./all-or-nothing.js";
import { wantsDebug } from "./host/environment.js";
import type { Host } from "./host/host.js";
import { prepareTrace } from "./trace/open-trace.js";

/** What one agent of a domain may choose for itself. */
export interface JoinOptions {
  /** Milliseconds for which a handle that no agent imports holds its buffer or syncobj. Default 10,000. */
  readonly handleLimit?: number;
  /**
   * Milliseconds for which a blocking wait of this thread looks again and again before it sleeps; 0 sleeps at once.
   * Default 0.05, and 0 on one processor.
   */
  readonly spin?: number;
  /**
   * Milliseconds after which a wait for others warns, once, naming for whom it waits: for an access, a lock, a loan, a move,
   * a submission, an exporter's answer, or consumers. A consumer that waits for a frame does not warn. `Infinity` for never.
   * Default 10,000.
   */
  readonly warnAfter?: number;
  /**
   * Whether the warning of something that was forgotten says where it was taken, which makes taking it slow. Default: whether
   * the environment has `DMABUF_DEBUG=1`.
   */
  readonly debug?: boolean;
  /**
   * Whether a new domain is validated: all its members then look for deadlocks that may happen, and for other broken rules,
   * and report each once. Default: whether the environment has `DMABUF_VALIDATE=1`. One that joins cannot begin it;
   * it may say where its own reports go, or by `false` that it does not look.
   */
  readonly validate?: boolean | ValidateOptions;
  /**
   * Whether this agent keeps its last events in a file that outlives it, for `readTrace()` of `dmabuf/node`: true for the
   * folder of this user, or the path of a folder. Default: what the environment's `DMABUF_TRACE` says, 1 or a path. It is
   * for Linux, with the system calls that `dmabuf/node` needs.
   */
  readonly trace?: boolean | string;
}

const VALIDATE: Kind = {
  wanted: "true, false or an object of options",
  isKind: (value) => typeof value === "boolean" || isObject(value),
};

const TRACE: Kind = {
  wanted: "true, false or the path of a folder",
  isKind: (value) => typeof value === "boolean" || typeof value === "string",
  isTaken: (value: boolean | string) =>
    typeof value === "boolean" || (value !== "" && value.length <= LONGEST_PATH && isText(value)),
};
const LONGEST_PATH = 4000;

export const JOIN: Kinds<JoinOptions> = {
  handleLimit: milliseconds(0, Infinity),
  spin: milliseconds(0, 0x7fff_ffff),
  warnAfter: milliseconds(0, Infinity),
  debug: FLAG,
  validate: VALIDATE,
  trace: TRACE,
};

const WARN_AFTER = 10_000;

/** What an agent of a domain is told of them. */
export function agentOptions(options: JoinOptions): AgentOptions {
  const { warnAfter = WARN_AFTER, debug = wantsDebug(), validate } = options;
  return { warnAfter, debug, validate };
}

/** Has an agent keep its last events, if that is wanted. What can fail comes before `join`. */
export function traced(options: JoinOptions, host: Host, join: () => Agent): Agent {
  const prepared = prepareTrace(options.trace, host);
  if (prepared === undefined) return join();
  return allOrNothing((orUndo) => {
    orUndo(() => prepared.abandon());
    const agent = join();
    const { domain, identity } = agent;
    const name = agentName(agent, identity);
    agent.traceSink = prepared.begin({ domain, identity, name, startedAt: host.nowNs() });
    return agent;
  });
}

/** The agent of a domain, for the library's own use. */
export let agentOf: (domain: DomainBase) => Agent;

/**
 * Puts a domain together, in its constructor.
 *
 * @param features What the domain offers, in the order in which each needs those before it.
 */
export let putTogether: (domain: DomainBase, core: Core, features: readonly Feature[]) => void;

/**
 * One thread's way into a domain: the agents that share what its features are for. How a domain is made and joined
 * depends on what its agents are: threads, or processes too.
 */
export abstract class DomainBase implements Disposable {
  #core!: Core;
  /** No sink listens to the agent any more. */
  #endTracing!: () => void;
  #steps!: readonly RecoveryStep[];

  static {
    agentOf = (domain) => domain.#core.agent;
    putTogether = (domain, core, features) => {
      domain.#core = core;
      domain.#steps = recoveryOf(features);
      domain.#endTracing = listenTo(core.agent);
      const members: object[] = features.map((feature) => feature.install(core));
      members.push({ import: (handle: { readonly kind: string }) => core.import(handle) });
      for (const [name, value] of members.flatMap((own) => Object.entries(own))) {
        Object.defineProperty(domain, name, { value });
      }
      traceAgent(core.agent, POINT["agent:join"], core.agent.identity);
    };
  }

  /** A number that names the domain, the same in all of its threads. */
  get id(): string {
    return this.#core.agent.domain;
  }

  /** Whether this thread has left the domain. */
  get isClosed(): boolean {
    return this.#core.agent.closed;
  }

  /** The names of the threads that are joined. */
  get agents(): string[] {
    return agentNames(this.#core.agent);
  }

  /** Now, in monotonic nanoseconds: the clock of all timestamps and deadlines. */
  now(): number {
    return this.#core.agent.host.nowNs();
  }

  /**
   * Leaves the domain: this thread's streams end, its buffers are closed, its pending fences end with `ECANCELED`, and
   * its pending waits reject with `ECANCELED`.
   */
  close(): void {
    if (this.isClosed) return;
    const { agent } = this.#core;
    traceAgent(agent, POINT["agent:leave"], agent.identity);
    agent.endWaits();
    this.#core.close();
    leave(agent, this.#steps, agent.host.nowNs());
    this.#core.left();
    agent.close();
    this.#endTracing();
    agent.traceSink?.close();
    agent.traceSink = undefined;
    this.left();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Releases what this thread has joined by; called once, when it has left. */
  protected abstract left(): void;

  /** Gives back what another agent held. Call it only when that agent will not run again. */
  protected recover(dead: number): void {
    const { agent } = this.#core;
    if (this.isClosed) return;
    if (deadIn(agent, slotOf(dead)) === dead || isLive(agent, dead)) traceAgent(agent, POINT["agent:recover"], dead);
    recover(agent, dead, this.#steps, agent.host.nowNs());
  }

  /** Refuses a thread that has left. @throws {DmaBufError} `EBADF` if this thread has left the domain. */
  protected checkJoined(): void {
    this.#core.checkJoined();
  }
}

/** What an argument `domain` must be. */
export const DOMAIN = /* @__PURE__ */ instance(DomainBase);

function traceAgent(agent: Agent, point: number, identity: Identity): void {
  if (traces(agent, point)) trace(agent, point, identity, 0, 0, agentName(agent, identity));
}
