import type { LearnedOrder } from "./order-table.js";
import { conflict } from "./thing.js";

/**
 * The shortest way from what an order awaits back to what it holds.
 *
 * @returns The orders of the circle, the closing one first; nothing if there is none.
 */
export function circleOf(closing: LearnedOrder, orders: readonly LearnedOrder[]): LearnedOrder[] | undefined {
  const seen = new Set<LearnedOrder>();
  const paths: LearnedOrder[][] = [[closing]];
  for (const path of paths) {
    const last = path.at(-1)!;
    if (conflict(last.awaited, closing.held)) return path;
    for (const next of orders) {
      if (seen.has(next) || !conflict(last.awaited, next.held)) continue;
      seen.add(next);
      paths.push([...path, next]);
    }
  }
  return undefined;
}
