import type { Frame, FrameStream, Loan } from "dmabuf";
import type { Figures } from "../figures.js";
import { sample, sampleAsync, type Plan } from "./sampling.js";

/** Frames whose first and last byte are written by the producer and checked by the consumer. */

/** A round trip by one buffer: from the publication of a frame until the producer has the next loan. */
export async function sampleGivenBack(stream: FrameStream, plan: Plan, isAsync: boolean): Promise<Figures> {
  let loan = await stream.loan();
  if (isAsync) {
    return sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) {
        publish(loan, i);
        loan = await stream.loan();
      }
    });
  }
  return sample(plan, (first, count) => {
    for (let i = first; i < first + count; i++) {
      publish(loan, i);
      loan = stream.loanSync();
    }
  });
}

export function publish(loan: Loan | undefined, mark: number): void {
  const { bytes } = loan!;
  bytes[0] = mark;
  bytes[bytes.length - 1] = mark;
  loan!.publish();
}

export function giveBack(frame: Frame | undefined, mark: number): void {
  const { bytes } = frame!;
  if (bytes[0] !== (mark & 0xff) || bytes[bytes.length - 1] !== (mark & 0xff)) throw new Error("A frame came early");
  frame![Symbol.dispose]();
}
