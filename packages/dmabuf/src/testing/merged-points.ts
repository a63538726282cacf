import type { Point, Points, PointTable } from "./point-table.js";
import { textOf } from "./point-table.js";
import type { AgentEnd, AgentProgram } from "./recorded-agent.js";

/**
 * Points at which an agent will go on alike are taken for one, whatever it has seen on the way.
 *
 * merged-points.1. Two points of an agent are taken for one if they have the same pending operation, and the same
 *     pending operation after each of the agent's probes: sequences of results to go on with.
 *     Agents with long loops have points in common only at the same depth: it would take too long to tell them apart.
 * merged-points.2. That is a guess. While points are kept apart, each is compared with the one where the agent would be
 *     if the points on its way had been taken for others. If the pending operations differ, that is a `Difference`, and
 *     a new probe.
 * merged-points.3. A try that took points for one is right if every sequence of results that its schedules give an
 *     agent has been gone through with points kept apart, and no difference was met. For the first difference in a real
 *     schedule would be one agent's: up to there all agents do what they were taken for, so the schedule is among those
 *     tried, and the results that lead this agent to the difference were gone through.
 */
export class MergedPoints implements Points {
  readonly #table: PointTable;
  readonly #probes = new Map<AgentProgram, unknown[][]>();
  /** The first point met of those that are taken for one, by what they have in common. */
  readonly #firsts = new Map<AgentProgram, Map<string, Point>>();
  readonly #representatives = new Map<Point, Point>();
  /** Where the agent would be if each point on the way had been taken for another. */
  readonly #expected = new Map<Point, Point>();
  readonly #labels = new Map<Point, string>();
  /** Agents whose points are only taken for one at the same depth. */
  readonly #byDepth = new Set<AgentProgram>();
  /** Agents that return more than data: their ends can only be compared by being the same, so nothing is merged. */
  readonly #unmerged = new Set<AgentProgram>();
  #apart = false;

  constructor(table: PointTable) {
    this.#table = table;
  }

  /** Keeps points apart until then, and compares them. @throws {Difference} */
  keepingApart(action: () => void): void {
    this.#apart = true;
    try {
      action();
    } finally {
      this.#apart = false;
    }
  }

  get(id: number): Point {
    return this.#table.get(id);
  }

  root(program: AgentProgram): Point {
    return this.#representative(this.#table.root(program));
  }

  after(point: Point, result: unknown): Point {
    const next = this.#table.after(point, result);
    if (!this.#apart) return this.#representative(next);
    const expected = this.#representative(this.#table.after(this.#expected.get(point) ?? point, result));
    if (this.#label(next) !== this.#label(expected)) throw new Difference(point, result);
    this.#expected.set(next, expected);
    return next;
  }

  /** Adds the probe that a difference calls for. */
  tellApart(difference: Difference): void {
    const { program } = difference.point;
    this.#representatives.clear();
    this.#expected.clear();
    if (isOpaque(this.#table.after(difference.point, difference.result).end)) {
      this.#unmerged.add(program);
      return;
    }
    const results = resultsOf(difference.point, difference.result);
    if (!this.#byDepth.has(program) && (results.length > FAR || this.#probesOf(program).length >= MANY)) {
      this.#byDepth.add(program);
      this.#probes.delete(program);
      this.#firsts.delete(program);
      return;
    }
    let point = this.root(program);
    for (const [index, result] of results.entries()) {
      const rest = results.slice(index + 1);
      const next = this.#table.after(point, result);
      point = this.#representative(next);
      if (this.#labelAfter(next, rest) === this.#labelAfter(point, rest)) continue;
      this.#probesOf(program).push(rest);
      this.#firsts.delete(program);
      this.#representatives.clear();
      return;
    }
    throw new Error("Points of an agent differ, and nothing tells them apart");
  }

  #representative(point: Point): Point {
    if (this.#unmerged.has(point.program)) return point;
    let representative = this.#representatives.get(point);
    if (representative === undefined) {
      const probes = this.#probesOf(point.program);
      const depth = this.#byDepth.has(point.program) ? point.depth : 0;
      const signature = [depth, this.#label(point), ...probes.map((probe) => this.#labelAfter(point, probe))].join();
      const firsts = this.#firstsOf(point.program);
      representative = firsts.get(signature) ?? point;
      firsts.set(signature, representative);
      this.#representatives.set(point, representative);
    }
    return representative;
  }

  #labelAfter(start: Point, results: readonly unknown[]): string {
    let point = start;
    for (const result of results) {
      if (point.end !== undefined) break;
      point = this.#table.after(point, result);
    }
    return this.#label(point);
  }

  /** What is seen of a point from outside. */
  #label(point: Point): string {
    let label = this.#labels.get(point);
    if (label === undefined) {
      label = labelOf(point);
      this.#labels.set(point, label);
    }
    return label;
  }

  #probesOf(program: AgentProgram): unknown[][] {
    let probes = this.#probes.get(program);
    if (probes === undefined) this.#probes.set(program, (probes = []));
    return probes;
  }

  #firstsOf(program: AgentProgram): Map<string, Point> {
    let firsts = this.#firsts.get(program);
    if (firsts === undefined) this.#firsts.set(program, (firsts = new Map<string, Point>()));
    return firsts;
  }
}

/**
 * A difference that shows this late, and this many of them, are those of a long loop: then the depth tells most apart.
 */
const FAR = 100;
const MANY = 10;

/** An agent does something else at this point, after this result, than where it was taken for another. */
export class Difference extends Error {
  readonly point: Point;
  readonly result: unknown;

  constructor(point: Point, result: unknown) {
    super("Points were taken for one that differ");
    this.point = point;
    this.result = result;
  }
}

function resultsOf(last: Point, result: unknown): unknown[] {
  const results = [result];
  for (let point = last; point.parent !== undefined; point = point.parent) results.push(point.result);
  return results.reverse();
}

function labelOf(point: Point): string {
  const { operation, end } = point;
  if (operation !== undefined) return `${operation.method} ${operation.operands.join()} ${point.afterPause}`;
  return end?.state === "returned" ? `returned ${point.id}` : "threw";
}

function isOpaque(end: AgentEnd | undefined): boolean {
  return end?.state === "returned" && textOf(end.value) === undefined;
}
