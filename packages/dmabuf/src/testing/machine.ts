import type { ConstantWords } from "./constant-words.js";
import { ModelMemory } from "./model-memory.js";
import type { Point, Points } from "./point-table.js";
import { WOKEN } from "./recorded-agent.js";
import type { AgentEnd, AgentProgram, Operation } from "./recorded-agent.js";
import type { Substrate } from "../substrate/substrate.js";

/**
 * A memory and the agents that work on it, one move at a time; every move can be taken back.
 *
 * machine.1. A move is one operation of one task, the time-out or the early return of one park, or the death of one
 *      agent.
 * machine.2. The tasks of one agent share its thread: another task goes on only where the running one sleeps in
 *     `parkAsync` or has ended. A `park` blocks all of them.
 * machine.3. A task that looks again in vain (after `pause()`, or after a time-out, with no word changed since) does so
 *     `vainLooks` times; after that only when no other agent can move. So loops with a bound end as written, and loops
 *     without one come to rest until something changes.
 * machine.4. Two moments with the same `key` have the same future.
 */

export interface AgentPlan {
  readonly name: string;
  readonly tasks: readonly TaskPlan[];
  /** Whether it may be killed. */
  readonly mortal: boolean;
}

/** What a task runs: at once, or after the death of an agent (`victim` counts them in their order). */
type TaskPlan =
  | { readonly start: "at once"; readonly program: AgentProgram }
  | { readonly start: "after a death"; readonly death: number; readonly program: (victim: number) => AgentProgram };

export interface MachinePlan {
  /** What the words hold before the agents start. */
  readonly start: Int32Array;
  readonly constants: ConstantWords;
  readonly points: Points;
  readonly agents: readonly AgentPlan[];
  readonly mostCrashes: number;
  readonly spuriousWakes: number;
  readonly timeouts: boolean;
  readonly vainLooks: number;
}

/** `who` is a task, except for a death: there it is an agent. */
export interface Move {
  readonly kind: "step" | "time-out" | "early-return" | "death";
  readonly who: number;
}

/** What a move did. */
export interface Step {
  readonly move: Move;
  readonly operation: Operation | undefined;
  readonly result: unknown;
  readonly sleeps: boolean;
  /** The tasks that the move woke, with what their parks returned. */
  readonly woken: readonly { readonly task: number; readonly result: unknown }[];
  /** The tasks that the move started. */
  readonly started: readonly number[];
}

export interface Task {
  readonly agent: number;
  readonly plan: TaskPlan;
}

/** A moment to come back to. */
export interface Saved {
  readonly control: Int32Array;
  readonly mark: number;
}

// The control words: everything a moment consists of beside the memory, whose number is among them.
const CONTENTS = 0;
const EARLY_RETURNS = 1;
const DEATHS = 2;
const TASKS = 3;
// Per task.
const POINT = 0; // 0: not there (not started, or killed)
const ASLEEP = 1;
const VAIN = 2;
const TASK_WORDS = 3;
// Per agent.
const RUNNING = 0; // the task that has the thread, counted from 1
const DEAD = 1;
const AGENT_WORDS = 2;

export class Machine {
  readonly memory: ModelMemory;
  readonly tasks: readonly Task[];
  readonly #plan: MachinePlan;
  readonly #points: Points;
  readonly #control: Int32Array;
  /** The same memory as `#control`, in the units of a string. */
  readonly #units: Uint16Array;
  readonly #agentsAt: number;
  readonly #recovers: boolean;

  constructor(plan: MachinePlan) {
    this.#plan = plan;
    this.memory = new ModelMemory(plan.start.length, plan.start);
    this.tasks = plan.agents.flatMap((agent, index) => agent.tasks.map((task) => ({ agent: index, plan: task })));
    this.#recovers = this.tasks.some((task) => task.plan.start === "after a death");
    this.#points = plan.points;
    this.#agentsAt = TASKS + this.tasks.length * TASK_WORDS;
    this.#control = new Int32Array(this.#agentsAt + plan.agents.length * AGENT_WORDS);
    this.#units = new Uint16Array(this.#control.buffer);
    this.tasks.forEach((task, index) => {
      if (task.plan.start === "at once") this.#start(index, task.plan.program);
    });
  }

