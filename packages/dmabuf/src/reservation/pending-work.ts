import type { Agent } from "../domain/agent.js";
import { PendingKey } from "../domain/awaited-key.js";
import { isKeySignaled } from "../domain/fence-slot.js";
import { until, type Steps } from "../domain/steps.js";
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
