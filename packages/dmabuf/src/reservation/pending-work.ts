import type { Agent } from "../domain/agent.js";
import { AwaitedKey } from "../domain/awaited-key.js";
import { isKeySignaled, isOwnKey, keyTimeLimit } from "../domain/fence-slot.js";
import { until, type Steps } from "../domain/steps.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { DmaBufError } from "../errors.js";
import { WorkQueries } from "./work-queries.js";
import { tryReadEntries, type Entry } from "./entries.js";

/** The work of others on a buffer, for an agent that waits for it and adds none: it makes no fence for that. */
export class PendingWork extends WorkQueries {
  readonly agent: Agent;
  readonly #slot: number;

  constructor(agent: Agent, bufferSlot: number) {
    super();
    this.agent = agent;
    this.#slot = bufferSlot;
  }

  protected *eachSignaled(entries: readonly Entry[]): Steps<boolean> {
    for (const { key } of entries) {
      if (isKeySignaled(this.agent, key)) continue;
      if (!(yield until(this.agent, new PendingKey(this.agent, key)))) return false;
    }
    return true;
  }

  protected snapshot(): Entry[] {
    for (;;) {
      const entries = tryReadEntries(this.agent, this.#slot);
      if (entries !== undefined) return entries;
    }
  }
}

/** A wait for a fence that this agent knows by its key alone. */
class PendingKey extends AwaitedKey {
  /** @throws {DmaBufError} `EDEADLK` if this thread itself must signal it. */
  readonly checkBlocking: () => void;

  constructor(agent: Agent, key: FenceKey) {
    super(agent, key, keyTimeLimit(agent, key));
    this.checkBlocking = () => {
      if (!isOwnKey(agent, key)) return;
      throw new DmaBufError("EDEADLK", "Cannot block: only this thread can signal the fence");
    };
  }
}