  /** The moment as a string (machine.4). */
  key(): string {
    this.#control[CONTENTS] = this.memory.contents;
    return String.fromCharCode.apply(null, this.#units as unknown as number[]);
  }

  save(): Saved {
    return { control: this.#control.slice(), mark: this.memory.mark() };
  }

  restore(saved: Saved): void {
    this.#control.set(saved.control);
    this.memory.undo(saved.mark);
  }

  /** The task's point; nothing if it has not started or was killed. */
  point(task: number): Point | undefined {
    const id = this.#control[taskAt(task) + POINT]!;
    return id === 0 ? undefined : this.#points.get(id);
  }

  end(task: number): AgentEnd | undefined {
    return this.point(task)?.end;
  }

  isAsleep(task: number): boolean {
    return this.#control[taskAt(task) + ASLEEP] === 1;
  }

  isDead(agent: number): boolean {
    return this.#control[this.#agentAt(agent) + DEAD] === 1;
  }

  /** All moves that take a task further. None: every task has ended, or what has not will sleep without end. */
  moves(): Move[] {
    const moves: Move[] = [];
    const vain: Move[] = [];
    for (let task = 0; task < this.tasks.length; task++) {
      const point = this.point(task);
      if (point?.operation === undefined) continue;
      const looksInVain = this.#control[taskAt(task) + VAIN]! >= this.#plan.vainLooks;
      if (this.isAsleep(task)) {
        if (!this.#plan.timeouts || !isFinite(timeoutOf(point.operation))) continue;
        (looksInVain ? vain : moves).push({ kind: "time-out", who: task });
      } else if (this.#hasThread(task)) {
        (looksInVain && point.afterPause ? vain : moves).push({ kind: "step", who: task });
      }
    }
    return moves.length > 0 ? moves : vain;
  }

  /** All that may happen now and need not: deaths, also of who has ended and did not leave, and early returns. */
  accidents(): Move[] {
    const accidents: Move[] = [];
    if (this.#control[DEATHS]! < this.#plan.mostCrashes) {
      this.#plan.agents.forEach((agent, who) => {
        if (agent.mortal && !this.isDead(who) && this.#canDie(who)) accidents.push({ kind: "death", who });
      });
    }
    if (this.#control[EARLY_RETURNS]! < this.#plan.spuriousWakes) {
      for (let who = 0; who < this.tasks.length; who++) {
        if (this.isAsleep(who)) accidents.push({ kind: "early-return", who });
      }
    }
    return accidents;
  }

  make(move: Move): Step {
    if (move.kind === "death") return this.#kill(move);
    const operation = this.point(move.who)!.operation!;
    if (move.kind === "step") return this.#perform(move, operation);
    this.#control[taskAt(move.who) + ASLEEP] = 0;
    if (move.kind === "early-return") this.#control[EARLY_RETURNS]! += 1;
    else this.#control[taskAt(move.who) + VAIN]! += 1;
    const result = move.kind === "time-out" ? "timed-out" : wokenResult(operation);
    this.#advance(move.who, result);
    return { move, operation, result, sleeps: false, woken: NONE, started: NONE };
  }

  #perform(move: Move, operation: Operation): Step {
    const task = move.who;
    const mark = this.memory.mark();
    const [word] = operation.operands;
    if (this.point(task)!.afterPause) this.#control[taskAt(task) + VAIN]! += 1;
    if (sleepsNow(operation, this.memory)) {
      this.#control[taskAt(task) + ASLEEP] = 1;
      this.#control[this.#agentAt(this.tasks[task]!.agent) + RUNNING] = operation.method === "park" ? task + 1 : 0;
      return { move, operation, result: undefined, sleeps: true, woken: NONE, started: NONE };
    }
    const woken = operation.method === "wake" ? this.#wakeAll(word) : NONE;
    const result = operation.method === "wake" ? woken.length : apply(operation, this.memory);
    if (this.memory.mark() !== mark) {
      for (const changed of this.memory.changedSince(mark)) this.#plan.constants.found(changed);
      for (let other = 0; other < this.tasks.length; other++) this.#control[taskAt(other) + VAIN] = 0;
    }
    this.#advance(task, result);
    return { move, operation, result, sleeps: false, woken, started: NONE };
  }

  #wakeAll(word: number): Step["woken"] {
    const woken: { task: number; result: unknown }[] = [];
    for (let task = 0; task < this.tasks.length; task++) {
      if (!this.isAsleep(task)) continue;
      const operation = this.point(task)!.operation!;
      if (operation.operands[0] !== word) continue;
      this.#control[taskAt(task) + ASLEEP] = 0;
      const result = wokenResult(operation);
      this.#advance(task, result);
      woken.push({ task, result });
    }
    return woken;
  }

