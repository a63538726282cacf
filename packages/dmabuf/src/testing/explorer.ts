import type { ConstantWords } from "./constant-words.js";
import { ExplorationError } from "./exploration-error.js";
import type { ExplorationFailure } from "./exploration-error.js";
import type { Exploration, ExploreOptions, Outcome } from "./exploration.js";
import { Machine } from "./machine.js";
import type { AgentPlan, Move, Saved, Step } from "./machine.js";
import type { MergedPoints } from "./merged-points.js";
import type { Point, Points } from "./point-table.js";
import { UnrepeatableAgentError } from "./recorded-agent.js";
import type { AgentProgram } from "./recorded-agent.js";
import { ScheduleGraph } from "./schedule-graph.js";
import { Trace } from "./trace.js";
import type { Substrate } from "../substrate/substrate.js";

/** What all tries have in common. */
export interface Setup {
  readonly options: ExploreOptions;
  readonly agents: readonly AgentPlan[];
  /** What `prepare` has left. */
  readonly start: Int32Array;
  readonly constants: ConstantWords;
}

/** Thrown where a schedule has too many moves for a try in which points are taken for one, or repeats without end. */
export class LongSchedule extends Error {
  readonly moves: readonly Move[];

  constructor(moves: readonly Move[]) {
    super("A schedule is too long");
    this.moves = moves;
  }
}

/** One try of all schedules. */
export class Explorer {
  readonly #options: ExploreOptions;
  readonly #agents: readonly AgentPlan[];
  readonly #constants: ConstantWords;
  readonly #machine: Machine;
  /** The moves from the start to this moment. */
  readonly #path: Step[] = [];
  readonly #graph: ScheduleGraph | undefined;
  /** The moments on the way, with how many moves led to each. */
  readonly #way = new Map<number, number>();
  readonly #budget: number;
  readonly #longest: number;
  readonly #mostStates: number;
  readonly #mostSteps: number;
  #states = 0;
  #afterMistake = 0;
  #steps = 0;

