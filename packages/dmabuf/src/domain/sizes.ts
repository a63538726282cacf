import { checkOptions, integer, type Kinds } from "../arguments.js";

/** How many slots each table of a domain has. */
export interface Sizes {
  /** Threads that may be joined at the same time, at most 1,023. Default 64. */
  readonly agents: number;
  /** Buffers alive at the same time. Default 1,024. */
  readonly buffers: number;
  /** Timelines open at the same time. Default 1,024. */
  readonly timelines: number;
  /** Published fences that are no timeline's, pending at the same time. Default 8,192. */
  readonly oneShots: number;
  /** Frame streams alive at the same time. Default 64. */
  readonly streams: number;
  /** Things asked of exporters in other agents, not answered yet, at the same time. Default 128. */
  readonly requests: number;
  /** Syncobjs that several threads use, at the same time. Default 256. */
  readonly syncobjs: number;
  /** User fences alive at the same time. Default 1,024. */
  readonly userFences: number;
  /** Orders that the validator has learned, at the same time; there is no room for any without it. Default 4,096. */
  readonly orders: number;
  /** Holds and waits that last, and that `explain()` can say the time of, at the same time. Default 1,024. */
  readonly activities: number;
  /** Reasons and places of copies that the library makes, and that `copies()` can tell, of all agents. Default 256. */
  readonly copies: number;
}

/** How many slots each table has by default, and at most; in their order in the header. */
const SLOTS: Readonly<Record<keyof Sizes, readonly [usual: number, most: number]>> = {
  agents: [64, 1023],
  buffers: [1024, 2 ** 16],
  timelines: [1024, 2 ** 16],
  oneShots: [8192, 2 ** 20],
  streams: [64, 2 ** 10],
  requests: [128, 2 ** 12],
  syncobjs: [256, 2 ** 16],
  userFences: [1024, 2 ** 16],
  orders: [4096, 2 ** 16],
  activities: [1024, 2 ** 16],
  copies: [256, 2 ** 16],
};

export const SIZE_NAMES = Object.keys(SLOTS) as (keyof Sizes)[];

/** The same for each table. @param of Is called with a table's name, and its place in the header. */
export function eachSize<T>(of: (name: keyof Sizes, index: number) => T): Record<keyof Sizes, T> {
  return Object.fromEntries(SIZE_NAMES.map((name, i) => [name, of(name, i)])) as Record<keyof Sizes, T>;
}

export const SIZES: Kinds<Sizes> = eachSize((name) => integer(1, SLOTS[name][1]));

/** Completes the sizes with the defaults. @throws {RangeError} naming the option that is out of range. */
export function checkSizes(sizes: Partial<Sizes>): Sizes {
  checkOptions<Partial<Sizes>>("Domain.create()", sizes, SIZES);
  return eachSize((name) => sizes[name] ?? SLOTS[name][0]);
}

/** The same sizes, but none of some tables. */
export function without(sizes: Sizes, absent: readonly (keyof Sizes)[]): Sizes {
  return eachSize((name) => (absent.includes(name) ? 0 : sizes[name]));
}

/** Whether sizes that were read from shared words can be, but for some tables of which there is none. */
export function areSizes(sizes: Sizes, absent: readonly (keyof Sizes)[]): boolean {
  return SIZE_NAMES.every((name) => absent.includes(name) || SIZES[name].isTaken!(sizes[name] as never));
}
