import type { Agent } from "../domain/agent.js";
import { PendingKey } from "../domain/awaited-key.js";
import { isKeySignaled } from "../domain/fence-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { until, type Steps } from "../domain/steps.js";
import { WorkQueries } from "./work-queries.js";
import type { Entry } from "./entries.js";

/** The work of others on a buffer, for an agent that waits for it and adds none: it makes no fence for that. */
export class PendingWork extends WorkQueries {
  readonly agent: Agent;
  protected readonly bufferSlot: number;

  constructor(agent: Agent, bufferSlot: number) {
    super();
    this.agent = agent;
    this.bufferSlot = bufferSlot;
  }

  protected *eachSignaled(entries: readonly Entry[], heldUp: HeldUp | undefined): Steps<boolean> {
    for (const { key } of entries) {
      if (isKeySignaled(this.agent, key)) continue;
      if (!(yield until(this.agent, new PendingKey(this.agent, key), heldUp))) return false;
    }
    return true;
  }
}
