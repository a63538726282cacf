import { randomBytes } from "node:crypto";
import { DmaBufError, copiedBytes } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import type { Failed } from "./failure.js";
import type { FromAgent, GivenAgent } from "./first-host.worker.js";
import { nowMicroseconds } from "./latency.js";
import { MemoryMeter } from "./memory.js";
import { summarize, type PipelineOptions, type PipelineResult } from "./pipeline.js";
import { OwnProduction, STREAM } from "./production.js";
import type { FromHost, GivenHost } from "./second-host.worker.js";
import { settleable, type Settleable } from "./settleable.js";
import { makeTwoPlaces } from "./two-places.js";
import { startProcess, type WorkerEvents } from "./worker-handle.js";

const AGENT = new URL("./first-host.worker.js", import.meta.url);
const HOST = new URL("./second-host.worker.js", import.meta.url);

/** Milliseconds: a machine that is busy with everything else may let a host be silent for long. One that ends is lost at once. */
const HOST_LIMIT = 30_000;

export interface HostsResult extends PipelineResult {
  /** Why the hosts were on this machine's loopback; `undefined` if each was in a network namespace of its own. */
  readonly lacking: string | undefined;
}

/**
 * The same job with its consumers on another host: processes with a domain of their own, to which this one's frames come by a
 * connection, once for all of them. Both hosts are on this machine; this process has the first one's domain, and its agent
 * is where the network between them is.
 */
export async function runOverHosts(given: PipelineOptions): Promise<HostsResult> {
  const failure = new AbortController();
  const options = { ...given, signal: AbortSignal.any([given.signal, failure.signal]), withData: true };
  const { consumers, buffers, signal } = options;
  signal.throwIfAborted();
  await using network = await makeTwoPlaces();
  const [here, there] = network.places;
  using domain = ProcessDomain.create({ name: "demo" });
  let started = 0;
  const onPublished = (frames: number): void => {
    if (started === 0) started = nowMicroseconds();
    options.onFrame(frames);
  };
  await using production = new OwnProduction(domain, options, onPublished);
  const common = { key: randomBytes(24).toString("base64url"), hostLimit: HOST_LIMIT };

  const [listening, left] = [settleable<string>(), settleable<number>()];
  const [joined, reported] = [settleable<readonly number[]>(), settleable<FromHost & { readonly kind: "reports" }>()];
  const awaited: readonly Pick<Settleable<never>, "reject">[] = [listening, left, joined, reported];
  signal.addEventListener("abort", () => awaited.forEach(({ reject }) => reject(signal.reason as Error)));
  const fail = (error: Error): void => failure.abort(error);

  const toAgent: GivenAgent = { ...common, bind: here.address };
  const fromAgent = eventsOf<FromAgent>("agent of the first host", "left", fail, (message) => {
    if (message.kind === "listening") listening.resolve(message.address);
    else left.resolve(message.bytesCopied);
  });
  await using agent = startProcess(AGENT, toAgent, fromAgent, { domain, place: here });
  const peer = await listening.promise;

  const toHost: GivenHost = { ...common, bind: there.address, peer, consumers, stream: STREAM, buffers };
  const fromHost = eventsOf<FromHost>("second host", "reports", fail, (message) => {
    if (message.kind === "joined") joined.resolve(message.processes);
    else if (message.kind === "note") options.onNote(message.note);
    else reported.resolve(message);
  });
  await using host = startProcess(HOST, toHost, fromHost, { place: there });
  const processes = [agent.pid, host.pid, ...(await joined.promise)].filter((pid) => pid !== undefined);

  using memory = new MemoryMeter(() => processes);
  const copiedBefore = copiedBytes();
  const frames = await production.run(1);
  production.end();
  const { reports, bytesCopied } = await reported.promise;
  const microseconds = nowMicroseconds() - started;
  const { growth, peak } = memory;
  agent.tell({ kind: "end" });
  const copiedByHosts = bytesCopied + (await left.promise);
  const result = summarize({
    frames,
    microseconds,
    reports: new Map(reports),
    memory: { growth, peak },
    bytesCopied: copiedBytes() - copiedBefore + copiedByHosts,
  });
  return { ...result, lacking: network.lacking };
}

/** Those of a process of a host: that it ends is a failure until it has told the last. */
function eventsOf<From extends { readonly kind: string }>(
  name: string,
  last: From["kind"],
  fail: (error: Error) => void,
  hear: (message: Exclude<From, Failed>) => void,
): WorkerEvents<From | Failed> {
  let isDone = false;
  return {
    onMessage(message) {
      isDone ||= message.kind === last;
      if (isFailure(message)) fail(DmaBufError.from(message.error));
      else hear(message as Exclude<From, Failed>);
    },
    onError: fail,
    onExit(how) {
      if (!isDone) fail(new DmaBufError("ESRCH", `The ${name} ended with ${how}, before it was done`));
    },
  };
}

function isFailure(message: { readonly kind: string }): message is Failed {
  return message.kind === "failed";
}
