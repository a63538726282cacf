import type { MessagePort } from "node:worker_threads";
import type { Figures } from "../figures.js";
import { operations, sampleAsync, type Plan } from "./sampling.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/** One worker posts a frame to the other, which answers when it has it. The first and last byte are written and checked. */
export interface MessageRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  /** A transferred frame is transferred back; the answer to a copied or shared one is a small message. */
  readonly way: "copy" | "transfer" | "shared";
  readonly bytes: number;
}

await twoWorkers<MessageRoundTripParameters>(import.meta.url, lead, follow);

async function lead(port: MessagePort, { plan, way, bytes }: MessageRoundTripParameters): Promise<Figures> {
  let frame = new Uint8Array(way === "shared" ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  frame.fill(1);
  const answers = inbox<Uint8Array<ArrayBuffer> | number>(port);
  port.postMessage("ready");
  return sampleAsync(plan, async (first, count) => {
    for (let i = first; i < first + count; i++) {
      frame[0] = i;
      frame[bytes - 1] = i;
      port.postMessage(frame, way === "transfer" ? [frame.buffer as ArrayBuffer] : []);
      const answer = await answers();
      if (typeof answer !== "number") frame = answer;
    }
  });
}

async function follow(port: MessagePort, { plan, way, bytes }: MessageRoundTripParameters): Promise<void> {
  await nextMessage(port);
  const frames = inbox<Uint8Array>(port);
  for (let i = 0; i < operations(plan); i++) {
    const frame = await frames();
    if (frame[0] !== (i & 0xff) || frame[bytes - 1] !== (i & 0xff)) throw new Error("A frame came torn");
    if (way === "transfer") port.postMessage(frame, [frame.buffer as ArrayBuffer]);
    else port.postMessage(1);
  }
}

/** The messages of a port, one at a time: one listener for all of them, as a program that measures nothing would have. */
function inbox<M>(port: MessagePort): () => Promise<M> {
  let deliver: ((message: M) => void) | undefined;
  const early: M[] = [];
  port.on("message", (message: M) => {
    if (deliver === undefined) early.push(message);
    else deliver(message);
    deliver = undefined;
  });
  return () => new Promise((resolve) => (early.length > 0 ? resolve(early.shift()!) : (deliver = resolve)));
}
