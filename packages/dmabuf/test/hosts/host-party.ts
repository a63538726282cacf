/** A process of a host: it is told by lines of JSON to join a domain and other hosts, to produce and to consume. */
import process from "node:process";
import { inspect } from "node:util";
import { answer, tell } from "dmabuf-host-lab";
import { agentOf } from "../../src/domain-base.js";
import { DmaBufError, errnoOf, type ErrorCode } from "../../src/errors.js";
import { Hosts, type HostsOptions, type RemoteFenceHandle } from "../../src/hosts/index.js";
import { rawFormat, type FrameStream, type Policy } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { pause } from "../agents.js";
import { segmentState } from "../segment-state.js";
import { FrameCheck, publishMarked, type Mark } from "./frames.js";

/** What a consumer has come to. */
export interface Consumed {
  /** Frames that were right. */
  readonly frames: number;
  /** Streams that it had, of which each was another producer's, or the same one's by another relay. */
  readonly streams: number;
  /** Frames that came again on another relay of the same producer's. */
  readonly again: number;
  readonly missed: number;
  readonly codes: Readonly<Record<string, number>>;
}

export interface Production {
  readonly name: string;
  readonly bytes: number;
  readonly buffers?: number;
  readonly epoch: number;
  /** Milliseconds between two frames, at least. */
  readonly every?: number;
  /** How many; default: until it is told to end. */
  readonly frames?: number;
}

/** How a fence that is shared ends. */
export interface Sharing {
  /** Milliseconds; at 0 it has ended when its handle is told. */
  readonly after: number;
  /** What it fails with; without it is signaled. */
  readonly error?: ErrorCode;
}

/** How a fence of another host has ended. */
export interface Told {
  /** 0 if it has not. */
  readonly status: number;
  readonly code: string | undefined;
}

/** The producer, its host or the way to it is gone; there is no stream yet; the stream that was found is gone already. */
const MAY_COME: readonly string[] = ["ESRCH", "ETIMEDOUT", "ESTALE"];
/** The host has no agent just now. */
const WITHOUT_AGENT: readonly string[] = ["ENOENT", "ESRCH", "ETIMEDOUT", "ECANCELED"];
/** Milliseconds that a fence of another host is waited for beyond its limit: on a slow machine, and where this was stopped. */
const SLACK = 60_000;

let domain: ProcessDomain;
let hosts: Hosts | undefined;
/** Where another process is the host's agent. */
let connected: Promise<Hosts> | undefined;
let produced: FrameStream | undefined;
let published = 0;
const consumed = { frames: 0, streams: 0, again: 0, missed: 0, codes: {} as Record<string, number> };

process.on("uncaughtException", (error) => {
  tell("failed", inspect(error));
  setTimeout(() => process.exit(1), 100);
});

answer({
  /** Makes a domain, and lets others of this host in. */
  listen(place: string): void {
    domain = ProcessDomain.create();
    domain.listen(place);
  },

  async connect(place: string): Promise<void> {
    domain = await ProcessDomain.connect(place, { timeout: 60_000 });
  },

  /** Becomes the host's agent. Returns where it listens. */
  async join(options: HostsOptions): Promise<string> {
    hosts = await Hosts.join(domain, options);
    hosts.onHost(({ id, name, incarnation, lost }) => {
      tell("found", { id, name, incarnation });
      const told = (): void => tell("lost", { id, name, incarnation, reason: (lost.reason as Error).message });
      lost.addEventListener("abort", told);
    });
    return hosts.self.address;
  },

  self: () => hosts!.self,

  list: () => hosts!.list().map(({ id, name, incarnation }) => ({ id, name, incarnation })),

  /** Has other hosts' streams of the name in this host's domain from now on. */
  async want({ name, policy }: { name: string; policy: Policy }): Promise<void> {
    const stream = await hosts!.findStream(name, { policy });
    // It is relayed for those that consume from it, and so are the next ones.
    stream.close();
  },

  produce(production: Production): void {
    void produce(production);
  },

  published: () => published,

  end(): void {
    produced!.end();
  },

  consume({ name, policy }: { name: string; policy: Policy }): void {
    void consume(name, policy);
  },

  consumed: (): Consumed => consumed,

  /** A new fence for other hosts; nothing if this host has no agent just now. */
  async share({ after, error }: Sharing): Promise<RemoteFenceHandle | undefined> {
    const others = await reached();
    if (others === undefined) return undefined;
    const fence = domain.fenceFrom(workFor(after, error));
    const handle = others.share(fence);
    if (after === 0) await fence.wait();
    return handle;
  },

  /** Waits for a fence of another host. Nothing if this host has no agent just now. */
  async waitFor({ handle, limit }: { handle: RemoteFenceHandle; limit: number }): Promise<Told | undefined> {
    const others = await reached();
    if (others === undefined) return undefined;
    using fence = others.fence(handle, { timeout: limit });
    await fence.wait({ timeout: limit + SLACK });
    return { status: fence.status, code: fence.error?.code };
  },

  /** All that is in use in the domain. */
  state: () => segmentState(agentOf(domain)),

  async leave(): Promise<void> {
    await hosts?.close();
    domain.close();
    setImmediate(() => process.exit(0));
  },
});

/** The other hosts, by the agent that this host has now. What that has told before is known then. */
async function reached(): Promise<Hosts | undefined> {
  if ((domain as ProcessDomain | undefined) === undefined) return undefined;
  try {
    const others = hosts ?? (await (connected ??= Hosts.connect(domain)));
    await others.streams();
    return others;
  } catch (error) {
    if (!WITHOUT_AGENT.includes(errnoOf(error) ?? "")) throw error;
    connected = undefined;
    return undefined;
  }
}

async function workFor(ms: number, error: ErrorCode | undefined): Promise<void> {
  await pause(ms);
  if (error !== undefined) throw new DmaBufError(error, "The work has failed");
}

async function produce({ name, bytes, buffers = 4, epoch, every = 0, frames = Infinity }: Production): Promise<void> {
  const stream = (produced = domain.createStream({ name, format: rawFormat(bytes), buffers }));
  await stream.waitForConsumers(1);
  for (let n = 0; n < frames; n++) {
    const loan = await stream.loan();
    if (loan === undefined) return;
    publishMarked(loan, { epoch, n });
    published++;
    if (published % 20 === 0) tell("published", published);
    await (every === 0 ? new Promise(setImmediate) : pause(every));
  }
  stream.end();
}

async function consume(name: string, policy: Policy): Promise<void> {
  const seen = new Map<number, number>();
  for (;;) {
    try {
      using stream = await domain.findStream(name, { timeout: 1_000 });
      consumed.streams++;
      const consumer = stream.frames<Mark>({ policy });
      const check = new FrameCheck(consumer);
      for await (using frame of consumer) {
        check.take(frame);
        const { epoch, n } = frame.data!;
        consumed.frames++;
        if (n <= (seen.get(epoch) ?? -1)) consumed.again++;
        else seen.set(epoch, n);
        if (consumed.frames % 20 === 0) tell("consumed", consumed.frames);
      }
      consumed.missed += consumer.missed;
      return tell("ended");
    } catch (error) {
      const code = errnoOf(error);
      if (code === undefined || !MAY_COME.includes(code)) throw error;
      consumed.codes[code] = (consumed.codes[code] ?? 0) + 1;
    }
  }
}
