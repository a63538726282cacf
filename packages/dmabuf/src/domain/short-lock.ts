import { DmaBufError } from "../errors.js";
import type { Agent } from "./agent.js";
import { agentName, isLive, type Identity } from "./agent-slot.js";
import type { Segment } from "./layout.js";

/**
 * A lock for a change of some words that no exchange can make at once. Its word names the holder, which waits for
 * nothing and calls no other code while it has it. An agent that finds a dead holder there opens it: a change is
 * published by its last store, so one that was not has changed nothing. No agent waits longer than a limit for a holder
 * that is stopped, or has died and whose lock no recovery has opened.
 */
export interface ShortLock {
  /** Its word. */
  readonly word: number;
  /** What is changed, for messages. */
  readonly noun: string;
  /** Counts the changes. */
  readonly version: () => number;
}

/** Milliseconds for which a change waits for another agent's, which takes microseconds. */
const LIMIT = 1000;

/** @throws {DmaBufError} `EBUSY` if another agent is stopped in a change. */
export function shortlyLocked<T>(agent: Agent, lock: ShortLock, run: () => T): T {
  take(agent, lock);
  try {
    return run();
  } finally {
    openShortLock(agent, lock.word, agent.identity);
  }
}

/** Opens the lock if `holder` has it, and wakes the agents that wait for it. */
export function openShortLock({ memory }: Segment, word: number, holder: Identity): void {
  memory.compareExchange(word, holder, 0);
  memory.wake(word);
}

function take(agent: Agent, { word, noun, version }: ShortLock): void {
  const { memory, host, identity } = agent;
  let began: number | undefined;
  let since = 0;
  let seen: number | undefined;
  for (;;) {
    const holder = memory.compareExchange(word, 0, identity);
    if (holder === 0) return;
    if (!isLive(agent, holder)) {
      openShortLock(agent, word, holder);
      continue;
    }
    const now = host.nowNs();
    began ??= now;
    const changes = version();
    // Others make changes: that this agent has not come to its own yet is bad luck, and no agent is stopped.
    if (changes !== seen) since = now;
    seen = changes;
    const waited = now - since;
    if (waited >= LIMIT * 1e6) {
      throw new DmaBufError(
        "EBUSY",
        `Cannot change the ${noun}: agent "${agentName(agent, holder)}" has been changing it for ${LIMIT} ms`,
      );
    }
    if (now - began < host.spinNs || !host.mayBlock) memory.pause();
    else memory.park(word, holder, LIMIT - waited / 1e6);
  }
}
