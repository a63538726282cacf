/** How much the process's resident memory grew, at most, since it was started. */
export class MemoryMeter implements Disposable {
  readonly #start = process.memoryUsage.rss();
  #peak = this.#start;
  readonly #timer = setInterval(() => this.#look(), 50);

  constructor() {
    this.#timer.unref();
  }

  /** In bytes. */
  get growth(): number {
    this.#look();
    return this.#peak - this.#start;
  }

  /** In bytes, of the whole process. */
  get peak(): number {
    this.#look();
    return this.#peak;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
  }
}
