import { highHalf, joinHalves, lowHalf } from "../substrate/word64.js";
import type { Word } from "./record.js";

/**
 * Several numbers in one shared word, from the lowest bit up: `COMPLETED = packing(64, { sequence: 47, ended: 1, … })`.
 * `COMPLETED.ended.in(word)` reads a part; a word is put together by `sequence.of(7) | ended.of(1)`.
 */

/** A part of a 32-bit word. */
export class Bits {
  readonly shift: number;
  readonly width: number;
  /** The part's bits in the word. */
  readonly mask: number;
  readonly #low: number;

  constructor(shift: number, width: number) {
    this.shift = shift;
    this.width = width;
    this.#low = width === 32 ? -1 : 2 ** width - 1;
    this.mask = this.#low << shift;
  }

  /** The word with this part alone; more bits than it has are cut off. */
  of(value: number): number {
    return (value & this.#low) << this.shift;
  }

  in(word: number): number {
    return (word >>> this.shift) & this.#low;
  }
}

/** A part of a 64-bit word. Its number has at most 53 bits. */
export class WideBits {
  readonly shift: number;
  readonly width: number;
  /** The part's bits in the word. */
  readonly mask: bigint;
  readonly #low: number;
  /** Of a part that reaches into both halves: its bits in the high one. */
  readonly #highMask: number;
  readonly #scale: number;

  constructor(shift: number, width: number) {
    this.shift = shift;
    this.width = width;
    this.mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
    this.#low = width < 32 ? 2 ** width - 1 : -1;
    this.#highMask = 2 ** (shift + width - 32) - 1;
    this.#scale = 2 ** (32 - shift);
  }

  /** The word with this part alone; of a part that has at most 32 bits, what is more is cut off. */
  of(value: number): bigint {
    const part = this.width > 32 ? value : (value & this.#low) >>> 0;
    return joinHalves(this.lowHalf(part), this.highHalf(part));
  }

  in(word: bigint): number {
    const [low, high] = [lowHalf(word), highHalf(word)];
    if (this.shift >= 32) return ((high >>> (this.shift - 32)) & this.#low) >>> 0;
    if (this.shift + this.width <= 32) return ((low >>> this.shift) & this.#low) >>> 0;
    return ((high & this.#highMask) >>> 0) * this.#scale + (low >>> this.shift);
  }

  lowHalf(value: number): number {
    return this.shift < 32 ? value << this.shift : 0;
  }

  highHalf(value: number): number {
    return this.shift < 32 ? value / this.#scale : value << (this.shift - 32);
  }
}

/** As `one.of(value) | other.of(otherValue)` for whole numbers that fit; makes one bigint, and not three. */
export function pairOf(one: WideBits, value: number, other: WideBits, otherValue: number): bigint {
  return joinHalves(one.lowHalf(value) | other.lowHalf(otherValue), one.highHalf(value) | other.highHalf(otherValue));
}

/** A word of a record with several numbers in it. */
export type Packing<Widths, P> = { readonly [K in keyof Widths]: P };

export function packing<const W extends Readonly<Record<string, number>>>(bits: 32, widths: W): Packing<W, Bits>;
export function packing<const W extends Readonly<Record<string, number>>>(bits: 64, widths: W): Packing<W, WideBits>;
export function packing(bits: 32 | 64, widths: Readonly<Record<string, number>>): object {
  let shift = 0;
  const parts = Object.entries(widths).map(([key, width]) => {
    const part = bits === 32 ? new Bits(shift, width) : new WideBits(shift, width);
    shift += width;
    return [key, part] as const;
  });
  return Object.fromEntries(parts);
}

/** The word of a record that has these parts. */
export function packed(parts: Packing<Record<string, number>, Bits | WideBits>): Word {
  const isWide = Object.values(parts).some((part) => part instanceof WideBits);
  return { kind: "word", words: isWide ? 2 : 1, align: isWide ? 2 : 1, packing: parts };
}
