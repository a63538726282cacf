/** Who comes first does first: a line of asynchronous calls. */
export class Turns {
  readonly #line: Turn[] = [];

  get isEmpty(): boolean {
    return this.#line.length === 0;
  }

  /** A place at the end of the line; dispose it to leave. */
  enter(): Turn {
    const turn = new Turn(this.#line);
    this.#line.push(turn);
    return turn;
  }
}

class Turn implements Disposable {
  readonly #line: Turn[];
  #go: (() => void) | undefined;

  constructor(line: Turn[]) {
    this.#line = line;
  }

  get isFirst(): boolean {
    return this.#line[0] === this;
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
    const place = this.#line.indexOf(this);
    if (place < 0) return;
    this.#line.splice(place, 1);
    if (place === 0) this.#line[0]?.go();
  }
}
