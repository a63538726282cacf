/** The decoder as a process of its own, which can be killed: the next one goes on with the frame after its last one. */
import { copiedBytes, DmaBufError, type FrameStream, imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { decode } from "./decoder.js";
import type { DecoderGiven, FromDecoder, ToDecoder } from "./decoder-process.js";
import { openEndpoint, work } from "./endpoint.js";
import { Publisher } from "./publisher.js";
import { settleable } from "./settleable.js";

/** Milliseconds to wait for the consumers: one that was just killed may not come back in time. */
const LONGEST_WAIT = 5_000;

const endpoint = openEndpoint<DecoderGiven, FromDecoder, ToDecoder>();
const { given } = endpoint;
const stop = new AbortController();
const over = new AbortController();
const [end, leave] = [settleable(), settleable()];
const abort = (): void => {
  const reason = new DmaBufError("ECANCELED", "The demo has ended");
  over.abort(reason);
  for (const awaited of [end, leave]) awaited.reject(reason);
};
endpoint.hear(({ kind }) => {
  if (kind === "stop") stop.abort();
  else if (kind === "end") end.resolve();
  else if (kind === "leave") leave.resolve();
  else abort();
});
await work(endpoint, async () => {
  using domain = await ProcessDomain.inherit({ name: "decoder" });
  const { stream: name, buffers, video } = given;
  using stream = domain.createStream({ name, buffers, format: imageFormat("NV12", video.width, video.height) });
  endpoint.tell({ kind: "ready" });
  const frames = await produce(stream);
  endpoint.tell({ kind: "decoded", frames });
  await end.promise;
  stream.end();
  await leave.promise;
  endpoint.tell({ kind: "left", bytesCopied: copiedBytes() });
});

async function produce(stream: FrameStream): Promise<number> {
  const { ffmpeg, video, first, frames, loop, realTime, consumers } = given;
  const left = frames === undefined ? undefined : frames - first;
  await stream.waitForConsumers(consumers, { timeout: LONGEST_WAIT, signal: over.signal }).catch(() => {});
  if (left !== undefined && left <= 0) return 0;
  const { take } = new Publisher(stream, {
    first,
    frameRate: video.frameRate,
    paced: realTime,
    withData: true,
    onPublished: (published) => endpoint.tell({ kind: "published", frames: published }),
  });
  // What comes over a network goes on where it is, and a loop begins anew.
  const from = loop || !video.input.startsWith("file:") ? 0 : first;
  return decode({ ffmpeg, video, from, frames: left, loop, signal: over.signal, stop: stop.signal }, take);
}
