/** The faults that members can be told to have, where they are more than a line: see FAULTS. */
import { readdirSync, readFileSync } from "node:fs";
import { readHeader } from "../../../src/domain/header.js";
import { AGENT, AGENT_PHASE, AGENT_STATE, TIMELINE } from "../../../src/domain/layout.js";
import { claimTimeline } from "../../../src/domain/timeline-slot.js";
import type { Agent } from "../../../src/domain/agent.js";
import type { Substrate } from "../../../src/substrate/substrate.js";
import { duplicateDescriptor, openFile } from "../../../src/node/system-calls/index.js";
import { SteppedSubstrate } from "../../../src/testing/index.js";

/** The identity of an agent that never was. */
const UNKNOWN = 0x1f_ffff << 10;

/** Memory of an agent that sleeps through what wakes it, when it has returned to its event loop. */
export function sleepThrough(memory: Substrate): Substrate {
  return new DeepSleep(memory);
}

class DeepSleep extends SteppedSubstrate {
  override parkAsync(word: number, expected: number): Promise<void> | undefined {
    return super.parkAsync(word, expected) && new Promise(() => {});
  }
}

/** Memory of an agent to which the dead are as the living until their slots are free. */
export function believeInTheDead(memory: Substrate): Substrate {
  return new Faith(memory);
}

class Faith extends SteppedSubstrate {
  #states: ReadonlySet<number> | undefined;

  override load(word: number): number {
    const value = super.load(word);
    const isDead = this.#isState(word) && AGENT_STATE.phase.in(value) === AGENT_PHASE.DEAD;
    return isDead ? value - AGENT_PHASE.DEAD + AGENT_PHASE.LIVE : value;
  }

  #isState(word: number): boolean {
    if (this.#states === undefined) {
      this.#states = new Set();
      const layout = readHeader(this);
      const states = Array.from({ length: layout.sizes.agents }, (_, slot) => layout.agent(slot) + AGENT.STATE);
      this.#states = new Set(states);
    }
    return this.#states.has(word);
  }
}

export function leakSlot(agent: Agent): void {
  const { slot } = claimTimeline(agent, { name: "leaked", driverName: "", timeLimit: 60_000 });
  agent.memory.store(agent.layout.timeline(slot) + TIMELINE.OWNER, UNKNOWN);
}

/** As a member that does not leave it to Node.js to close what shows that it lives. */
export function keepMembership(): void {
  for (const fd of readdirSync("/proc/self/fd")) if (holdsLock(fd)) duplicateDescriptor(Number(fd));
}

function holdsLock(fd: string): boolean {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").includes("OFDLCK");
  } catch {
    // That of the folder itself.
    return false;
  }
}

/** Without Node.js, which would close it at the thread's end. */
export function openStray(): void {
  openFile("/dev/null");
}

/** All timelines of the agent so far belong to no agent from now on. */
export function disown({ memory, layout, identity }: Agent): void {
  for (let slot = 0; slot < layout.sizes.timelines; slot++) {
    const owner = layout.timeline(slot) + TIMELINE.OWNER;
    if (memory.load(owner) === identity) memory.store(owner, UNKNOWN);
  }
}
