/** What several programs of the book do. */
import {
  rawFormat,
  type DmaBuf,
  type Fence,
  type FrameStream,
  type JoinedDomain,
  type Timeline,
} from "../../src/index.js";

/** Locks the buffers one after the other, each by itself, and opens them in the opposite order. */
export async function lockEach(first: DmaBuf, ...rest: DmaBuf[]): Promise<void> {
  using _lock = await first.reservation.lock();
  if (rest.length > 0) await lockEach(rest[0]!, ...rest.slice(1));
}

/** A pending fence on a timeline of its own. */
export function pending(domain: JoinedDomain, name = "work"): Fence {
  return domain.createTimeline({ name }).createFence();
}

/** Work that has begun on a buffer: its fence is pending there. */
export async function begun(buffer: DmaBuf, timeline: Timeline): Promise<Fence> {
  const fence = timeline.createFence();
  await publish(buffer, fence);
  return fence;
}

/** Adds a fence to a buffer, as work that writes to it. */
export async function publish({ reservation }: DmaBuf, fence: Fence): Promise<void> {
  using _lock = await reservation.lock();
  reservation.reserveFences(1);
  reservation.addFence(fence, "write");
}

/** A stream of small frames. */
export function streamOf(domain: JoinedDomain, buffers: number): FrameStream {
  return domain.createStream({ format: rawFormat(8), buffers, name: "pictures" });
}

/** Publishes a frame, when there is room. */
export async function publishFrame(stream: FrameStream): Promise<void> {
  (await stream.loan())!.publish();
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
