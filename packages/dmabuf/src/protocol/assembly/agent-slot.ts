import { AGENT, AGENT_PHASE, AGENT_STATE, COUNT, IDENTITY, LAYOUT, START } from "./layout";
import { addWord, exchangeWord, loadWord, wake } from "./words";

/** The agents, as other protocols meet them; see domain/agent-slot.ts for the rules. */

function agentAt(slot: i32): i32 {
  return START.agents + slot * AGENT.WORDS;
}

/** Whether the agent is joined and has not died (agent-slot.5). */
export function isLive(identity: i32): bool {
  const slot = IDENTITY.slot(identity);
  if (slot >= COUNT.agents) return false;
  const state = loadWord(agentAt(slot) + AGENT.STATE);
  return AGENT_STATE.generation(state) == IDENTITY.generation(identity) && AGENT_STATE.phase(state) == AGENT_PHASE.LIVE;
}

/** Wakes an agent, however it waits. */
export function ring(slot: i32): void {
  if (<u32>slot >= <u32>COUNT.agents) return;
  const bell = agentAt(slot) + AGENT.DOORBELL;
  addWord(bell, 1);
  wake(bell);
}

/** Rings every agent whose bit is set, and clears the bits. */
export function ringAll(array: i32): void {
  for (let i = 0; i < LAYOUT.agentWords; i++) {
    if (loadWord(array + i) == 0) continue;
    for (let bits = exchangeWord(array + i, 0); bits != 0; bits &= bits - 1) ring(i * 32 + ctz(bits));
  }
}

/** Whether the bit of a live agent is set. The bit of an agent that has died counts for nothing. */
export function anyLiveAgentIn(array: i32): bool {
  for (let i = 0; i < LAYOUT.agentWords; i++) {
    for (let bits = loadWord(array + i); bits != 0; bits &= bits - 1) {
      if (isLiveAgentOf(array, i * 32 + ctz(bits))) return true;
    }
  }
  return false;
}

function isLiveAgentOf(array: i32, slot: i32): bool {
  if (slot >= COUNT.agents) return false;
  if (AGENT_STATE.phase(loadWord(agentAt(slot) + AGENT.STATE)) != AGENT_PHASE.LIVE) return false;
  // SYNC POINT sweep-before-free: if the agent that was found is the next one in the slot, the dead one's bit is gone by
  // now. That agent would be waited for, and would never ring.
  return (loadWord(array + (slot >>> 5)) & (1 << (slot & 31))) != 0;
}
