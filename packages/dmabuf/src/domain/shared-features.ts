import { DmaBufError } from "../errors.js";
import type { Sizes } from "./sizes.js";

/** The features that every member of a domain must know, by the tables that they have; in the order of their bits. */
const TABLES = {
  fences: ["timelines", "oneShots"],
  buffers: ["buffers"],
  streams: ["streams"],
  exporters: ["requests"],
  syncobjs: ["syncobjs"],
  "user-fences": ["userFences"],
  validator: ["orders"],
  explanations: ["activities"],
  copies: ["copies"],
} as const satisfies Record<string, readonly (keyof Sizes)[]>;

export type SharedFeature = keyof typeof TABLES;

const NAMES = Object.keys(TABLES) as SharedFeature[];

/** The bits of some features. */
export function featureBits(features: readonly SharedFeature[]): number {
  return features.reduce((bits, name) => bits | (1 << NAMES.indexOf(name)), 0);
}

export const ALL_FEATURES = featureBits(NAMES);

/** The names of the features whose bits are set; a bit of a later version has a number. */
export function featureNames(bits: number): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => ((bits >>> bit) & 1) !== 0)
    .map((bit) => NAMES[bit] ?? `number ${bit}`);
}

/** Whether a domain with tables of these sizes has a feature. */
function hasFeature(sizes: Sizes, name: SharedFeature): boolean {
  return TABLES[name].every((table) => sizes[table] > 0);
}

/** @throws {DmaBufError} `EOPNOTSUPP` if the domain was made without a feature. */
export function needFeature({ sizes }: { readonly sizes: Sizes }, name: SharedFeature, action: string): void {
  if (hasFeature(sizes, name)) return;
  throw new DmaBufError("EOPNOTSUPP", `Cannot ${action}: the domain was made without the feature "${name}"`);
}

/** The tables that a domain with these features has no slots of. */
export function absentTables(bits: number): readonly (keyof Sizes)[] {
  return NAMES.filter((name) => (bits & featureBits([name])) === 0).flatMap((name) => TABLES[name]);
}
