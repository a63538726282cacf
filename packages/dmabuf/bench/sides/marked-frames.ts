import type { Blank, Frame, FrameStream } from "../../src/index.js";
import type { Figures } from "../figures.js";
import { sample, sampleAsync, type Plan } from "./sampling.js";

/** Frames whose first and last byte are written by the producer and checked by the consumer. */

/** A round trip by one buffer: from the publication of a frame until the producer has the next blank. */
export async function sampleGivenBack(stream: FrameStream, plan: Plan, isAsync: boolean): Promise<Figures> {
  let blank = await stream.blank();
  if (isAsync) {
    return sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) {
        publish(blank, i);
        blank = await stream.blank();
      }
    });
  }
  return sample(plan, (first, count) => {
    for (let i = first; i < first + count; i++) {
      publish(blank, i);
      blank = stream.blankSync();
    }
  });
}

export function publish(blank: Blank | undefined, mark: number): void {
  const { bytes } = blank!;
  bytes[0] = mark;
  bytes[bytes.length - 1] = mark;
  blank!.publish();
}

export function giveBack(frame: Frame | undefined, mark: number): void {
  const { bytes } = frame!;
  if (bytes[0] !== (mark & 0xff) || bytes[bytes.length - 1] !== (mark & 0xff)) throw new Error("A frame came early");
  frame![Symbol.dispose]();
}
