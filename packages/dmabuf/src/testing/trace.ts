import { shown } from "../arguments.js";
import type { ConstantWords } from "./constant-words.js";
import type { AgentPlan, Machine, Move, Step } from "./machine.js";
import { describe } from "./recorded-agent.js";

/** What happened on the way to a moment, for people to read and for `replay` to repeat. */
export class Trace {
  readonly #machine: Machine;
  readonly #agents: readonly AgentPlan[];
  readonly #path: readonly Step[];
  readonly #constants: ConstantWords;
  readonly #nameOfWord: (word: number) => string;

  /** Describes the machine's present state; `path` is how it came there. */
  constructor(
    machine: Machine,
    agents: readonly AgentPlan[],
    path: readonly Step[],
    constants: ConstantWords,
    nameOfWord: (word: number) => string,
  ) {
    this.#machine = machine;
    this.#agents = agents;
    this.#path = path;
    this.#constants = constants;
    this.#nameOfWord = nameOfWord;
  }

  /** What `parseSchedule` reads. */
  schedule(): string {
    const moves = this.#path.map(({ move }) => MARKS[move.kind] + move.who.toString(36));
    return `${moves.join("")}:${rangesOf(this.#constants.changing()).join(",")}`;
  }

  /** The agent's name, and which of its tasks it is if there are several. */
  nameOfTask(task: number): string {
    const { agent } = this.#machine.tasks[task]!;
    const name = this.#agents[agent]!.name;
    if (this.#agents[agent]!.tasks.length === 1) return name;
    return `${name}/${task - this.#machine.tasks.findIndex((other) => other.agent === agent)}`;
  }

  toString(): string {
    const lines = this.#path.map((step, index) => this.#line(step, String(index + 1)));
    return [...lines, ...this.#standing(), `replay: "${this.schedule()}"`].join("\n");
  }

  #line(step: Step, number: string): string {
    return `${number.padStart(4)}  ${this.#mover(step.move).padEnd(this.#widestName())}  ${this.#event(step)}`;
  }

  #event(step: Step): string {
    if (step.operation === undefined) return "is killed";
    const call = describe(step.operation, this.#nameOfWord);
    if (step.move.kind === "time-out") return `${call} times out`;
    if (step.move.kind === "early-return") return `${call} returns early`;
    if (step.sleeps) return `${call} sleeps`;
    const result = step.result === undefined ? "" : ` -> ${readable(step.result)}`;
    const woken = step.woken.map(({ task }) => this.nameOfTask(task));
    return woken.length === 0 ? call + result : `${call}${result}, wakes ${woken.join(" and ")}`;
  }

  #standing(): string[] {
    return this.#machine.tasks.flatMap((task, index) => {
      const name = this.nameOfTask(index).padEnd(this.#widestName());
      return this.#machine.point(index) === undefined && !this.#machine.isDead(task.agent)
        ? []
        : [`   =  ${name}  ${this.#standingOf(index)}`];
    });
  }

  #standingOf(task: number): string {
    const end = this.#machine.end(task);
    if (end?.state === "threw") return `threw ${String(end.error)}`;
    if (end?.state === "returned") return end.value === undefined ? "has ended" : `returned ${readable(end.value)}`;
    const operation = this.#machine.point(task)?.operation;
    if (operation === undefined) return "is dead";
    return `${this.#machine.isAsleep(task) ? "sleeps in" : "stands before"} ${describe(operation, this.#nameOfWord)}`;
  }

  #mover(move: Move): string {
    return move.kind === "death" ? this.#agents[move.who]!.name : this.nameOfTask(move.who);
  }

  #widestName(): number {
    return Math.max(...this.#machine.tasks.map((_task, index) => this.nameOfTask(index).length));
  }
}

/**
 * Reads a schedule: the moves, a colon, and the words that agents change, as `3,5-9`. A move is the number of its task,
 * one digit in base 36, after a mark unless it is a plain step: `?` its park times out, `~` its park returns early,
 * `!` the agent of this number dies.
 *
 * @throws {RangeError} if it is no schedule.
 */
export function parseSchedule(schedule: string): { moves: Move[]; changing: number[] } {
  const parts = /^((?:[?~!]?[0-9a-z])*):((?:\d+(?:-\d+)?(?:,|$))*)$/.exec(schedule);
  if (parts === null)
    throw new RangeError(`Option "replay" must be a schedule, as an ExplorationError gives it, not ${shown(schedule)}`);
  const moves = (parts[1]!.match(/[?~!]?[0-9a-z]/g) ?? []).map((token) => {
    const kind = KINDS.find((candidate) => MARKS[candidate] !== "" && token.startsWith(MARKS[candidate])) ?? "step";
    return { kind, who: parseInt(token.at(-1)!, 36) };
  });
  const changing = (parts[2]!.match(/\d+(-\d+)?/g) ?? []).flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  return { moves, changing };
}

const MARKS: Record<Move["kind"], string> = { step: "", "time-out": "?", "early-return": "~", death: "!" };
const KINDS = Object.keys(MARKS) as Move["kind"][];

/** Rising numbers as ranges: `3`, `5-9`. */
function rangesOf(numbers: readonly number[]): string[] {
  const starts = numbers.filter((number, index) => numbers[index - 1] !== number - 1);
  const ends = numbers.filter((number, index) => numbers[index + 1] !== number + 1);
  return starts.map((start, index) => (start === ends[index] ? String(start) : `${start}-${ends[index]}`));
}

function readable(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  try {
    return (
      JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? `${part}n` : part)) ?? typeof value
    );
  } catch {
    return typeof value;
  }
}
