import type { Substrate } from "../substrate/substrate.js";
import type { AgentProgram } from "./recorded-agent.js";

/** What is to be explored; see explore.1 to explore.5. */
export interface ExploreOptions {
  /** The size of the memory, in 32-bit words; all start as zero. */
  words: number;
  /** Runs alone before the agents. */
  prepare?: (memory: Substrate) => void;
  /** A list of functions is one agent with several tasks: they take turns, as on an event loop. */
  agents: Agents;
  /** Kills agents before any of their steps, and after their last one. */
  crash?: {
    /** Names of those that may die, or numbers if they have no names; all `agents` by default. */
    agents?: readonly (string | number)[];
    /** How many may die in one schedule; 1 by default. */
    most?: number;
    /** Agents that start at a death, each once for each death; `victim` counts `agents` and then these. */
    recover?: Record<string, (memory: Substrate, victim: number) => unknown>;
  };
  /** Judges the end of every schedule. */
  check?: (memory: Substrate, outcome: Outcome) => void;
  /** Judges every moment. */
  invariant?: (memory: Substrate) => void;
  /**
   * Whether parks with a time limit may time out; true by default. False shows wake-ups that only the limit makes good.
   */
  timeouts?: boolean;
  /** How many parks may return early in one schedule; 0 by default. */
  spuriousWakes?: number;
  /**
   * How often in a row a task looks again in vain (after `pause()`, or after a park that timed out, with no word
   * changed since) while others can move; 1 by default. When no other agent can move it looks without a limit.
   */
  vainLooks?: number;
  /** Whether moments that were reached before are skipped; true by default. */
  prune?: boolean;
  /**
   * Whether agents that will go on alike are taken for one; true by default, false without pruning or with landmarks.
   */
  merge?: boolean;
  /**
   * Whether agents at the same `landmark` are taken for one, as they say; needs pruning. False by default. An agent
   * that then comes back to where it was, while no other agent moves, is a failure: it does not wait, it spins.
   */
  landmarks?: boolean;
  /** How much is tried before the exploration fails. */
  limits?: {
    /**
     * How many moments, and results on the way of an agent, are tried before the exploration fails; 1,000,000 by
     * default.
     */
    states?: number;
    /** How many steps an agent may make before the exploration fails; 1,000 by default. */
    stepsPerAgent?: number;
  };
  /** The name of a word in traces. */
  nameOf?: (word: number) => string;
  /** Runs only this schedule, as an `ExplorationError` gave it, and returns its trace. */
  replay?: string;
}

/** The agents, by name, or as a list: then their names are their numbers. */
export type Agents = Record<string, AgentProgram | readonly AgentProgram[]> | readonly AgentProgram[];

/** How one schedule ended. */
export interface Outcome {
  /**
   * What each agent returned, by name (or number); a list for an agent with several tasks; undefined if it was killed.
   */
  results: Record<string, unknown>;
  /** The names of those that were killed. */
  crashed: readonly string[];
}

/** What {@link explore} has tried. */
export interface Exploration {
  /**
   * All schedules from start to end: those that pruning has skipped are counted, those in which a moment repeats are
   * not.
   */
  schedules: number;
  /** The moments tried. */
  states: number;
  /** The moves made. */
  steps: number;
  /** Of `replay`: what happened. */
  trace?: string;
}
