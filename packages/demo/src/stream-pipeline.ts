import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { copiedBytes, DmaBufError, Domain, type JoinedDomain } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";
import { startProcess, startThread } from "./worker-handle.js";
import { Consumers, type Start } from "./consumers.js";
import { DecoderProcess } from "./decoder-process.js";
import { inspectThisProcess, type Inspection } from "./inspector.js";
import { Killer, type Leftovers, type Victim } from "./killer.js";
import { nowMicroseconds } from "./latency.js";
import { MemoryMeter } from "./memory.js";
import { summarize, type PipelineOptions, type PipelineResult } from "./pipeline.js";
import { OwnProduction, STREAM, type Production } from "./production.js";
import type { Given } from "./stream.worker.js";

const ENTRY = new URL("./stream.worker.js", import.meta.url);

/** The demo's main job: one decoder, one ring of shared buffers, and consumers that all read the same frames. */
export async function runOverStream(given: PipelineOptions): Promise<PipelineResult> {
  const failure = new AbortController();
  const options = { ...given, signal: AbortSignal.any([given.signal, failure.signal]) };
  const { kill, camera } = options;
  // A domain of threads alone has no file by which it could be seen.
  const isInspected = options.inspect && capabilities().missing.length === 0;
  using domain =
    options.processes || isInspected ? ProcessDomain.create({ name: "demo" }) : Domain.create({ name: "demo" });
  const copiedBefore = copiedBytes();
  let started = 0;
  const onPublished = (frames: number): void => {
    if (started === 0) started = nowMicroseconds();
    killer?.published();
    options.onFrame(frames);
  };
  const onFailure = (error: Error): void => failure.abort(error);
  // A camera stays with this process.
  const decoder =
    kill && camera === undefined && domain instanceof ProcessDomain
      ? new DecoderProcess(domain, options, { onPublished, onFailure })
      : undefined;
  await using production: Production = decoder ?? new OwnProduction(domain, options, onPublished);
  const start: Start = (settings, events) => {
    if (domain instanceof ProcessDomain) {
      const toProcess: Given = { settings, way: { stream: STREAM } };
      if (options.processes) return startProcess(ENTRY, toProcess, events, { domain });
      const thread = domain.invite({ name: settings.name });
      const toThread: Given = { settings, way: { stream: STREAM, thread } };
      return startThread(ENTRY, toThread, [thread.port], events);
    }
    const invitation = domain.invite();
    const { stream, memory } = production as OwnProduction;
    const toThread: Given = { settings, way: { invitation, stream: stream.handle(), memory } };
    return startThread(ENTRY, toThread, [invitation.port], events);
  };
  await using workers = new Consumers(options.consumers, start, {
    onNote: options.onNote,
    onUrl: options.onUrl,
    onChecked: (name) => killer?.checked(name),
    onFailure,
  });
  await using _inspection = isInspected ? await inspected(options) : undefined;
  await workers.ready();

  using memory = new MemoryMeter(options.processes ? () => [...workers.processes, ...production.processes] : undefined);
  using killer = kill ? new Killer(victims(options, workers, decoder), () => holdersIn(domain)) : undefined;
  const frames = await production.run();
  await killer?.end();
  production.end();
  const reports = await workers.reports();
  const measured = {
    frames,
    microseconds: nowMicroseconds() - started,
    reports,
    memory: { growth: memory.growth, peak: memory.peak },
  };
  await workers[Symbol.asyncDispose]();
  const bytesCopied = copiedBytes() - copiedBefore + (await production.close());
  const kills = killer?.kills(await leftOf(domain));
  return summarize({ ...measured, bytesCopied, kills });
}

/** The inspector's page. Without it the demo goes on. */
async function inspected({ onInspector }: PipelineOptions): Promise<Inspection | undefined> {
  try {
    const inspection = await inspectThisProcess();
    onInspector(inspection.url);
    return inspection;
  } catch (error) {
    if (!(error instanceof DmaBufError)) throw error;
    onInspector(error.toPlain().message);
    return undefined;
  }
}

/** What is killed in turn. */
function victims({ consumers }: PipelineOptions, workers: Consumers, decoder: DecoderProcess | undefined): Victim[] {
  const jobs = consumers.map(({ name }) => name).filter((name) => name !== "checksums");
  const [first, ...others] = jobs.map((name) => ({
    name,
    pid: () => workers.processOf(name),
    replace: () => workers.replace(name),
  }));
  if (decoder === undefined) return [first!, ...others];
  return [first!, { name: "decoder", pid: () => decoder.pid, replace: () => decoder.replace() }, ...others];
}

/** Names of those who hold a frame just now, to read it or to write it. */
function holdersIn(domain: JoinedDomain): string[] {
  return domain.statistics().flatMap(({ readers, writer }) => (writer === undefined ? readers : [...readers, writer]));
}

/** Milliseconds for the kernel to release what the last processes had. */
const NOTICE = 1000;

/** Closes the domain, when all others have left it. */
async function leftOf(domain: JoinedDomain): Promise<Leftovers> {
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
