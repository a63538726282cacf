import type { AgentPlan, Machine, Move, Step } from "./machine.js";
import { describe } from "./recorded-agent.js";

/** What happened on the way to a moment, for people to read and for `replay` to repeat. */
export class Trace {
  readonly #machine: Machine;
  readonly #agents: readonly AgentPlan[];
  readonly #path: readonly Step[];
  readonly #nameOfWord: (word: number) => string;

  /** Describes the machine as it stands; `path` is how it came there. */
  constructor(
    machine: Machine,
    agents: readonly AgentPlan[],
    path: readonly Step[],
    nameOfWord: (word: number) => string,
  ) {
    this.#machine = machine;
    this.#agents = agents;
    this.#path = path;
    this.#nameOfWord = nameOfWord;
  }

  /** One or two characters a move: see `parseSchedule`. */
  schedule(): string {
    return this.#path.map(({ move }) => MARKS[move.kind] + move.who.toString(36)).join("");
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
    const woken = step.woken.map((task) => this.nameOfTask(task));
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
 * Reads a schedule: a move is the number of its task, one digit in base 36, after a mark unless it is a plain step:
 * `?` its park times out, `~` its park returns early, `!` the agent of this number dies.
 *
 * @throws {RangeError} if it is no schedule.
 */
export function parseSchedule(schedule: string): Move[] {
  if (!/^([?~!]?[0-9a-z])*$/.test(schedule)) throw new RangeError(`Cannot read the schedule "${schedule}"`);
  return (schedule.match(/[?~!]?[0-9a-z]/g) ?? []).map((token) => {
    const kind = KINDS.find((candidate) => MARKS[candidate] !== "" && token.startsWith(MARKS[candidate])) ?? "step";
    return { kind, who: parseInt(token.at(-1)!, 36) };
  });
}

const MARKS: Record<Move["kind"], string> = { step: "", "time-out": "?", "early-return": "~", death: "!" };
const KINDS = Object.keys(MARKS) as Move["kind"][];

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
