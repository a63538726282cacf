/**
 * The words that no agent changes, as far as is known.
 *
 * Nothing is known at first, and all words count as constant. What is found to change counts only after `learn()`:
 * within one try the agents must meet the same steps again and again.
 */
export class ConstantWords {
  readonly #changing: Uint8Array;
  readonly #found = new Set<number>();

  constructor(words: number, changing: Iterable<number>) {
    this.#changing = new Uint8Array(words);
    for (const word of changing) this.#changing[word] = 1;
  }

  has(word: number): boolean {
    return this.#changing[word] === 0;
  }

  /** Takes note that a word changes, or may change. */
  found(word: number): void {
    if (this.has(word)) this.#found.add(word);
  }

  /** Whether a word that counts as constant was found to change. */
  get mistaken(): boolean {
    return this.#found.size > 0;
  }

  /** From now on, what was found counts as changing. */
  learn(): void {
    for (const word of this.#found) this.#changing[word] = 1;
    this.#found.clear();
  }

  /** The words that count as changing, in rising order. */
  changing(): number[] {
    return [...this.#changing.keys()].filter((word) => !this.has(word));
  }
}
