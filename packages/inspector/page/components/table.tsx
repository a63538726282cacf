import { useComputed, useSignal } from "@preact/signals";
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** A column of a {@link Table}. */
export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** A track of the grid: `2fr`, `90px`. */
  readonly width: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** What it is sorted by; a column without it is not sorted. */
  readonly by?: (row: Row) => string | number;
  readonly isNumber?: boolean;
  /** Left out where there is no room; its details have it. */
  readonly isOptional?: boolean;
}

interface TableProps<Row> {
  /** For screen readers. */
  readonly label: string;
  /** The first one has the link of the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  readonly isSelected: (row: Row) => boolean;
  /** What is said where there is no row. */
  readonly empty: string;
}

/** Pixels. */
const ROW = 40;
const HEAD = 36;

/** A table of any number of rows, of which those that can be seen are drawn. The arrow keys go from row to row. */
export function Table<Row>({ label, columns, rows, keyOf, isSelected, empty }: TableProps<Row>) {
  const order = useSignal<{ readonly id: string; readonly isDown: boolean } | undefined>(undefined);
  const sorted = sortedBy(rows, columns, order.value);
  const scroller = useRef<HTMLDivElement>(null);
  const focused = useRef(-1);
  const virtual = useVirtualizer(sorted.length, scroller, focused);
  const tracks = useComputed(() => columns.map(({ width }) => width).join(" "));
  const narrow = columns.filter(({ isOptional }) => isOptional !== true).map(({ width }) => width);
  const style = { "--tracks": tracks.value, "--tracks-narrow": narrow.join(" ") };
  const go = (index: number): void => {
    if (index < 0 || index >= sorted.length) return;
    focused.current = index;
    virtual.scrollToIndex(index);
    requestAnimationFrame(() => linkAt(scroller.current, index)?.focus());
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined || focused.current < 0) return;
    event.preventDefault();
    go(Math.max(0, Math.min(sorted.length - 1, focused.current + step)));
  };
  return (
    <div class="table" ref={scroller} style={style}>
      <div role="table" aria-label={label} aria-rowcount={sorted.length + 1}>
        <div role="rowgroup" class="table-head">
          <div class="table-row" role="row" aria-rowindex={1}>
            {columns.map((column) => (
              <Heading key={column.id} column={column} order={order} />
            ))}
          </div>
        </div>
        <div role="rowgroup" class="table-body" style={{ height: `${virtual.getTotalSize()}px` }} onKeyDown={onKey}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = sorted[index];
            if (row === undefined) return null;
            return (
              <div
                key={keyOf(row)}
                class={isSelected(row) ? "table-row selected" : "table-row"}
                role="row"
                aria-rowindex={index + 2}
                data-index={index}
                style={{ transform: `translateY(${start}px)` }}
                onFocusCapture={() => (focused.current = index)}
              >
                {columns.map((column) => (
                  <div key={column.id} role="cell" class={cellClass(column)}>
                    {column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
      {sorted.length === 0 && <p class="empty">{empty}</p>}
    </div>
  );
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: -Infinity,
  End: Infinity,
};

function linkAt(scroller: HTMLElement | null, index: number): HTMLElement | null {
  return scroller?.querySelector<HTMLElement>(`[data-index="${index}"] a`) ?? null;
}

interface HeadingProps<Row> {
  readonly column: Column<Row>;
  readonly order: { value: { readonly id: string; readonly isDown: boolean } | undefined };
}

function Heading<Row>({ column, order }: HeadingProps<Row>) {
  const { id, title, by } = column;
  const mine = order.value?.id === id ? order.value : undefined;
  if (by === undefined) {
    return (
      <div role="columnheader" class={cellClass(column)}>
        {title}
      </div>
    );
  }
  // Numbers begin with the largest one.
  const first = column.isNumber === true;
  const next = mine === undefined ? { id, isDown: first } : mine.isDown === first ? { id, isDown: !first } : undefined;
  return (
    <div
      role="columnheader"
      class={cellClass(column)}
      aria-sort={mine === undefined ? "none" : mine.isDown ? "descending" : "ascending"}
    >
      <button type="button" onClick={() => (order.value = next)}>
        {title}
        <span aria-hidden="true" class="arrow">
          {mine === undefined ? "" : mine.isDown ? "▾" : "▴"}
        </span>
      </button>
    </div>
  );
}

function cellClass<Row>({ isNumber, isOptional }: Column<Row>): string {
  return `cell${isNumber === true ? " number right" : ""}${isOptional === true ? " optional" : ""}`;
}

function sortedBy<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  order: { readonly id: string; readonly isDown: boolean } | undefined,
): readonly Row[] {
  const by = columns.find(({ id }) => id === order?.id)?.by;
  if (by === undefined) return rows;
  const sign = order?.isDown === true ? -1 : 1;
  return rows
    .map((row) => ({ row, value: by(row) }))
    .sort((one, other) => sign * compare(one.value, other.value))
    .map(({ row }) => row);
}

function compare(one: string | number, other: string | number): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

/** Which rows are drawn. The one that has the focus is among them, or the focus would be lost. */
function useVirtualizer(
  count: number,
  scroller: { readonly current: HTMLDivElement | null },
  focused: { readonly current: number },
): Virtualizer<HTMLDivElement, Element> {
  const [, draw] = useState(0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6,
    scrollPaddingStart: HEAD,
    scrollToFn: elementScroll<HTMLDivElement>,
    observeElementRect: observeElementRect<HTMLDivElement>,
    observeElementOffset: observeElementOffset<HTMLDivElement>,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const rows = defaultRangeExtractor(range);
      const extra = focused.current;
      return extra < 0 || extra >= count || rows.includes(extra) ? rows : [...rows, extra].sort((a, b) => a - b);
    },
    onChange: () => draw((times) => times + 1),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLDivElement, Element>(options));
  virtual.setOptions(options);
  useEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  return virtual;
}
