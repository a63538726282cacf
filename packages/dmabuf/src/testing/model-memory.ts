import type { ParkResult, Substrate } from "../substrate/substrate.js";
import { highHalf, joinHalves, lowHalf } from "../substrate/word64.js";

/**
 * The model's memory: plain words that remember how to undo their changes, and a number for their contents.
 *
 * model-memory.1. `contents` is equal at two moments exactly when all words are.
 * model-memory.2. `undo(mark)` brings back every word as it was when `mark()` was called.
 * model-memory.3. Used directly, as a `Substrate`, it is memory without other agents: a park that nothing can end is
 *      an error.
 */
export class ModelMemory implements Substrate {
  readonly words: number;
  readonly #values: Int32Array;
  /** Pairs (word, old value), oldest first. */
  readonly #journal: number[] = [];
  /** A binary tree in an array: node i has the children 2i and 2i + 1, and the leaves are in its second half. */
  readonly #tree: Int32Array;
  readonly #leaves: number;
  readonly #numbers = new PairNumbers();

  /** @param start What the words hold; 0 by default. */
  constructor(words: number, start?: Int32Array) {
    if (!Number.isInteger(words) || words < 1) {
      throw new RangeError(`Cannot make a model of ${words} words: a positive whole number is wanted`);
    }
    this.words = words;
    this.#values = new Int32Array(words);
    this.#leaves = 2 ** Math.ceil(Math.log2(words));
    this.#tree = new Int32Array(2 * this.#leaves);
    start?.forEach((value, word) => {
      this.#values[word] = value;
      this.#tree[this.#leaves + word] = this.#numbers.ofValue(value);
    });
    for (let node = this.#leaves - 1; node >= 1; node--) this.#renumber(node);
  }

  /** A number for what all words hold now (model-memory.1). */
  get contents(): number {
    return this.#tree[1]!;
  }

  /** This moment, for `undo`. Two marks differ if a word has changed in between. */
  mark(): number {
    return this.#journal.length;
  }

  /** The words that have changed since a mark; a word may come twice. */
  changedSince(mark: number): number[] {
    return this.#journal.slice(mark).filter((_, index) => index % 2 === 0);
  }

  /** What all words hold now. */
  copy(): Int32Array {
    return this.#values.slice();
  }

  undo(mark: number): void {
    while (this.#journal.length > mark) {
      const old = this.#journal.pop()!;
      this.#assign(this.#journal.pop()!, old);
    }
  }

  load(word: number): number {
    checkWord(this, word);
    return this.#values[word]!;
  }

  store(word: number, value: number): void {
    this.exchange(word, value);
  }

  add(word: number, amount: number): number {
    return this.exchange(word, this.load(word) + (amount | 0));
  }

  or(word: number, bits: number): number {
    return this.exchange(word, this.load(word) | bits);
  }

  and(word: number, bits: number): number {
    return this.exchange(word, this.load(word) & bits);
  }

  exchange(word: number, value: number): number {
    const old = this.load(word);
    if (old !== (value | 0)) {
      this.#journal.push(word, old);
      this.#assign(word, value | 0);
    }
    return old;
  }

  compareExchange(word: number, expected: number, replacement: number): number {
    const old = this.load(word);
    if (old === (expected | 0)) this.exchange(word, replacement);
    return old;
  }

  load64(word: number): bigint {
    checkWord64(this, word);
    return joinHalves(this.#values[word]!, this.#values[word + 1]!);
  }

  store64(word: number, value: bigint): void {
    this.exchange64(word, value);
  }

  exchange64(word: number, value: bigint): bigint {
    const old = this.load64(word);
    this.exchange(word, lowHalf(value));
    this.exchange(word + 1, highHalf(value));
    return old;
  }

  compareExchange64(word: number, expected: bigint, replacement: bigint): bigint {
    const old = this.load64(word);
    if (old === BigInt.asUintN(64, expected)) this.exchange64(word, replacement);
    return old;
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    if (this.load(word) !== (expected | 0)) return "not-equal";
    if (timeoutMs < Infinity) return "timed-out";
    throw new Error(`Cannot park on word ${word} outside an agent: no agent is there to wake it`);
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    return this.load(word) === (expected | 0) ? new Promise(() => {}) : undefined;
  }

  wake(word: number): number {
    checkWord(this, word);
    return 0;
  }

  pause(): void {}

  #assign(word: number, value: number): void {
    this.#values[word] = value;
    let node = this.#leaves + word;
    this.#tree[node] = this.#numbers.ofValue(value);
    for (node >>= 1; node >= 1; node >>= 1) this.#renumber(node);
  }

  #renumber(node: number): void {
    this.#tree[node] = this.#numbers.ofPair(this.#tree[2 * node]!, this.#tree[2 * node + 1]!);
  }
}

/** @throws {RangeError} if the segment has no such word. */
export function checkWord(memory: Substrate, word: number): void {
  if (Number.isInteger(word) && word >= 0 && word < memory.words) return;
  throw new RangeError(`Cannot access word ${word}: the segment has words 0 to ${memory.words - 1}`);
}

/** @throws {RangeError} if no 64-bit word can be there. */
export function checkWord64(memory: Substrate, word: number): void {
  checkWord(memory, word);
  checkWord(memory, word + 1);
  if (word % 2 !== 0) throw new RangeError(`Cannot access a 64-bit word at ${word}: an even index is wanted`);
}

/** Gives equal things the same number, so that a tree of numbers compares as fast as one. */
class PairNumbers {
  /** Two numbers below this fit into one exact double. */
  static readonly LIMIT = 2 ** 26;
  readonly #values = new Map<number, number>([[0, 0]]);
  readonly #pairs = new Map<number, number>();

  ofValue(value: number): number {
    return numberIn(this.#values, value);
  }

  ofPair(left: number, right: number): number {
    return numberIn(this.#pairs, left * PairNumbers.LIMIT + right);
  }
}

function numberIn(numbers: Map<number, number>, key: number): number {
  let number = numbers.get(key);
  if (number === undefined) {
    number = numbers.size;
    if (number >= PairNumbers.LIMIT) throw new RangeError(`Cannot tell apart more than ${number} memory contents`);
    numbers.set(key, number);
  }
  return number;
}
