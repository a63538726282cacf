import type { FrameStream } from "dmabuf";
import type { PostedFrame } from "../../shared/messages.js";

/** Copies that are on their way to a lane at most: as many as a ring has. */
const MOST = 8;

/** Posts a copy of each frame to each lane, as long as the page wants it so. */
export class Copier {
  readonly #failed: (error: unknown) => void;
  #ports: readonly MessagePort[] = [];
  #stream: FrameStream | undefined;
  #stop = (): void => {};

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** The frames of this stream from now on. */
  follow(stream: FrameStream): void {
    this.#stream = stream;
    this.#begin();
  }

  /** To these from now on; to none, it ends. */
  setPorts(ports: readonly MessagePort[]): void {
    for (const port of this.#ports) port.close();
    this.#ports = ports;
    this.#begin();
  }

  #begin(): void {
    this.#stop();
    this.#stop = () => {};
    const stream = this.#stream;
    if (stream === undefined || stream.hasEnded || this.#ports.length === 0) return;
    const lines = this.#ports.map((port) => new Line(port));
    // The producer waits for this consumer, and so for the slowest of the lanes.
    const consumer = stream.frames({ policy: "block" });
    // The ring still holds older ones.
    const first = stream.published;
    let isOver = false;
    this.#stop = () => {
      isOver = true;
      consumer.close();
      for (const line of lines) line.end();
    };
    const copy = async (): Promise<void> => {
      for await (const frame of consumer) {
        const { publishedAt, sequence, timestamp } = frame;
        for (const line of sequence < first ? [] : lines) {
          await line.room();
          if (isOver) return;
          line.post({ bytes: frame.copy(), publishedAt, sequence, timestamp });
        }
        frame.close();
      }
    };
    copy().catch((error: unknown) => {
      if (!isOver) this.#failed(error);
    });
  }
}

/** The copies to one lane, which says when it has done with one. */
class Line {
  readonly #port: MessagePort;
  #onItsWay = 0;
  #taken = (): void => {};
  #isOver = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = () => {
      this.#onItsWay--;
      this.#taken();
    };
  }

  async room(): Promise<void> {
    while (this.#onItsWay >= MOST && !this.#isOver) await new Promise<void>((resolve) => (this.#taken = resolve));
  }

  post(frame: PostedFrame): void {
    this.#onItsWay++;
    this.#port.postMessage(frame, [frame.bytes.buffer]);
  }

  end(): void {
    this.#isOver = true;
    this.#taken();
  }
}
