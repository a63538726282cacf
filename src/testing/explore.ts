import { Machine } from "./machine.js";
import type { AgentPlan, Move, Step } from "./machine.js";
import type { AgentProgram } from "./recorded-agent.js";
import { parseSchedule, Trace } from "./trace.js";
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
 * E4. The memory that `prepare`, `check` and `invariant` get runs at once; what `check` and `invariant` change is
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
  /** All schedules from start to end, the pruned ones too. */
  schedules: number;
  /** The moments tried. */
  states: number;
  /** The moves made. */
  steps: number;
  /** Of `replay`: what happened. */
  trace?: string;
}

export type ExplorationFailure = "deadlock" | "threw" | "check" | "invariant" | "limit";

export class ExplorationError extends Error {
  override readonly name = "ExplorationError";
  readonly kind: ExplorationFailure;
  // The message has both already: as private fields they are not printed a second time.
  readonly #schedule: string;
  readonly #trace: string;

  constructor(kind: ExplorationFailure, headline: string, trace: Trace, options?: ErrorOptions) {
    super(`${headline}\n${trace.toString()}`, options);
    this.kind = kind;
    this.#schedule = trace.schedule();
    this.#trace = trace.toString();
  }

  /** For `replay`. */
  get schedule(): string {
    return this.#schedule;
  }

  /** Every move, one a line, and how things stood at the end. */
  get trace(): string {
    return this.#trace;
  }
}

/** @throws {ExplorationError} at the first schedule that goes wrong. */
export function explore(options: ExploreOptions): Exploration {
  const explorer = new Explorer(options);
  return options.replay === undefined ? explorer.all() : explorer.only(options.replay);
}

class Explorer {
  readonly #options: ExploreOptions;
  readonly #agents: readonly AgentPlan[];
  readonly #machine: Machine;
  /** The moves from the start to this moment. */
  readonly #path: Step[] = [];
  /** How many schedules lead on from each moment seen. */
  readonly #seen: Map<string, number> | undefined;
  readonly #mostStates: number;
  readonly #mostSteps: number;
  #states = 0;
  #steps = 0;

