import type { Activity } from "../domain/activity.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { awaitsFence } from "../domain/awaited-key.js";
import { agentName, type Identity } from "../domain/agent-slot.js";
import { armKey, isKeyFinished, isOwnKey, keyOrigin, keyOwner } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Entry } from "./entries.js";

/**
 * Work on a buffer that is overdue: hang recovery has ended its fences, but its agents live and have not said that it has
 * finished. A time limit ends a fence; it never gives memory away. This wait has no limit of its own: it ends with
 * the overdue agents' word, with the end of their timelines, or with their death.
 *
 * It is for the fences of one moment. They stay overdue or are acknowledged, so nothing is waited for that was not armed.
 */
export class OverdueWork implements WaitCondition {
  readonly #agent: Agent;
  readonly #entries: readonly Entry[];

  /** @param entries Those of a reservation that were overdue just now. */
  constructor(agent: Agent, entries: readonly Entry[]) {
    this.#agent = agent;
    this.#entries = entries;
  }

  /** The fences that are overdue still. */
  get keys(): readonly FenceKey[] {
    return this.#overdue();
  }

  /** The agents that are overdue. */
  get owners(): Identity[] {
    return this.#overdue()
      .map((key) => keyOwner(this.#agent, key))
      .filter((owner) => owner !== 0);
  }

  activity(): Activity | undefined {
    const [first] = this.#overdue();
    return first && awaitsFence(first);
  }

  arm(): void {
    for (const key of this.#overdue()) armKey(this.#agent, key);
  }

  ready(): boolean {
    return this.#overdue().length === 0;
  }

  /** Makes sure that this agent is rung when less is overdue; returns false if nothing is overdue any more. */
  armAndLook(): boolean {
    this.arm();
    return !this.ready();
  }

  /** @throws {DmaBufError} `EDEADLK` if this thread itself is overdue, and would block until it ends itself. */
  checkBlocking(): void {
    if (!this.#overdue().some((key) => isOwnKey(this.#agent, key))) return;
    const message = "Cannot block: this thread has itself not finished its work, which timed out";
    throw this.#agent.blocksItself("own-fence", message);
  }

  /** Which agent is overdue with what, for messages; `undefined` if none is any more. */
  describe(): string | undefined {
    const [first] = this.#overdue();
    if (first === undefined) return undefined;
    const timeline = keyOrigin(this.#agent, first)?.timelineName ?? "";
    const owner = agentName(this.#agent, keyOwner(this.#agent, first));
    return `agent "${owner}" has not finished its work on timeline "${timeline}", which timed out`;
  }

  #overdue(): FenceKey[] {
    return this.#entries.map(({ key }) => key).filter((key) => !isKeyFinished(this.#agent, key));
  }
}
