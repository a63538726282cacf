import type { Domain, FrameFormat, FrameStream } from "dmabuf";
import type { About, SourceReport } from "../../shared/messages.js";
import type { Copier } from "./copier.js";
import type { Tempo } from "./tempo.js";

/** What a source has to work with, until it is stopped. */
export interface Stage {
  readonly domain: Domain;
  /** The heap of the memory that the frames share with WebAssembly modules. */
  readonly heap: string;
  readonly tempo: Tempo;
  readonly copier: Copier;
  readonly signal: AbortSignal;
  readonly report: (report: SourceReport) => void;
}

/** How many frames can be on their way or in use: the motion keeps two, and each other lane one. */
export const BUFFERS = 8;

/** Tells the page of a stream that begins. */
export function announce({ report, copier }: Stage, stream: FrameStream, about: About): void {
  copier.follow(stream);
  report({ kind: "stream", handle: stream.handle(), about });
}

/** The length of a painted picture, in milliseconds. */
const DURATION = 1000 / 30;

/**
 * Pictures that are painted into the frames themselves, so that nothing is copied.
 *
 * @param paint Fills the words of a picture; which one it is, it is told.
 */
export async function playPainted(
  stage: Stage,
  format: FrameFormat,
  text: string,
  paint: (pixels: Uint32Array, picture: number) => void,
): Promise<void> {
  const { domain, heap, tempo, signal } = stage;
  // Given back by close(): packages that bring a Symbol.dispose of their own, as mediabunny does where there is none, break
  // `using` for all that was loaded before them.
  const stream = domain.createStream({ name: "pictures", format, buffers: BUFFERS, heap });
  try {
    announce(stage, stream, { text, making: "painted" });
    for (let picture = 0; await tempo.turn(DURATION, signal); picture++) {
      const loan = await stream.loan({ signal });
      if (loan === undefined) return;
      const { bytes } = loan;
      paint(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), picture);
      loan.publish({ timestamp: picture * DURATION * 1e6 });
    }
  } finally {
    stream.close();
  }
}