  constructor(options: ExploreOptions) {
    this.#options = options;
    this.#agents = planAgents(options);
    this.#machine = new Machine({
      words: options.words,
      agents: this.#agents,
      prepare: options.prepare,
      mostCrashes: options.crash === undefined ? 0 : (options.crash.most ?? 1),
      spuriousWakes: options.spuriousWakes ?? 0,
      vainLooks: options.vainLooks ?? 1,
    });
    this.#seen = options.prune === false ? undefined : new Map();
    this.#mostStates = options.limits?.states ?? 1_000_000;
    this.#mostSteps = options.limits?.stepsPerAgent ?? 1_000;
    this.#machine.tasks.forEach((_task, task) => this.#checkTask(task));
  }

  all(): Exploration {
    const schedules = this.#search(undefined);
    return { schedules, states: this.#states, steps: this.#steps };
  }

  only(schedule: string): Exploration {
    for (const move of parseSchedule(schedule)) {
      this.#enter();
      this.#make(this.#legal(move));
    }
    this.#enter();
    if (this.#machine.moves().length === 0) this.#atEnd();
    return { schedules: 1, states: this.#states, steps: this.#steps, trace: this.#trace().toString() };
  }

  /** Tries everything from here; returns how many schedules that is. */
  #search(last: Move | undefined): number {
    const key = this.#seen === undefined ? "" : this.#machine.key();
    const known = this.#seen?.get(key);
    if (known !== undefined) return known;
    this.#enter();
    const moves = this.#machine.moves();
    let schedules = 0;
    if (moves.length === 0) {
      this.#atEnd();
      schedules = 1;
    }
    // The last mover goes on first: traces with few switches are easier to read.
    if (last !== undefined) moves.sort((a, b) => Number(isSameMover(b, last)) - Number(isSameMover(a, last)));
    const here = this.#machine.save();
    for (const move of [...moves, ...this.#machine.deaths()]) {
      this.#make(move);
      schedules += this.#search(move);
      this.#path.pop();
      this.#machine.restore(here);
    }
    this.#seen?.set(key, schedules);
    return schedules;
  }

  #enter(): void {
    this.#states += 1;
    if (this.#states > this.#mostStates) {
      this.#fail("limit", `Cannot try every schedule: there are more than ${this.#mostStates} states`);
    }
    const { invariant } = this.#options;
    if (invariant !== undefined) this.#judge("invariant", invariant);
  }

  #make(move: Move): void {
    const step = this.#machine.make(move);
    this.#steps += 1;
    this.#path.push(step);
    if (move.kind === "death") this.#machine.tasks.forEach((_task, task) => this.#checkTask(task));
    else [move.who, ...step.woken].forEach((task) => this.#checkTask(task));
  }

  #checkTask(task: number): void {
    const point = this.#machine.point(task);
    if (point === undefined) return;
    if (point.end?.state === "threw") {
      const { error } = point.end;
      this.#fail("threw", `${this.#agentOf(task)} threw ${String(error)}`, error);
    }
    if (point.depth > this.#mostSteps) {
      const name = this.#agentOf(task);
      this.#fail("limit", `Cannot try every schedule: ${name} made more than ${this.#mostSteps} steps`);
    }
  }

  /** Nobody can move: either all have ended, or some sleep for ever. */
  #atEnd(): void {
    const { tasks } = this.#machine;
    const stuck = tasks.flatMap((_task, task) => (this.#machine.point(task)?.operation === undefined ? [] : [task]));
    if (stuck.length > 0) {
      const names = stuck.map((task) => this.#agentOf(task)).join(" and ");
      this.#fail("deadlock", `Nobody is left to wake ${names}`);
    }
    const { check } = this.#options;
    if (check !== undefined) this.#judge("check", (memory) => check(memory, this.#outcome()));
  }

  #judge(kind: "check" | "invariant", judge: (memory: Substrate) => void): void {
    const { memory } = this.#machine;
    const mark = memory.mark();
    try {
      judge(memory);
    } catch (error) {
      memory.undo(mark);
      this.#fail(kind, `${kind === "check" ? "The check" : "The invariant"} threw ${String(error)}`, error);
    }
    memory.undo(mark);
  }

  #outcome(): Outcome {
    const results: Record<string, unknown> = {};
    const crashed: string[] = [];
    this.#agents.forEach((agent, index) => {
      const values = this.#machine.tasks.flatMap((task, at) => (task.agent === index ? [this.#valueOf(at)] : []));
      results[agent.name] = agent.tasks.length === 1 ? values[0] : values;
      if (this.#machine.isDead(index)) crashed.push(agent.name);
    });
    return { results, crashed };
  }

  #valueOf(task: number): unknown {
    const end = this.#machine.end(task);
    return end?.state === "returned" ? end.value : undefined;
  }

  #legal(move: Move): Move {
    const legal = [...this.#machine.moves(), ...this.#machine.deaths()];
    if (!legal.some((other) => other.kind === move.kind && other.who === move.who)) {
      throw new RangeError(`Cannot replay the schedule: move ${this.#path.length + 1} is not possible here`);
    }
    return move;
  }

  #agentOf(task: number): string {
    return this.#trace().nameOfTask(task);
  }

  #trace(): Trace {
    return new Trace(this.#machine, this.#agents, [...this.#path], this.#options.nameOf ?? String);
  }

  #fail(kind: ExplorationFailure, headline: string, cause?: unknown): never {
    throw new ExplorationError(kind, headline, this.#trace(), cause === undefined ? undefined : { cause });
  }
}

function planAgents(options: ExploreOptions): AgentPlan[] {
  const { crash } = options;
  const most = crash?.most ?? 1;
  const names = Object.keys(options.agents);
  const mortals = new Set((crash === undefined ? [] : (crash.agents ?? names)).map(String));
  const agents = Object.entries(options.agents).map(([name, programs]) => {
    const tasks = [programs].flat();
    return { name, mortal: mortals.has(name), tasks: tasks.map((program) => ({ start: "at once" as const, program })) };
  });
  const recovery = Object.entries(crash?.recover ?? {}).map(([name, recover]) => {
    const program = perVictim(recover);
    const tasks = Array.from({ length: most }, (_, death) => ({ start: "after a death" as const, death, program }));
    return { name, mortal: mortals.has(name), tasks };
  });
  const all = [...agents, ...recovery];
  for (const name of mortals) {
    if (!all.some((agent) => agent.name === name)) throw new RangeError(`Cannot kill ${name}: there is no such agent`);
  }
  return all;
}

/** One program for each victim, the same at every death: so that equal moments are seen to be equal. */
function perVictim(recover: (memory: Substrate, victim: number) => unknown): (victim: number) => AgentProgram {
  const programs = new Map<number, AgentProgram>();
  return (victim) => {
    const program = programs.get(victim) ?? ((memory: Substrate) => recover(memory, victim));
    programs.set(victim, program);
    return program;
  };
}

function isSameMover(a: Move, b: Move): boolean {
  return a.kind !== "death" && b.kind !== "death" && a.who === b.who;
}
