import { checkOptions, FLAG, FUNCTION, integer, OBJECT, required, TEXT, type Kind, type Kinds } from "../arguments.js";
import { ConstantWords } from "./constant-words.js";
import type { Exploration, ExploreOptions } from "./exploration.js";
import { ExplorationError } from "./exploration-error.js";
import { Explorer, LongSchedule, planAgents } from "./explorer.js";
import type { Setup } from "./explorer.js";
import type { Move } from "./machine.js";
import { Difference, MergedPoints } from "./merged-points.js";
import { ModelMemory } from "./model-memory.js";
import { PointTable } from "./point-table.js";
import { parseSchedule } from "./trace.js";

/**
 * Tries every interleaving of a few agents on a model of shared memory.
 *
 * explore.1. An agent is a plain synchronous function. It is run many times, so it makes its own state anew in each run
 *     and decides by its results alone: no clock, no chance, nothing shared with another agent but the memory.
 * explore.2. Every order of operations is tried, with every time-out and death that is asked for, unless `explore`
 *     throws. What was tried before is not tried again: the same memory with every agent at the same point (see
 *     merged-points.ts) has the same future.
 * explore.3. A throw by an agent, `check` or `invariant`, and agents that sleep with no agent left to wake them, end
 *     the exploration with an `ExplorationError`. An agent that may fail catches its error and returns it.
 * explore.4. On a word that no agent ever changes, an operation that changes nothing is no step: its place among the
 *     steps of others makes no difference. Which words these are is found out by exploring: when an agent changes one,
 *     the exploration starts again.
 * explore.5. The memory that `prepare`, `check` and `invariant` get runs at once; what `check` and `invariant` change
 *     is undone. They see real schedules only.
 */

const AGENTS: Kind = {
  wanted: "an object or an array of functions, or of arrays of them",
  isKind: (value) => typeof value === "object" && value !== null && Object.values(value).every(isProgram),
};

function isProgram(value: unknown): boolean {
  return typeof value === "function" || (Array.isArray(value) && value.every((part) => typeof part === "function"));
}

const OPTIONS: Kinds<ExploreOptions> = {
  words: required(integer(1, 1 << 24)),
  prepare: FUNCTION,
  agents: required(AGENTS),
  crash: OBJECT,
  check: FUNCTION,
  invariant: FUNCTION,
  timeouts: FLAG,
  spuriousWakes: integer(0),
  vainLooks: integer(0),
  prune: FLAG,
  merge: FLAG,
  landmarks: FLAG,
  limits: OBJECT,
  nameOf: FUNCTION,
  replay: TEXT,
};

/**
 * Tries every order of the agents' operations on a model of shared memory, with every death and time-out that is asked
 * for.
 *
 * @returns How much was tried; with `replay`, what happened.
 * @throws {ExplorationError} At the first schedule that goes wrong.
 * @throws {TypeError | RangeError} Naming the option that is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { explore } from "dmabuf/testing";
 *
 * const COUNT = 0;
 * const { schedules } = explore({
 *   words: 1,
 *   agents: { a: (memory) => memory.add(COUNT, 1), b: (memory) => memory.add(COUNT, 1) },
 *   check: (memory) => assert.equal(memory.load(COUNT), 2),
 * });
 * console.log(schedules); // 2
 * ```
 */
export function explore(options: ExploreOptions): Exploration {
  checkOptions("explore()", options, OPTIONS);
  const memory = new ModelMemory(options.words);
  options.prepare?.(memory);
  const { moves, changing } = parseSchedule(options.replay ?? ":");
  const constants = new ConstantWords(options.words, changing);
  const setup = { options, agents: planAgents(options), start: memory.copy(), constants };
  if (options.replay !== undefined) return new Explorer(setup, new PointTable(setup.start, constants)).only(moves);
  for (;;) {
    const exploration = tryAll(setup);
    if (exploration !== undefined) return exploration;
    constants.learn();
  }
}

/** @returns Nothing if a word has changed that was taken for a constant. */
function tryAll(setup: Setup): Exploration | undefined {
  const { prune = true, merge = true, landmarks = false } = setup.options;
  const table = new PointTable(setup.start, setup.constants, landmarks && prune);
  if (!prune || !merge || landmarks) return new Explorer(setup, table).all();
  // Until nothing is taken for what it is not, schedules may be tried that do not exist: they are not judged.
  const { check: _check, invariant: _invariant, ...unjudged } = setup.options;
  const points = new MergedPoints(table);
  for (;;) {
    const difference = findDifference({ ...setup, options: unjudged }, points);
    if (setup.constants.mistaken) return undefined;
    if (difference === undefined) return new Explorer(setup, points).all();
    points.tellApart(difference);
  }
}

/**
 * Where points are taken for one that differ. Differences that show in a small part of all schedules are found there.
 *
 * @throws {ExplorationError} if agents sleep without end or throw.
 */
function findDifference(setup: Setup, points: MergedPoints): Difference | undefined {
  for (let budget = FIRST_BUDGET; ; budget *= 4) {
    const explorer = new Explorer(setup, points, budget, budget / 25);
    let done = false;
    try {
      done = explorer.all() !== undefined;
      if (setup.constants.mistaken) return undefined;
      explorer.compare(points);
    } catch (error) {
      if (error instanceof Difference) return error;
      if (!(error instanceof LongSchedule || error instanceof ExplorationError)) throw error;
      const moves = error instanceof LongSchedule ? error.moves : parseSchedule(error.schedule).moves;
      const difference = repeat(setup, points, moves);
      if (difference !== undefined || setup.constants.mistaken) return difference;
      // Nothing else goes wrong when it is repeated: there are too many states.
      if (error instanceof ExplorationError) throw error;
    }
    if (done) return undefined;
  }
}

/** Repeats a schedule with points kept apart. @throws {ExplorationError} if it really goes wrong. */
function repeat(setup: Setup, points: MergedPoints, moves: readonly Move[]): Difference | undefined {
  try {
    points.keepingApart(() => new Explorer(setup, points).only(moves));
  } catch (error) {
    if (error instanceof Difference) return error;
    if (!setup.constants.mistaken) throw error;
  }
  return undefined;
}

const FIRST_BUDGET = 5_000;
