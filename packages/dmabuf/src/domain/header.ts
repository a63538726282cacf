import { DmaBufError } from "../errors.js";
import type { Substrate } from "../substrate/substrate.js";
import { HEADER, Layout, LAYOUT_VERSION } from "./layout.js";
import { absentTables, ALL_FEATURES, featureNames } from "./shared-features.js";
import { areSizes, eachSize, SIZE_NAMES, without, type Sizes } from "./sizes.js";

/** The first words of a control segment: what a joiner must know. */

const MAGIC = 0x66756264; // "dbuf" in memory

/**
 * Makes a zeroed segment a domain. The version is written last: before it, no agent may join.
 *
 * @param features Bits of those that every member must know.
 */
export function writeHeader(
  memory: Substrate,
  sizes: Sizes,
  domain: readonly number[],
  features: number = ALL_FEATURES,
): void {
  memory.store(HEADER.FEATURES, features);
  SIZE_NAMES.forEach((name, i) => memory.store(HEADER.SIZES + i, sizes[name]));
  domain.forEach((word, i) => memory.store(HEADER.DOMAIN + i, word));
  memory.store(HEADER.MAGIC, MAGIC);
  memory.store(HEADER.VERSION, LAYOUT_VERSION);
}

/** Whether {@link writeHeader} has come to its end. */
export function hasVersion(memory: Substrate): boolean {
  return memory.load(HEADER.VERSION) !== 0;
}

/** The number that names the domain, as text. */
export function domainName(memory: Substrate): string {
  return [0, 1, 2, 3].map((i) => (memory.load(HEADER.DOMAIN + i) >>> 0).toString(16).padStart(8, "0")).join("");
}

/**
 * The layout of a domain with any features.
 *
 * @param words How long the segment is; of `memory` no more than the header is read.
 * @param action What cannot be done if it is refused.
 * @throws {DmaBufError} `EPROTO` if this is no control segment, or one of another layout version.
 */
export function readHeader(memory: Substrate, words = memory.words, action?: string): Layout {
  return readLayout(memory, ALL_FEATURES, (sizes) => new Layout(sizes), words, action);
}

/** As {@link readHeader}, for one that knows some features. @param known Their bits. @param layoutOf Makes the layout. */
export function readLayout(
  memory: Substrate,
  known: number,
  layoutOf: (sizes: Sizes) => Layout,
  words = memory.words,
  action = "Cannot join the domain",
): Layout {
  if (memory.words < HEADER.WORDS || memory.load(HEADER.MAGIC) !== MAGIC) {
    throw new DmaBufError("EPROTO", `${action}: this memory is no dmabuf control segment`);
  }
  const version = memory.load(HEADER.VERSION);
  if (version !== LAYOUT_VERSION) {
    throw new DmaBufError("EPROTO", `${action}: its layout version is ${version}, this library's is ${LAYOUT_VERSION}`);
  }
  const sizes = eachSize((_name, i) => memory.load(HEADER.SIZES + i));
  const features = memory.load(HEADER.FEATURES);
  const [unknown] = featureNames(features & ~known);
  if (unknown !== undefined) {
    throw new DmaBufError("EPROTO", `${action}: it has the feature "${unknown}", which is not known here`);
  }
  const absent = absentTables(features);
  if (!areSizes(sizes, absent)) {
    throw new DmaBufError("EPROTO", `${action}: the header of its control segment is damaged`);
  }
  const layout = layoutOf(without(sizes, absent));
  if (words < layout.words) {
    throw new DmaBufError("EPROTO", `${action}: it has ${words} words, its sizes need ${layout.words}`);
  }
  return layout;
}
