import type { PublishedFrame } from "../../stream/frame.js";

/** A sink of Node.js that frames are written to in place. Each goes back when the sink has taken it, or is closed. */
export class InPlacePipe {
  readonly sink: NodeJS.WritableStream;
  readonly #stop: () => void;
  readonly #given = new Set<PublishedFrame>();
  readonly #waits: (() => void)[] = [];

  /** @param stop Called when the sink takes no more: it has failed, was ended or is closed. */
  constructor(sink: NodeJS.WritableStream, stop: () => void) {
    this.sink = sink;
    this.#stop = stop;
    sink.once("close", this.#closed).once("finish", stop);
  }

  /** @returns Whether the sink wants more before it has taken this one. */
  write(frame: PublishedFrame): boolean {
    this.#given.add(frame);
    try {
      return this.sink.write(frame.bytes, (error) => {
        this.#giveBack(frame);
        if (error !== undefined && error !== null) this.#stop();
      });
    } catch (error) {
      this.#giveBack(frame);
      throw error;
    }
  }

  /** Resolves when the sink has none. */
  async taken(): Promise<void> {
    if (this.#given.size > 0) await new Promise<void>((resolve) => this.#waits.push(resolve));
  }

  /** No frame is written any more. Resolves when the sink has none. */
  async leave(): Promise<void> {
    this.sink.removeListener("finish", this.#stop);
    await this.taken();
    this.sink.removeListener("close", this.#closed);
  }

  readonly #closed = (): void => {
    for (const frame of this.#given) this.#giveBack(frame);
    this.#stop();
  };

  #giveBack(frame: PublishedFrame): void {
    frame.close();
    this.#given.delete(frame);
    if (this.#given.size === 0) for (const wait of this.#waits.splice(0)) wait();
  }
}
