import { FLAG, instance, milliseconds, type Kinds } from "./arguments.js";
import type { Agent, AgentOptions } from "./domain/agent.js";
import { deadIn, isLive, slotOf } from "./domain/agent-slot.js";
import { agentNames } from "./domain/invitation-slot.js";
import { recoveryOf, type Core, type Feature } from "./domain/feature.js";
import { leave, recover, type RecoveryStep } from "./domain/recovery.js";
import { wantsDebug } from "./host/environment.js";

/** What one agent may choose for itself, whatever features its domain has. */
export interface MemberOptions {
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
}

export const MEMBER: Kinds<MemberOptions> = {
  handleLimit: milliseconds(0, Infinity),
  spin: milliseconds(0, 0x7fff_ffff),
  warnAfter: milliseconds(0, Infinity),
  debug: FLAG,
};

const WARN_AFTER = 10_000;

/** What an agent of a domain is told of them. */
export function agentOptions(options: MemberOptions & Pick<AgentOptions, "validate">): AgentOptions {
  const { warnAfter = WARN_AFTER, debug = wantsDebug(), validate } = options;
  return { warnAfter, debug, validate };
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
  #steps!: readonly RecoveryStep[];

  static {
    agentOf = (domain) => domain.#core.agent;
    putTogether = (domain, core, features) => {
      domain.#core = core;
      domain.#steps = recoveryOf(features);
      const members: object[] = features.map((feature) => feature.install(core));
      members.push({ import: (handle: { readonly kind: string }) => core.import(handle) });
      for (const [name, value] of members.flatMap((own) => Object.entries(own))) {
        Object.defineProperty(domain, name, { value });
      }
      core.agent.tracer?.agent("agent:join", core.agent.identity);
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

  /** The names of the threads that are joined, without those that are only invited. */
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
    agent.tracer?.agent("agent:leave", agent.identity);
    agent.endWaits();
    this.#core.close();
    leave(agent, this.#steps, agent.host.nowNs());
    this.#core.left();
    agent.close();
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
    if (deadIn(agent, slotOf(dead)) === dead || isLive(agent, dead)) agent.tracer?.agent("agent:recover", dead);
    recover(agent, dead, this.#steps, agent.host.nowNs());
  }

  /** Refuses a thread that has left. @throws {DmaBufError} `EBADF` if this thread has left the domain. */
  protected checkJoined(): void {
    this.#core.checkJoined();
  }
}

/** What an argument `domain` must be. */
export const DOMAIN = /* @__PURE__ */ instance(DomainBase);
