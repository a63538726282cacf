import type { DomainObserver } from "dmabuf/node";
import { printJson, printJsonLine } from "../terminal/output.js";
import { tableText } from "../terminal/table.js";
import { lookFor, summaryData, summaryLines, type TopModel } from "./model.js";
import { chosenRows, type Choice } from "./screen.js";
import { VIEWS } from "./views.js";

/** How `top` runs where it has no terminal. */
export interface BatchOptions {
  /** Milliseconds. */
  readonly interval: number;
  readonly limit: number;
  readonly once: boolean;
  readonly json: boolean;
  readonly choice: Choice;
  /** Whether the choice's view is to be the only one. */
  readonly hasOneView: boolean;
}

/** Writes what there is, in plain lines, again and again until the domain ends. */
export async function runBatch(observer: DomainObserver, options: BatchOptions): Promise<void> {
  const { interval, limit, once, json } = options;
  for (;;) {
    const model = await lookFor(observer, interval, limit);
    if (json) (once ? printJson : printJsonLine)(summaryData(model));
    else console.log(`${batchText(model, options)}${once ? "" : "\n"}`);
    if (once || model.ended) return;
  }
}

function batchText(model: TopModel, { choice, hasOneView }: BatchOptions): string {
  const views = hasOneView ? [choice.view] : VIEWS.map((_, view) => view);
  const tables = views.map((view) => {
    const rows = chosenRows(model, { ...choice, view }).map(({ cells }) => cells);
    const { name, columns } = VIEWS[view]!;
    return rows.length === 0 ? `no ${name}` : tableText(columns, rows);
  });
  return [summaryLines(model).join("\n"), ...tables].join("\n\n");
}
