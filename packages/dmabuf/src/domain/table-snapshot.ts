import type { Segment } from "./layout.js";
import type { Sizes } from "./sizes.js";
import { usedSlots } from "./table.js";

/** How full a table of the control segment is. */
export interface SnapshotTable {
  /** The domain's option that says how many slots it has. */
  readonly name: string;
  /** Slots that are taken just now. */
  readonly used: number;
  /** Slots that were taken at the same time at most. */
  readonly most: number;
  /** How many there are; 0 if the domain was made without what needs them. */
  readonly slots: number;
}

/** The tables of a domain. @param used How many slots of a table are taken. */
export function tablesIn(segment: Segment, used: Readonly<Record<keyof Sizes, number>>): SnapshotTable[] {
  return Object.entries(segment.layout.sizes).map(([name, slots]) => ({
    name,
    used: used[name as keyof Sizes],
    most: usedSlots(segment, name as keyof Sizes),
    slots: slots as number,
  }));
}
