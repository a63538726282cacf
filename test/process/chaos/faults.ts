/** The faults that members can be told to have, where they are more than a line: see FAULTS. */
import { TIMELINE } from "../../../src/domain/layout.js";
import { claimTimeline } from "../../../src/domain/timeline-slot.js";
import type { Agent } from "../../../src/domain/agent.js";
import type { Substrate } from "../../../src/substrate/substrate.js";
import { SteppedSubstrate } from "../../../src/testing/index.js";

/** The identity of an agent that never was. */
const NOBODY = 0x1f_ffff << 10;

/** Memory of an agent that sleeps through what wakes it, when it has returned to its event loop. */
export function sleepThrough(memory: Substrate): Substrate {
  return new DeepSleep(memory);
}

class DeepSleep extends SteppedSubstrate {
  override parkAsync(word: number, expected: number): Promise<void> | undefined {
    return super.parkAsync(word, expected) && new Promise(() => {});
  }
}

export function leakSlot(agent: Agent): void {
  const { slot } = claimTimeline(agent, { name: "leaked", driverName: "", timeLimit: 60_000 });
  agent.memory.store(agent.layout.timeline(slot) + TIMELINE.OWNER, NOBODY);
}

/** All timelines of the agent so far belong to nobody from now on. */
export function disown({ memory, layout, identity }: Agent): void {
  for (let slot = 0; slot < layout.sizes.timelines; slot++) {
    const owner = layout.timeline(slot) + TIMELINE.OWNER;
    if (memory.load(owner) === identity) memory.store(owner, NOBODY);
  }
}
