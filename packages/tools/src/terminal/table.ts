import Table from "cli-table3";

/** One column of a table. */
export interface Column {
  readonly title: string;
  /** Default: left. */
  readonly align?: "left" | "right";
}

/** No lines and no colours of the table's own: its rows can be read by `awk`, too. */
const PLAIN = {
  style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  chars: {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  },
};

/**
 * Columns as wide as they need.
 *
 * @param widths How wide they are at least.
 * @returns The line of titles, and one line a row.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[] = [],
): string[] {
  const table = new Table({
    ...PLAIN,
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align = "left" }) => align),
    ...(widths.length > 0 && { colWidths: [...widths] }),
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

/** The same as one text. */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return tableLines(columns, rows).join("\n");
}
