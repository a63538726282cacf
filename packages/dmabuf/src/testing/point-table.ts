import type { ConstantWords } from "./constant-words.js";
import { describe, RecordedMemory, sameOperation, UnrepeatableAgentError } from "./recorded-agent.js";
import type { AgentEnd, AgentProgram, Operation, Recorded } from "./recorded-agent.js";

/** An agent's point: the results it has got so far lead from the root of its tree to here. */
export interface Point {
  /** Unique among all points of all agents; never 0. */
  readonly id: number;
  readonly program: AgentProgram;
  /** How many operations the agent has made. */
  readonly depth: number;
  readonly parent: Point | undefined;
  /** The result of the parent's operation that led here. */
  readonly result: unknown;
  /** What the agent will do next; none once it has ended. */
  readonly operation: Operation | undefined;
  /** Whether the agent called `pause()` just before its pending operation. */
  readonly afterPause: boolean;
  readonly end: AgentEnd | undefined;
}

/** How agents go from point to point. */
export interface Points {
  get(id: number): Point;
  /** The start of an agent. */
  root(program: AgentProgram): Point;
  /** The agent's point once its pending operation has returned `result`. */
  after(point: Point, result: unknown): Point;
}

/**
 * All the points of all agents of one exploration, each sequence of results run once.
 *
 * What an agent does next depends on its results alone, so the points form a tree. Only ends are shared: an agent that
 * has returned an equal value has come to the same point, whatever it has seen on the way. So are landmarks, if they
 * count: there the agent itself says so.
 */
export class PointTable implements Points {
  readonly #start: Int32Array;
  readonly #constants: ConstantWords;
  readonly #points: Point[] = [];
  /** The points that follow each point, by the result that leads there. */
  readonly #following: Map<unknown, Point>[] = [];
  readonly #roots = new Map<AgentProgram, Point>();
  /** The ends and the landmarks of each program, by their names. */
  readonly #shared = new Map<AgentProgram, Map<string, Point>>();
  readonly #landmarks: boolean;

  /**
   * @param start What the words hold before the agents start.
   * @param landmarks Whether landmarks count.
   */
  constructor(start: Int32Array, constants: ConstantWords, landmarks = false) {
    this.#start = start;
    this.#constants = constants;
    this.#landmarks = landmarks;
  }

  get(id: number): Point {
    return this.#points[id - 1]!;
  }

  root(program: AgentProgram): Point {
    let root = this.#roots.get(program);
    if (root === undefined) {
      root = this.#run(program, undefined, undefined);
      this.#roots.set(program, root);
    }
    return root;
  }

  after(point: Point, result: unknown): Point {
    const following = this.#following[point.id - 1]!;
    let next = following.get(result);
    if (next === undefined) {
      next = this.#run(point.program, point, result);
      following.set(result, next);
    }
    return next;
  }

  #run(program: AgentProgram, parent: Point | undefined, result: unknown): Point {
    const memory = new RecordedMemory(this.#start, this.#constants, history(parent, result));
    const end = memory.run(program);
    const name = end === undefined ? this.#landmarkOf(memory) : nameOfEnd(end);
    const shared = this.#sharedOf(program);
    const known = name === undefined ? undefined : shared.get(name);
    if (known !== undefined) {
      checkSameOperation(name!, known.operation, memory.pending);
      return known;
    }
    const point: Point = {
      id: this.#points.length + 1,
      program,
      depth: parent === undefined ? 0 : parent.depth + 1,
      parent,
      result,
      operation: memory.pending,
      afterPause: memory.afterPause,
      end,
    };
    this.#points.push(point);
    this.#following.push(new Map());
    if (name !== undefined) shared.set(name, point);
    return point;
  }

  #landmarkOf(memory: RecordedMemory): string | undefined {
    if (!this.#landmarks || memory.landmark === undefined) return undefined;
    return `at "${memory.landmark}" after ${memory.elapsedMs} ms${memory.afterPause ? " and a pause" : ""}`;
  }

  #sharedOf(program: AgentProgram): Map<string, Point> {
    let shared = this.#shared.get(program);
    if (shared === undefined) this.#shared.set(program, (shared = new Map<string, Point>()));
    return shared;
  }
}

/** The steps of an agent on its way to where the pending operation of `parent` returns `result`. */
function history(parent: Point | undefined, result: unknown): Recorded[] {
  if (parent === undefined) return [];
  const steps: Recorded[] = [{ parent, result }];
  for (let point = parent; point.parent !== undefined; point = point.parent) steps.push(point);
  return steps.reverse();
}

/** The name under which equal ends are shared, if there can be one. */
function nameOfEnd(end: AgentEnd): string | undefined {
  const value = end.state === "returned" ? textOf(end.value) : undefined;
  return value === undefined ? undefined : `returned ${value}`;
}

/** A landmark from which an agent goes on in two ways has the wrong label. */
function checkSameOperation(name: string, before: Operation | undefined, now: Operation | undefined): void {
  if (before === undefined || now === undefined || sameOperation(before, now.method, now.operands)) return;
  throw new UnrepeatableAgentError(
    `Cannot share what follows ${name}: the agent called ${describe(now)} where it called ${describe(before)} before`,
  );
}

/** A text that is equal for equal values; none for a value that is more than data. */
export function textOf(value: unknown): string | undefined {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value !== "object") return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype) return undefined;
  const parts = Object.entries(value).map(([key, part]) => [JSON.stringify(key), textOf(part)]);
  if (parts.some(([, text]) => text === undefined)) return undefined;
  return `${Array.isArray(value) ? `[${value.length}]` : ""}{${parts.map((pair) => pair.join(":")).join(",")}}`;
}
