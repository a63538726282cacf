import type { Consumer, FrameStream } from "dmabuf";

/** Pauses a stream whose producer knows of no pause: a consumer that takes nothing, and must miss nothing, holds it up. */
export class Brake {
  readonly #stream: FrameStream;
  #consumer: Consumer | undefined;

  constructor(stream: FrameStream) {
    this.#stream = stream;
  }

  set(isOn: boolean): void {
    if (isOn && this.#consumer === undefined && !this.#stream.hasEnded) {
      this.#consumer = this.#stream.frames({ policy: "block" });
    } else if (!isOn) {
      this.#consumer?.close();
      this.#consumer = undefined;
    }
  }
}
