import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessagePort } from "node:worker_threads";
import { copiedBytes, Domain, imageFormat, type Blank as StreamBlank } from "../../index.js";
import { Domain as ProcessDomain } from "../../node/index.js";
import { checksumOf } from "./checksum.js";
import { FIRST_INHERITED, startProcess, startThread } from "./colleague.js";
import { Crew, type Start } from "./crew.js";
import { film } from "./camera.js";
import { decode } from "./decoder.js";
import type { Blank } from "./frame-reader.js";
import { Killer, type Leftovers } from "./killer.js";
import { nowMicroseconds } from "./latency.js";
import { MemoryMeter } from "./memory.js";
import { summarize, type PipelineOptions, type PipelineResult } from "./pipeline.js";
import type { Given } from "./stream.worker.js";

const ENTRY = new URL("./stream.worker.js", import.meta.url);
const STREAM = "video";

/** The demo's main job: one decoder, one ring of shared buffers, and consumers that all read the same frames. */
export async function runOverStream(options: PipelineOptions): Promise<PipelineResult> {
  const { width, height, frameRate } = options.video;
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  using domain = options.processes ? ProcessDomain.create({ name: "decoder" }) : Domain.create({ name: "demo" });
  const copiedBefore = copiedBytes();
  using stream = domain.createStream({
    name: STREAM,
    buffers: options.buffers,
    format: imageFormat("NV12", width, height),
  });
  const start: Start = (settings, events) => {
    if (domain instanceof ProcessDomain) {
      using invitation = domain.inviteProcess();
      const given: Given = { settings, way: { descriptor: FIRST_INHERITED, stream: STREAM } };
      return startProcess(ENTRY, given, [invitation.descriptor], events);
    }
    const invitation = domain.invite();
    const given: Given = { settings, way: { invitation, stream: stream.handle() } };
    return startThread(ENTRY, given, [invitation.port as MessagePort], events);
  };
  await using crew = new Crew(options.consumers, start, {
    onNote: options.onNote,
    onUrl: options.onUrl,
    onChecked: (name) => killer?.checked(name),
    onFailure: (error) => failure.abort(error),
  });
  await crew.ready();

  using memory = new MemoryMeter(options.processes ? () => crew.processes : undefined);
  using killer = options.kill
    ? new Killer({
        victims: options.consumers.map(({ name }) => name).filter((name) => name !== "checksums"),
        crew,
        readers: () => domain.statistics().flatMap(({ readers }) => readers),
      })
    : undefined;
  let started = 0;
  let published = 0;
  const publish = (blank: StreamBlank): void => {
    if (published === 0) started = nowMicroseconds();
    const timestamp = Math.round((published * 1e9) / frameRate);
    blank.publish({ timestamp, ...(options.kill && { data: checksumOf(blank.bytes) }) });
    killer?.published();
    options.onFrame(++published);
  };
  const take = async (): Promise<Blank> => {
    const blank = await stream.blank({ signal });
    if (blank === undefined) throw new Error("The stream ended under its producer");
    return {
      bytes: blank.bytes,
      publish: () => publish(blank),
      [Symbol.dispose]: () => blank[Symbol.dispose](),
    };
  };
  const frames =
    options.camera === undefined
      ? await decode({ ...options, signal }, take)
      : await film(options.camera, stream, { ...options, signal, publish });
  await killer?.end();
  stream.end();
  const reports = await crew.reports();
  const microseconds = nowMicroseconds() - started;
  const measured = {
    frames,
    microseconds,
    bytesCopied: copiedBytes() - copiedBefore,
    reports,
    memory: { growth: memory.growth, peak: memory.peak },
  };
  if (killer === undefined) return summarize(measured);
  await crew[Symbol.asyncDispose]();
  stream.close();
  return summarize({ ...measured, kills: killer.kills(await leftOf(domain)) });
}

/** Milliseconds for the kernel to let go of what the last processes had. */
const NOTICE = 1000;

/** Closes the domain. */
async function leftOf(domain: Domain | ProcessDomain): Promise<Leftovers> {
  const limit = performance.now() + NOTICE;
  while (domain.agents.length > 1 && performance.now() < limit) await sleep(5);
  const [agents, buffers] = [domain.agents.length - 1, domain.statistics().length];
  domain.close();
  return { agents, buffers, memoryFiles: frameFiles() };
}

/** How many memory files of the stream's frames this process has open or mapped. */
function frameFiles(): number {
  const name = `/memfd:dmabuf ${STREAM} `;
  const open = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(name);
    } catch {
      // The directory's own.
      return false;
    }
  });
  return open.length + readFileSync("/proc/self/maps", "utf8").split(name).length - 1;
}
