import { ConstantWords } from "./constant-words.js";
import { Explorer } from "./explorer.js";
import type { AgentProgram } from "./recorded-agent.js";
import { parseSchedule } from "./trace.js";
import type { Substrate } from "../substrate/substrate.js";

/**
 * Tries every interleaving of a few agents on a model of shared memory.
 *
 * E1. An agent is a plain synchronous function. It is run many times, so it makes its own state anew in each run and
 *     decides by its results alone: no clock, no chance, nothing shared with another agent but the memory.
 * E2. Every order of operations is tried (with every time-out and death that is asked for), unless `explore` throws.
 *     With pruning, a moment that was reached before is not tried again: the same memory and the same results of
 *     every agent have the same future.
 * E3. A throw by an agent, `check` or `invariant`, and agents that sleep with nobody left to wake them, end the
 *     exploration with an `ExplorationError`. An agent that may fail catches its error and returns it.
 * E4. On a word that no agent ever changes, an operation that changes nothing is no step: its place among the steps of
 *     others makes no difference.
 *     Which words these are is found out by exploring: when an agent changes one, the exploration starts again.
 * E5. The memory that `prepare`, `check` and `invariant` get runs at once; what `check` and `invariant` change is
 *     undone.
 */

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
  /** Whether parks with a time limit may time out; true by default. False shows wake-ups that only the limit makes good. */
  timeouts?: boolean;
  /** How many parks may return early in one schedule; 0 by default. */
  spuriousWakes?: number;
  /**
   * How often in a row a task looks again in vain (after `pause()`, or after a park that timed out, with no word
   * changed since) while others can move; 1 by default. When nobody else can move it looks without a limit.
   */
  vainLooks?: number;
  /** Whether moments that were reached before are skipped; true by default. */
  prune?: boolean;
  limits?: {
    /** How many moments are tried before the exploration fails; 1,000,000 by default. */
    states?: number;
    /** How many steps an agent may make before the exploration fails; 1,000 by default. */
    stepsPerAgent?: number;
  };
  /** The name of a word in traces. */
  nameOf?: (word: number) => string;
  /** Runs only this schedule, as an `ExplorationError` gave it, and returns its trace. */
  replay?: string;
}

export type Agents = Record<string, AgentProgram | readonly AgentProgram[]> | readonly AgentProgram[];

export interface Outcome {
  /** What each agent returned, by name (or number); a list for an agent with several tasks; undefined if it was killed. */
  results: Record<string, unknown>;
  /** The names of those that were killed. */
  crashed: readonly string[];
}

export interface Exploration {
  /** All schedules from start to end: those that pruning has skipped are counted. */
  schedules: number;
  /** The moments tried. */
  states: number;
  /** The moves made. */
  steps: number;
  /** Of `replay`: what happened. */
  trace?: string;
}

/** @throws {ExplorationError} at the first schedule that goes wrong. */
export function explore(options: ExploreOptions): Exploration {
  if (options.replay !== undefined) {
    const { moves, changing } = parseSchedule(options.replay);
    return new Explorer(options, new ConstantWords(options.words, changing)).only(moves);
  }
  const constants = new ConstantWords(options.words, []);
  for (;;) {
    const exploration = new Explorer(options, constants).all();
    if (exploration !== undefined) return exploration;
    constants.learn();
  }
}
