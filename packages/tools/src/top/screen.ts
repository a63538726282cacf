import { stripVTControlCharacters } from "node:util";
import { tableLines } from "../terminal/table.js";
import { paint, printable } from "../terminal/words.js";
import { summaryLines, type TopModel } from "./model.js";
import { VIEWS, type TopRow, type View } from "./views.js";

/** What a person has chosen. */
export interface Choice {
  /** An index of {@link VIEWS}. */
  readonly view: number;
  /** How each view is sorted. */
  readonly sorts: readonly View["sort"][];
  /** Rows without this text are left out; capitals do not matter. */
  readonly filter: string;
  /** Whether the filter is being typed. */
  readonly isTyping: boolean;
  /** How many rows are above the first one that is shown. */
  readonly offset: number;
  readonly isPaused: boolean;
}

/** What is chosen before any key. */
export const FIRST_CHOICE: Choice = {
  view: 0,
  sorts: VIEWS.map(({ sort }) => sort),
  filter: "",
  isTyping: false,
  offset: 0,
  isPaused: false,
};

/** How large the terminal is. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The rows of the chosen view, filtered and sorted. */
export function chosenRows(model: TopModel, { view, sorts, filter }: Choice): TopRow[] {
  const wanted = filter.toLowerCase();
  const rows = VIEWS[view]!.rows(model).filter(
    ({ cells }) => wanted === "" || stripVTControlCharacters(cells.join(" ")).toLowerCase().includes(wanted),
  );
  const { column, descending } = sorts[view]!;
  const direction = descending ? -1 : 1;
  // The order of equal rows stays: no row jumps without a reason.
  return rows.sort((one, other) => direction * compared(one.keys[column]!, other.keys[column]!));
}

function compared(one: number | string, other: number | string): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0;
}

/** Lines above and below the rows. */
const AROUND = 6;

/** How many rows fit. */
export function rowsThatFit({ rows }: Size): number {
  return Math.max(1, rows - AROUND);
}

/** All lines of the screen: one fewer than the terminal has, so that it never scrolls. */
export function screenLines(model: TopModel | undefined, choice: Choice, size: Size): string[] {
  if (model === undefined) return ["looking at the domain …"];
  const rows = chosenRows(model, choice);
  const fit = rowsThatFit(size);
  const offset = Math.max(0, Math.min(choice.offset, rows.length - fit));
  const [titles = "", ...lines] = table(VIEWS[choice.view]!, rows, offset, fit, choice);
  const shown = [
    ...summaryLines(model),
    tabsLine(choice),
    paint("inverse", titles),
    ...lines,
    ...Array.from({ length: fit - lines.length }, () => ""),
    bottomLine(choice, rows.length, offset, lines.length),
  ];
  return shown.slice(0, Math.max(1, size.rows - 1));
}

/** A hidden row with the widest cell of each column keeps the columns where they are while one scrolls. */
function table(view: View, rows: readonly TopRow[], offset: number, fit: number, choice: Choice): string[] {
  const { column, descending } = choice.sorts[choice.view]!;
  const columns = view.columns.map(({ title, align }, i) => ({
    title: i === column ? `${title}${descending ? "▼" : "▲"}` : title,
    ...(align && { align }),
  }));
  const shown = rows.slice(offset, offset + fit).map(({ cells }) => cells);
  const widest = columns.map((_, i) =>
    rows.reduce((most, { cells }) => (lengthOf(cells[i]!) > lengthOf(most) ? cells[i]! : most), ""),
  );
  return tableLines(columns, [...shown, widest]).slice(0, shown.length + 1);
}

function lengthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function tabsLine({ view, filter, isTyping, isPaused }: Choice): string {
  const tabs = VIEWS.map(({ name }, i) => (i === view ? paint("bold", `[${name}]`) : ` ${name} `)).join("");
  const filtered = isTyping ? `  filter: ${printable(filter)}_` : filter === "" ? "" : `  filter: ${printable(filter)}`;
  return `${tabs}${filtered}${isPaused ? paint("yellow", "  paused") : ""}`;
}

function bottomLine({ isTyping }: Choice, count: number, offset: number, shown: number): string {
  const place = count === 0 ? "no rows" : `${offset + 1}-${offset + shown} of ${count}`;
  const keys = isTyping
    ? "Enter keep  Esc clear"
    : "q quit  Tab view  ←→ sort  r reverse  / filter  ↑↓ PgUp PgDn scroll  Space pause";
  return paint("dim", `${place}  ${keys}`);
}
