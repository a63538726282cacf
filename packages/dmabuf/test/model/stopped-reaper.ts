import { isLive, type Identity } from "../../src/domain/agent-slot.js";
import { AGENT, AGENT_PHASE } from "../../src/domain/layout.js";
import { unreleased } from "../../src/domain/recovery.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { faulty, SOUND, type Fault, type Program, type Scenario } from "./interleavings.js";
import { identityOf, type TinyDomain } from "./tiny-domain.js";

/**
 * A death at any step, whose reaper is stopped at any step and never goes on: in the model an agent does not go on when
 * it is killed and the others are not told. Of those who are left one looks around, as agents of processes do, while it
 * waits.
 */

export const [WAITER, MORTAL, REAPER] = [0, 1, 2];
export const DEAD: Identity = identityOf(MORTAL);

export interface StoppedReaper {
  /** Runs to its end, whatever happens to the others. */
  readonly waiter: Program;
  /** In the slot {@link MORTAL}. Default: one that has died before. */
  readonly mortal?: Program;
  /** In which slot an agent dies, and in which the waiter is, which also reaps. */
  readonly slots?: { readonly dead: number; readonly looker: number };
  /** What the reaper does wrongly. */
  readonly fault?: Fault;
}

export function stoppedReaper(
  domain: TinyDomain,
  { waiter, mortal, slots = { dead: MORTAL, looker: WAITER }, fault = SOUND }: StoppedReaper,
): Pick<Scenario, "agents" | "crash"> {
  const { dead, looker } = slots;
  const reaps: Program = (memory) => domain.recover(faulty(memory, fault), REAPER, dead);
  const looks: Program = (memory) => lookAround(domain, memory, looker, dead);
  // That the waiter looks around before, too, is left to the others: there would be too much to try.
  if (mortal === undefined) {
    return { agents: { waiter, reaper: reaps }, crash: { agents: ["reaper"], recover: { looker: looks } } };
  }
  // Only the death is noticed: no agent notices that the reaper is stopped.
  const recover = {
    reaper: (memory: Substrate, victim: number) => victim === 1 && reaps(memory),
    looker: (memory: Substrate, victim: number) => victim === 1 && looks(memory),
  };
  return { agents: { waiter, mortal }, crash: { agents: ["mortal", "reaper"], most: 2, recover } };
}

/** To an agent with this mistake, the dead are as the living until their reaper frees their slot. */
export function deadCount({ layout }: TinyDomain, slot: number): Fault {
  const state = layout.agent(slot) + AGENT.STATE;
  return (memory) => ({
    load(word) {
      const value = memory.load(word);
      const isDead = word === state && (value & 1023) === AGENT_PHASE.DEAD;
      return isDead ? value - AGENT_PHASE.DEAD + AGENT_PHASE.LIVE : value;
    },
  });
}

/** What an agent does from time to time while it waits. */
function lookAround(domain: TinyDomain, memory: Substrate, self: number, dead: number): void {
  const segment = domain.segment(memory);
  // Its process is gone: the kernel says so.
  const isLost = isLive(segment, identityOf(dead));
  if (isLost || [...unreleased(segment)].length > 0) domain.recover(memory, self, dead);
}
