import type { MessagePort } from "node:worker_threads";
import { Domain, copiedBytes, imageFormat } from "../../index.js";
import { Crew } from "./crew.js";
import { decode } from "./decoder.js";
import type { Blank } from "./frame-reader.js";
import { nowMicroseconds } from "./latency.js";
import { MemoryMeter } from "./memory.js";
import { summarize, type PipelineOptions, type PipelineResult } from "./pipeline.js";

const ENTRY = new URL("./stream.worker.js", import.meta.url);

/** The demo's main job: one decoder, one ring of shared buffers, and consumers that all read the same frames. */
export async function runOverStream(options: PipelineOptions): Promise<PipelineResult> {
  const { width, height, frameRate } = options.video;
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  using domain = Domain.create({ name: "demo" });
  const copiedBefore = copiedBytes();
  using stream = domain.createStream({
    name: "video",
    buffers: options.buffers,
    format: imageFormat("NV12", width, height),
  });
  const lend = () => {
    const invitation = domain.invite();
    return { data: { invitation, stream: stream.handle() }, transfer: [invitation.port as MessagePort] };
  };
  await using crew = new Crew(ENTRY, options.consumers, lend, {
    onNote: options.onNote,
    onUrl: options.onUrl,
    onFailure: (error) => failure.abort(error),
  });
  await crew.ready();

  using memory = new MemoryMeter();
  let started = 0;
  let published = 0;
  const take = async (): Promise<Blank> => {
    const blank = await stream.blank({ signal });
    if (blank === undefined) throw new Error("The stream ended under its producer");
    return {
      bytes: blank.bytes,
      publish: () => {
        if (published === 0) started = nowMicroseconds();
        blank.publish({ timestamp: Math.round((published * 1e9) / frameRate) });
        options.onFrame(++published);
      },
      [Symbol.dispose]: () => blank[Symbol.dispose](),
    };
  };
  const frames = await decode({ ...options, signal }, take);
  stream.end();
  const reports = await crew.reports();
  const microseconds = nowMicroseconds() - started;
  return summarize({
    frames,
    microseconds,
    bytesCopied: copiedBytes() - copiedBefore,
    reports,
    memory: { growth: memory.growth, peak: memory.peak },
  });
}
