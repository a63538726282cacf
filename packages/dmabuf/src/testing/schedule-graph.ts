import type { Step, Task } from "./machine.js";
import type { Point } from "./point-table.js";
import { WOKEN } from "./recorded-agent.js";
import type { AgentProgram } from "./recorded-agent.js";

/** The moments of one try and how many schedules lead on from each; with `steps`, also the moves between them. */
export class ScheduleGraph {
  readonly #tasks: readonly Task[];
  readonly #steps: StepTable | undefined;
  readonly #moments = new Map<string, number>();
  readonly #schedules: (number | undefined)[] = [];

  constructor(tasks: readonly Task[], steps: boolean) {
    this.#tasks = tasks;
    this.#steps = steps ? new StepTable() : undefined;
  }

  /** The number of the moment with this key; `step` led there from the moment `before`. */
  add(key: string, before: number, step: Step | undefined): number {
    let moment = this.#moments.get(key);
    if (moment === undefined) {
      moment = this.#moments.size;
      this.#moments.set(key, moment);
      this.#schedules.push(undefined);
    }
    if (step !== undefined) this.#steps?.add(before, moment, step);
    return moment;
  }

  schedules(moment: number): number | undefined {
    return this.#schedules[moment];
  }

  setSchedules(moment: number, schedules: number): void {
    this.#schedules[moment] = schedules;
  }

  /**
   * Goes through all that each task may meet: every sequence of results that some schedule gives it.
   *
   * @param after The agent's point after one more result.
   * @returns How many sequences there are; more than `most` means that not all were gone through.
   */
  meetAll(
    root: (program: AgentProgram) => Point,
    after: (point: Point, result: unknown) => Point,
    most: number,
  ): number {
    const steps = this.#steps!;
    let met = 0;
    for (const [task, { agent, plan }] of this.#tasks.entries()) {
      if (plan.start === "at once")
        met += new Walk(steps, task, agent, after, most - met).from(root(plan.program), [0]);
      else {
        for (const [victim, moments] of steps.starts(task)) {
          met += new Walk(steps, task, agent, after, most - met).from(root(plan.program(victim)), moments);
        }
      }
    }
    return met;
  }
}

/** The moves between moments, in numbers: there are very many. */
class StepTable {
  /** Per moment, its first step; -1 for none. */
  readonly #first: number[] = [];
  /** STEP_WORDS numbers a step. */
  readonly #steps: number[] = [];
  readonly #results: unknown[] = ["woken", WOKEN];
  readonly #numbers = new Map<unknown, number>([
    ["woken", 0],
    [WOKEN, 1],
  ]);

  add(before: number, to: number, { move, result, sleeps, woken, started }: Step): void {
    while (this.#first.length <= before) this.#first.push(-1);
    const step = this.#steps.length;
    this.#steps.push(
      this.#first[before]!,
      to,
      move.kind === "death" ? -1 - move.who : move.who,
      sleeps ? -1 : this.#numberOf(result),
      maskOf(woken.filter((sleeper) => sleeper.result === "woken").map((sleeper) => sleeper.task)),
      maskOf(woken.filter((sleeper) => sleeper.result === WOKEN).map((sleeper) => sleeper.task)),
      maskOf(started),
    );
    this.#first[before] = step;
  }

  /** The moments at which a task starts, by the victim of the death that starts it. */
  starts(task: number): Map<number, number[]> {
    const starts = new Map<number, Set<number>>();
    for (let step = 0; step < this.#steps.length; step += STEP_WORDS) {
      if ((this.#steps[step + STARTED]! & (1 << task)) === 0) continue;
      const victim = -1 - this.#steps[step + MOVER]!;
      const moments = starts.get(victim) ?? new Set<number>();
      starts.set(victim, moments.add(this.#steps[step + TO]!));
    }
    return new Map([...starts].map(([victim, moments]) => [victim, [...moments]]));
  }

  /** The results that a task may get next if the schedule is at one of these moments, and the moments after each. */
  after(moments: readonly number[], task: number, agent: number): Map<unknown, number[]> {
    const reached = new Set(moments);
    const results = new Map<unknown, Set<number>>();
    for (const moment of reached) {
      for (let step = this.#first[moment] ?? -1; step >= 0; step = this.#steps[step + NEXT]!) {
        const to = this.#steps[step + TO]!;
        const gets = this.#resultFor(step, task);
        if (gets >= 0) {
          const result = this.#results[gets];
          results.set(result, (results.get(result) ?? new Set<number>()).add(to));
        } else if (this.#steps[step + MOVER] !== -1 - agent) reached.add(to);
      }
    }
    return new Map([...results].map(([result, next]) => [result, [...next].sort((a, b) => a - b)]));
  }

  #resultFor(step: number, task: number): number {
    if (this.#steps[step + MOVER] === task) return this.#steps[step + RESULT]!;
    if ((this.#steps[step + WOKEN_SYNC]! & (1 << task)) !== 0) return 0;
    return (this.#steps[step + WOKEN_ASYNC]! & (1 << task)) === 0 ? -1 : 1;
  }

  #numberOf(result: unknown): number {
    let number = this.#numbers.get(result);
    if (number === undefined) {
      number = this.#results.push(result) - 1;
      this.#numbers.set(result, number);
    }
    return number;
  }
}

const NEXT = 0; // the next step from the same moment, -1 for none
const TO = 1;
const MOVER = 2; // the task, or -1 - agent for its death
const RESULT = 3; // what the mover got, -1 for nothing
const WOKEN_SYNC = 4; // bits of tasks
const WOKEN_ASYNC = 5;
const STARTED = 6;
const STEP_WORDS = 7;

/** One task on its way through all that it may meet. */
class Walk {
  readonly #steps: StepTable;
  readonly #task: number;
  readonly #agent: number;
  readonly #after: (point: Point, result: unknown) => Point;
  readonly #most: number;
  /** The sets of moments that were met, each once, by their text. */
  readonly #sets = new Map<string, readonly number[]>();
  /** What follows each of them. */
  readonly #following = new Map<readonly number[], Map<unknown, readonly number[]>>();
  #met = 0;

  constructor(
    steps: StepTable,
    task: number,
    agent: number,
    after: (point: Point, result: unknown) => Point,
    most: number,
  ) {
    this.#steps = steps;
    this.#task = task;
    this.#agent = agent;
    this.#after = after;
    this.#most = most;
  }

  /** Goes on from a point at which the schedule is at one of these moments. */
  from(point: Point, moments: readonly number[]): number {
    if (point.end !== undefined || this.#met > this.#most) return this.#met;
    for (const [result, next] of this.#resultsAt(moments)) {
      this.#met += 1;
      this.from(this.#after(point, result), next);
    }
    return this.#met;
  }

  #resultsAt(moments: readonly number[]): Map<unknown, readonly number[]> {
    let following = this.#following.get(moments);
    if (following === undefined) {
      following = new Map();
      for (const [result, next] of this.#steps.after(moments, this.#task, this.#agent)) {
        const text = next.join();
        if (!this.#sets.has(text)) this.#sets.set(text, next);
        following.set(result, this.#sets.get(text)!);
      }
      this.#following.set(moments, following);
    }
    return following;
  }
}

function maskOf(tasks: readonly number[]): number {
  return tasks.reduce((mask, task) => mask | (1 << task), 0);
}
