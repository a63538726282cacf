import type { Layout } from "../../src/domain/layout.js";
import { Bits, type WideBits } from "../../src/domain/packing.js";
import type { Random } from "../random.js";
import { segmentFields } from "../segment-fields.js";

/** Values that mean something somewhere, or are at the edge of something. */
const VALUES = [0, 1, 2, 3, 4, 31, 32, 33, 63, 64, 255, 1023, 1024, 1025, 4095, 4096, 0xffff, 0x10000];
const EDGES = [0x7fff_ffff, 0x7fff_fffe, -0x8000_0000, -1, -2, -33, -1024];
const MOST_CHANGES = 8;

/** A word in which several numbers are packed, and those. */
export interface PackedWord {
  readonly word: number;
  readonly parts: readonly (Bits | WideBits)[];
}

/** All words of a segment that hold several numbers, as its layout declares them. */
export function packedWords(layout: Layout): PackedWord[] {
  const all = (count: number): number[] => Array.from({ length: Math.min(count, 16) }, (_, i) => i);
  return segmentFields(layout, all).flatMap(({ start, field }) => {
    const parts = field.kind === "word" && field.packing !== undefined ? Object.values(field.packing) : [];
    return parts.length === 0 ? [] : [{ word: start, parts: parts as (Bits | WideBits)[] }];
  });
}

/** Changes some words, mostly those that are in use, or single numbers in them. */
export function damage(
  words: Int32Array<ArrayBuffer>,
  random: Random,
  inUse: readonly number[],
  packed: readonly PackedWord[],
): void {
  for (let changes = 1 + random.below(MOST_CHANGES); changes > 0; changes--) {
    const word = random.oneIn(4) ? random.below(words.length) : random.pick(inUse);
    if (random.oneIn(12)) damageRange(words, word, random);
    else if (random.oneIn(6)) damagePart(words, random.pick(packed), random);
    else words[word] = damaged(words, word, random);
  }
}

/** Changes one number of a word, and leaves those beside it as they are. */
function damagePart(words: Int32Array<ArrayBuffer>, { word, parts }: PackedWord, random: Random): void {
  const part = random.pick(parts);
  const most = 2 ** part.width - 1;
  const value = Math.min(most, random.pick([0, 1, 2, most, most - 1, random.below(2 ** 32)]));
  if (part instanceof Bits) {
    words[word] = (words[word]! & ~part.mask) | part.of(value);
  } else {
    const wide = new BigUint64Array(words.buffer, words.byteOffset + word * 4, 1);
    wide[0] = (wide[0]! & ~part.mask) | part.of(value);
  }
}

function damaged(words: Int32Array, word: number, random: Random): number {
  switch (random.below(6)) {
    case 0:
      return words[word]! ^ (1 << random.below(32));
    case 1:
      return words[word]! + random.pick([-1, 1, 2, 1024, -1024]);
    case 2:
      return random.pick(VALUES);
    case 3:
      return random.pick(EDGES);
    case 4:
      return words[random.below(words.length)]!;
    default:
      return anyWord(random);
  }
}

/** A stretch of noise, of one value, or of what is stored elsewhere. */
function damageRange(words: Int32Array, word: number, random: Random): void {
  const end = Math.min(words.length, word + 1 + random.below(64));
  const [kind, value, from] = [random.below(3), random.pick([...VALUES, ...EDGES]), random.below(words.length)];
  for (let i = word; i < end; i++) {
    if (kind === 0) words[i] = anyWord(random);
    else words[i] = kind === 1 ? value : words[(from + i) % words.length]!;
  }
}

function anyWord(random: Random): number {
  return random.below(2 ** 32) | 0;
}
