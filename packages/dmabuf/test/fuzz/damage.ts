import type { Random } from "../random.js";

/** Values that mean something somewhere, or are at the edge of something. */
const VALUES = [0, 1, 2, 3, 4, 31, 32, 33, 63, 64, 255, 1023, 1024, 1025, 4095, 4096, 0xffff, 0x10000];
const EDGES = [0x7fff_ffff, 0x7fff_fffe, -0x8000_0000, -1, -2, -33, -1024];
const MOST_CHANGES = 8;

/** Changes some words, mostly those that are in use. */
export function damage(words: Int32Array, random: Random, inUse: readonly number[]): void {
  for (let changes = 1 + random.below(MOST_CHANGES); changes > 0; changes--) {
    const word = random.oneIn(4) ? random.below(words.length) : random.pick(inUse);
    if (random.oneIn(12)) damageRange(words, word, random);
    else words[word] = damaged(words, word, random);
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

/** A stretch of noise, of one value, or of what stands elsewhere. */
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
