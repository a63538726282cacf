/** A stream between two agents in the calling thread, and what tests do with it. */
import type { Domain } from "../src/threads.js";
import type { Consumer } from "../src/stream/consumer.js";
import { rawFormat, type FrameFormat } from "../src/stream/format.js";
import type { FrameStream } from "../src/stream/frame-stream.js";
import { createDomain, joinDomain } from "./agents.js";

type Context = Parameters<typeof createDomain>[0];

/** A stream and a second agent of its domain that has opened it. */
export function streamed(t: Context, buffers = 4): { domain: Domain; stream: FrameStream; theirs: FrameStream } {
  const domain = createDomain(t);
  const stream = domain.createStream({ format: rawFormat(8), buffers });
  return { domain, stream, theirs: joinDomain(t, domain).import(stream.handle()) };
}

/** A stream of a format and a consumer of it, in one agent. */
export function streamOf(t: Context, format: FrameFormat): { stream: FrameStream; consumer: Consumer } {
  const stream = createDomain(t).createStream({ format });
  return { stream, consumer: stream.frames() };
}

export async function publish(stream: FrameStream, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) (await stream.loan({ timeout: 30_000 }))!.publish();
}

/** The sequence numbers of all frames that are there, each given back at once. */
export async function takeAll(consumer: Consumer): Promise<number[]> {
  const sequences: number[] = [];
  for (;;) {
    try {
      using frame = await consumer.next({ timeout: 0 });
      if (frame === undefined) return sequences;
      sequences.push(frame.sequence);
    } catch (error) {
      if ((error as { code?: string }).code === "ETIMEDOUT") return sequences;
      throw error;
    }
  }
}