  /**
   * @param budget How many moments are tried before `all` stops without a failure.
   * @param longest How many moves are tried before `all` throws a `LongSchedule`.
   */
  constructor(setup: Setup, points: Points, budget = Infinity, longest = Infinity) {
    const { options, constants } = setup;
    this.#budget = budget;
    this.#longest = longest;
    this.#options = options;
    this.#constants = constants;
    this.#agents = setup.agents;
    this.#machine = new Machine({
      start: setup.start,
      constants,
      points,
      agents: setup.agents,
      mostCrashes: options.crash === undefined ? 0 : (options.crash.most ?? 1),
      spuriousWakes: options.spuriousWakes ?? 0,
      timeouts: options.timeouts ?? true,
      vainLooks: options.vainLooks ?? 1,
    });
    this.#graph =
      options.prune === false
        ? undefined
        : new ScheduleGraph(this.#machine.tasks, options.merge !== false && options.landmarks !== true);
    this.#mostStates = options.limits?.states ?? 1_000_000;
    this.#mostSteps = options.limits?.stepsPerAgent ?? 1_000;
  }

  /** @returns Nothing if a word has changed that was taken for a constant, or the budget was used up. */
  all(): Exploration | undefined {
    try {
      this.#checkTasks();
      const schedules = this.#search();
      if (this.#constants.mistaken) return undefined;
      return { schedules, states: this.#states, steps: this.#steps };
    } catch (error) {
      // Whatever went wrong may rest on the mistake.
      if (this.#constants.mistaken && !(error instanceof UnrepeatableAgentError)) return undefined;
      if (error === STOPPED) return undefined;
      throw error;
    }
  }

  only(moves: readonly Move[]): Exploration {
    this.#checkTasks();
    for (const move of moves) {
      this.#enter();
      this.#make(this.#legal(move));
    }
    this.#enter();
    if (this.#machine.moves().length === 0) this.#atEnd();
    return { schedules: 1, states: this.#states, steps: this.#steps, trace: this.#trace().toString() };
  }

  /** Throws the first `Difference` that an agent may meet in what `all` has tried, if there is one. */
  compare(points: MergedPoints): void {
    let met = 0;
    points.keepingApart(() => {
      const root = (program: AgentProgram) => points.root(program);
      const after = (point: Point, result: unknown) => points.after(point, result);
      met = this.#graph!.meetAll(root, after, this.#mostStates);
    });
    if (met > this.#mostStates) {
      this.#fail(
        "limit",
        `Cannot try every schedule: agents may meet more than ${this.#mostStates} sequences of results`,
      );
    }
  }

  /** Tries everything; returns how many schedules that is. */
  #search(): number {
    // A list and no recursion: with landmarks, a way on which no moment repeats may be very long.
    const visits = [this.#visit(this.#moment(-1, undefined), undefined)];
    for (;;) {
      const visit = visits.at(-1)!;
      const move = visit.moves[visit.tried++];
      if (move === undefined) {
        visits.pop();
        this.#graph?.setSchedules(visit.moment, visit.schedules);
        const last = visits.at(-1);
        this.#way.delete(visit.moment);
        if (last === undefined) return visit.schedules;
        this.#comeBack(last, visit.schedules);
      } else {
        const step = this.#make(move);
        const moment = this.#moment(visit.moment, step);
        const known = this.#graph?.schedules(moment);
        if (known === undefined) visits.push(this.#visit(moment, step));
        else {
          this.#checkRound(moment, step.move);
          this.#comeBack(visit, known);
        }
      }
    }
  }

  /** The number of the moment that `step` has led to from the moment `before`. */
  #moment(before: number, step: Step | undefined): number {
    return this.#graph === undefined ? -1 : this.#graph.add(this.#machine.key(), before, step);
  }

  #visit(moment: number, last: Step | undefined): Visit {
    // A schedule that comes back to a moment on its own way leads nowhere new.
    this.#graph?.setSchedules(moment, 0);
    if (this.#graph !== undefined) this.#way.set(moment, this.#path.length);
    this.#enter();
    const moves = this.#machine.moves();
    const schedules = moves.length === 0 ? 1 : 0;
    if (moves.length === 0) this.#atEnd();
    // The last mover goes on first: traces with few switches are easier to read.
    if (last !== undefined) moves.sort((a, b) => Number(isSameMover(b, last.move)) - Number(isSameMover(a, last.move)));
    moves.push(...this.#machine.accidents());
    return { moment, moves, tried: 0, saved: this.#machine.save(), schedules };
  }

  /** An agent that comes back to where it was, while no other agent moves, does not wait: it spins. */
  #checkRound(moment: number, { who }: Move): void {
    const start = this.#way.get(moment);
    if (start !== undefined && this.#options.landmarks !== true) this.#failEndless(start);
    if (start === undefined || this.#path.slice(start).some(({ move }) => move.kind === "death" || move.who !== who))
      return;
    this.#fail("livelock", `${this.#agentOf(who)} repeats its steps while no other agent moves`);
  }

  #comeBack(visit: Visit, schedules: number): void {
    visit.schedules += schedules;
    this.#path.pop();
    this.#machine.restore(visit.saved);
  }

  /** The moves since the moment `from` on the path lead back to it: repeats as often as an agent may make steps. */
  #failEndless(from: number): never {
    const round = this.#path.slice(from);
    while (this.#path.length <= this.#mostSteps * this.#machine.tasks.length) this.#path.push(...round);
    throw new LongSchedule(this.#path.map(({ move }) => move));
  }

  #enter(): void {
    this.#states += 1;
    if (this.#states > this.#budget) throw STOPPED;
    // After a mistake the schedule goes on for a while: it may show more words that change.
    if (this.#constants.mistaken && (this.#afterMistake += 1) > MOST_AFTER_MISTAKE) throw STOPPED;
    if (this.#states > this.#mostStates) {
      this.#fail("limit", `Cannot try every schedule: there are more than ${this.#mostStates} states`);
    }
    if (this.#path.length > this.#longest) throw new LongSchedule(this.#path.map(({ move }) => move));
    const { invariant } = this.#options;
    if (invariant !== undefined && !this.#constants.mistaken) this.#judge("invariant", invariant);
  }

  #make(move: Move): Step {
    const step = this.#machine.make(move);
    this.#steps += 1;
    this.#path.push(step);
    if (move.kind === "death") this.#checkTasks();
    else {
      this.#checkTask(move.who);
      for (const { task } of step.woken) this.#checkTask(task);
    }
    return step;
  }

  #checkTasks(): void {
    this.#machine.tasks.forEach((_task, task) => this.#checkTask(task));
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

  /** No agent can move: either all have ended, or some sleep without end. */
  #atEnd(): void {
    if (this.#constants.mistaken) throw STOPPED;
    const { tasks } = this.#machine;
    const stuck = tasks.flatMap((_task, task) => (this.#machine.point(task)?.operation === undefined ? [] : [task]));
    if (stuck.length > 0) {
      const names = stuck.map((task) => this.#agentOf(task)).join(" and ");
      this.#fail("deadlock", `No agent is left to wake ${names}`);
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
    const legal = [...this.#machine.moves(), ...this.#machine.accidents()];
    if (!legal.some((other) => other.kind === move.kind && other.who === move.who)) {
      throw new RangeError(`Cannot replay the schedule: move ${this.#path.length + 1} is not possible here`);
    }
    return move;
  }

  #agentOf(task: number): string {
    return this.#trace().nameOfTask(task);
  }

  #trace(): Trace {
    return new Trace(this.#machine, this.#agents, [...this.#path], this.#constants, this.#options.nameOf ?? String);
  }

  #fail(kind: ExplorationFailure, headline: string, cause?: unknown): never {
    const trace = this.#trace();
    const options = cause === undefined ? undefined : { cause };
    throw new ExplorationError(kind, headline, trace.schedule(), trace.toString(), options);
  }
}

/** A moment on the way, and how much of what can follow it was tried. */
interface Visit {
  readonly moment: number;
  readonly moves: readonly Move[];
  tried: number;
  readonly saved: Saved;
  schedules: number;
}

const MOST_AFTER_MISTAKE = 40;

/** Thrown to end a try. */
const STOPPED = new Error("This try has ended");

/** The agents in their order, first `agents` and then those that recover. */
export function planAgents(options: ExploreOptions): AgentPlan[] {
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
