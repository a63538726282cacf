import type { Result, Standing } from "./contest.js";
import { formatNs, formatRatio } from "./figures.js";
import { formatGoal, type Goal } from "./goals.js";
import type { Machine } from "./machine.js";
import type { Scale } from "./measures/scale.js";

/** What `--json` writes. All times are nanoseconds for one operation. */
export interface Report {
  readonly machine: Machine;
  readonly scale: Scale;
  /** How many times each contestant ran. */
  readonly rounds: number;
  readonly results: readonly Result[];
  readonly goals: readonly Goal[];
  /** What could not be measured here, and why. */
  readonly skipped: readonly string[];
}

/** One measure as a table in Markdown. */
export function resultTable({ title, standings }: Result): string {
  const peers = standings.filter(({ ours }) => !ours).map(({ name }) => name);
  const head = ["", "p50", "p99", "fastest", "median run", ...peers.map((peer) => `in ${peer}`)];
  return `### ${title}\n\n${table(
    head,
    standings.map((standing) => standingRow(standing, peers)),
  )}`;
}

function standingRow({ name, ours, p50, p99, best, median, ratios }: Standing, peers: readonly string[]): string[] {
  const compared = peers.map((peer) => {
    const ratio = ratios.find((candidate) => candidate.peer === peer);
    return ratio === undefined ? "" : `${formatRatio(ratio.best)} (${formatRatio(ratio.median)})`;
  });
  return [ours ? `**${name}**` : name, ...[p50, p99, best, median].map(formatNs), ...compared];
}

export function goalTable(goals: readonly Goal[]): string {
  const rows = goals.map((goal) => [
    goal.goal,
    `${goal.bound} ${formatGoal(goal, goal.limit)}`,
    formatGoal(goal, goal.figure),
    goal.met ? "met" : "**missed**",
  ]);
  return `### Goals\n\n${table(["goal", "wanted", "measured", ""], rows)}`;
}

export function describe({ processor, processors, architecture, system, node, compiler, pinned }: Machine): string {
  const binding = pinned ? "each side bound to its processor" : "not bound to processors";
  return `${processors} × ${processor} (${architecture}), ${system}, Node.js ${node}, ${compiler ?? "no C compiler"}; ${binding}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n") + "\n";
}
