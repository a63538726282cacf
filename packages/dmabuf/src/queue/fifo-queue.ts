/** Who comes first does first: a line of asynchronous calls. */
export class FifoQueue {
  readonly #line = new Set<Turn>();

  get isEmpty(): boolean {
    return this.#line.size === 0;
  }

  /** A place at the end of the line; dispose it to leave. */
  enter(): Turn {
    const turn = new Turn(this.#line);
    this.#line.add(turn);
    return turn;
  }
}

class Turn implements Disposable {
  readonly #line: Set<Turn>;
  #go: (() => void) | undefined;

  constructor(line: Set<Turn>) {
    this.#line = line;
  }

  get isFirst(): boolean {
    return firstOf(this.#line) === this;
  }

  /** Calls back when this is the first; returns what ends that. */
  onFirst(go: () => void): () => void {
    if (this.isFirst) go();
    else this.#go = go;
    return () => (this.#go = undefined);
  }

  go(): void {
    this.#go?.();
  }

  [Symbol.dispose](): void {
    const wasFirst = this.isFirst;
    if (this.#line.delete(this) && wasFirst) firstOf(this.#line)?.go();
  }
}

function firstOf(line: ReadonlySet<Turn>): Turn | undefined {
  return line.values().next().value;
}
