import { checkOptions, integer, type Kind, type Kinds } from "../arguments.js";

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
}

export const DEFAULT_SIZES: Sizes = {
  agents: 64,
  buffers: 1024,
  timelines: 1024,
  oneShots: 8192,
  streams: 64,
  requests: 128,
  syncobjs: 256,
};

const LIMITS: Sizes = {
  agents: 1023,
  buffers: 2 ** 16,
  timelines: 2 ** 16,
  oneShots: 2 ** 20,
  streams: 2 ** 10,
  requests: 2 ** 12,
  syncobjs: 2 ** 16,
};

/** Their order in the header. */
export const SIZE_NAMES = ["agents", "buffers", "timelines", "oneShots", "streams", "requests", "syncobjs"] as const;

export const SIZES = Object.fromEntries(
  SIZE_NAMES.map((name): [string, Kind] => [name, integer(1, LIMITS[name])]),
) as unknown as Kinds<Sizes>;

/** Completes the sizes with the defaults. @throws {RangeError} naming the option that is out of range. */
export function checkSizes(sizes: Partial<Sizes>): Sizes {
  checkOptions<Partial<Sizes>>("Domain.create()", sizes, SIZES);
  const given = SIZE_NAMES.filter((name) => sizes[name] !== undefined);
  return { ...DEFAULT_SIZES, ...Object.fromEntries(given.map((name) => [name, sizes[name]])) };
}

/** The same sizes, but none of some tables. */
export function without(sizes: Sizes, absent: readonly (keyof Sizes)[]): Sizes {
  return { ...sizes, ...Object.fromEntries(absent.map((name) => [name, 0])) };
}

/** Whether sizes that were read from shared words can be, but for some tables of which there is none. */
export function areSizes(sizes: Sizes, absent: readonly (keyof Sizes)[]): boolean {
  return SIZE_NAMES.every((name) => absent.includes(name) || SIZES[name].isTaken!(sizes[name] as never));
}