  /** Gives the task the result of its pending operation. */
  #advance(task: number, result: unknown): void {
    const next = this.#points.after(this.point(task)!, result);
    this.#control[taskAt(task) + POINT] = next.id;
    const running = this.#agentAt(this.tasks[task]!.agent) + RUNNING;
    const hadThread = this.#control[running] === 0 || this.#control[running] === task + 1;
    if (hadThread) this.#control[running] = next.end !== undefined || result === WOKEN ? 0 : task + 1;
  }

  #kill(move: Move): Step {
    const victim = move.who;
    const death = this.#control[DEATHS]!;
    this.#control[DEATHS] = death + 1;
    this.#control[this.#agentAt(victim) + DEAD] = 1;
    this.#control[this.#agentAt(victim) + RUNNING] = 0;
    const started: number[] = [];
    this.tasks.forEach((task, index) => {
      if (task.agent === victim && this.end(index) === undefined) {
        this.#control.fill(0, taskAt(index), taskAt(index) + TASK_WORDS);
      }
      if (task.plan.start === "after a death" && task.plan.death === death && !this.isDead(task.agent)) {
        this.#start(index, task.plan.program(victim));
        started.push(index);
      }
    });
    return { move, operation: undefined, result: undefined, sleeps: false, woken: NONE, started };
  }

  #start(task: number, program: AgentProgram): void {
    this.#control[taskAt(task) + POINT] = this.#points.root(program).id;
  }

  #hasThread(task: number): boolean {
    const running = this.#control[this.#agentAt(this.tasks[task]!.agent) + RUNNING]!;
    return running === 0 || running === task + 1;
  }

  /** Whether the agent is there to be killed. One that has ended only matters to those who clean up after it. */
  #canDie(agent: number): boolean {
    return this.tasks.some((task, index) => {
      const point = task.agent === agent ? this.point(index) : undefined;
      return point !== undefined && (point.operation !== undefined || this.#recovers);
    });
  }

  #agentAt(agent: number): number {
    return this.#agentsAt + agent * AGENT_WORDS;
  }
}

/** One empty list for the many moves that wake and start no agent. */
const NONE: readonly never[] = [];

function taskAt(task: number): number {
  return TASKS + task * TASK_WORDS;
}

function timeoutOf(operation: Operation): number {
  return operation.method === "park" ? Number(operation.operands[2]) : Infinity;
}

function wokenResult(operation: Operation): unknown {
  return operation.method === "park" ? "woken" : WOKEN;
}

function sleepsNow(operation: Operation, memory: Substrate): boolean {
  if (operation.method !== "park" && operation.method !== "parkAsync") return false;
  const [word, expected] = operation.operands;
  return memory.load(word) === (Number(expected) | 0) && !(timeoutOf(operation) <= 0);
}

function apply(operation: Operation, memory: ModelMemory): unknown {
  const [word, first, second] = operation.operands as [number, number, number];
  const [, first64, second64] = operation.operands as unknown as [number, bigint, bigint];
  switch (operation.method) {
    case "load":
      return memory.load(word);
    case "store":
      return memory.store(word, first);
    case "add":
      return memory.add(word, first);
    case "or":
      return memory.or(word, first);
    case "and":
      return memory.and(word, first);
    case "exchange":
      return memory.exchange(word, first);
    case "compareExchange":
      return memory.compareExchange(word, first, second);
    case "load64":
      return memory.load64(word);
    case "store64":
      return memory.store64(word, first64);
    case "exchange64":
      return memory.exchange64(word, first64);
    case "compareExchange64":
      return memory.compareExchange64(word, first64, second64);
    case "park":
      return memory.park(word, first, second);
    case "parkAsync":
      return undefined;
    case "wake":
      return 0;
  }
}
