import { randomUUID } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import { check, checkOptions, FUNCTION, integer, type Kinds } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import type { AbortSignalLike } from "../../host/abort.js";
import { remoteError } from "../../node/connecting/json-lines.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import type { Job } from "../../queue/job.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Peer, Peers, Service } from "../peers.js";
import { Broker } from "./broker.js";
import { BufferCache } from "./buffer-cache.js";
import {
  cancelled,
  HOST_QUEUE,
  makeHostQueue,
  QUEUE_NAME,
  WORKER_LIMIT,
  type HostQueue,
  type HostQueueOptions,
  type HostWork,
} from "./host-queue.js";
import { makeHostWorker, type HostJobWork, type HostWorker, type HostWorkerOptions } from "./host-worker.js";
import { encodeJob, isId } from "./job-message.js";
import { SelfPeer } from "./self-peer.js";
import { SubmittedJob, type JobBuffer } from "./submitted-job.js";

const WORKER: Kinds<HostWorkerOptions> = { slots: integer(1, 1_000), workerLimit: WORKER_LIMIT };

/** What is given of the host for its jobs. */
export interface HostJobsOptions {
  /** The connection to NATS, where there is one. */
  readonly nats: NatsConnection | undefined;
  readonly cluster: string;
  /** Where this host is found. */
  readonly address: () => string;
  /** Bytes of buffers of other hosts that are kept for later jobs. Default 256 MiB. */
  readonly cacheBytes?: number | undefined;
  readonly warn: (message: string) => void;
}

const CACHE_BYTES = 256 * 2 ** 20;
const WORKER_SILENCE = 2_000;
/** Signs of life in a worker's limit. */
const BEATS = 4;

/** The jobs of one host: those that it has submitted, and those that it works on. */
export class HostJobs {
  readonly cache: BufferCache;
  readonly #peers: Peers;
  readonly #domain: ProcessDomain;
  readonly #options: HostJobsOptions;
  readonly #submitted = new Map<string, SubmittedJob>();
  readonly #queues = new Set<HostQueue>();
  readonly #workers = new Set<HostWorker>();
  readonly #overs = new Map<string, Set<() => void>>();
  readonly #self: SelfPeer;
  readonly #end = new AbortController();

  constructor(peers: Peers, domain: ProcessDomain, options: HostJobsOptions) {
    this.#peers = peers;
    this.#domain = domain;
    this.#options = options;
    this.cache = new BufferCache(options.cacheBytes ?? CACHE_BYTES);
    const service: Required<Service> = {
      answer: (peer, body) => this.#answer(peer, body),
      hear: (_peer, body) => this.#hear(body),
    };
    peers.serve("jobs", service);
    this.#self = new SelfPeer(peers, options.address, service);
    peers.onPeer((peer) => {
      peer.lost.addEventListener("abort", () => this.cache.forget(`${peer.id} `), { once: true });
    });
  }

  createQueue(options: HostQueueOptions): HostQueue {
    checkOptions("Hosts.createQueue()", options, HOST_QUEUE);
    const { name, replicas = 1, workerLimit = WORKER_SILENCE } = options;
    const broker = this.#broker("create a queue for other hosts", name, replicas, workerLimit);
    const ofQueue = new Map<number, SubmittedJob>();
    broker.onExhausted((number) => ofQueue.get(number)?.exhausted(), this.#end.signal);
    const queue = makeHostQueue(this.#domain, options, (job, signal, limit) =>
      this.#run(broker, ofQueue, job, signal, limit),
    );
    this.#queues.add(queue);
    return queue;
  }

  work(name: string, options: HostWorkerOptions, run: HostJobWork): HostWorker {
    check("Hosts.work()", "name", name, QUEUE_NAME);
    checkOptions("Hosts.work()", options, WORKER);
    check("Hosts.work()", "run", run, FUNCTION);
    const { slots = 1, workerLimit = WORKER_SILENCE } = options;
    const broker = this.#broker("work for other hosts", name, 1, workerLimit);
    const { warn } = this.#options;
    const [domain, peers, cache, overs] = [this.#domain, this.#peers, this.cache, this.#overs];
    const reach = async (id: string, signal: AbortSignal): Promise<Peer> =>
      id === peers.self.id ? this.#self : peers.reach(id, signal);
    const parts = { domain, peers, reach, broker, cache, overs, warn, beat: workerLimit / BEATS };
    const worker = makeHostWorker(parts, name, slots, run);
    this.#workers.add(worker);
    return worker;
  }

  /** Cancels what was submitted, and gives back what is worked on. */
  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all([...this.#workers, ...this.#queues].map((one) => one.close()));
    this.#self.close();
    this.cache.forget();
  }

  #broker(what: string, name: string, replicas: number, workerLimit: number): Broker {
    const { nats, cluster } = this.#options;
    if (this.#end.signal.aborted) throw new DmaBufError("EBADF", `Cannot ${what}: this host has left`);
    if (nats !== undefined) return new Broker({ nats, cluster, name, replicas, workerLimit });
    throw new DmaBufError("EOPNOTSUPP", `Cannot ${what}: jobs need NATS (option "servers")`);
  }

  /** A job of this host, from when its buffers are ready. */
  async #run(
    broker: Broker,
    ofQueue: Map<number, SubmittedJob>,
    job: Job<HostWork>,
    signal: AbortSignalLike,
    limit: number,
  ): Promise<void> {
    const { data, numbers, alsoRead, signal: wanted } = job.data;
    const own = new Map([...job.reads, ...job.writes].map((holder) => [holder.inode, holder]));
    const buffersOf = (named: HostWork["reads"]): JobBuffer[] =>
      named.map((buffer) => {
        const access = job.access(buffer);
        return { holder: own.get(numbers.get(buffer)!)!, views: access.segments };
      });
    const buffers = { reads: buffersOf(job.data.reads), writes: buffersOf(job.data.writes) };
    const describe = (list: "reads" | "writes") =>
      buffers[list].map(({ holder }, i) => ({
        number: holder.inode,
        version: holder.contentVersion,
        size: holder.size,
        isRead: list === "writes" && alsoRead.has(job.data.writes[i]!),
      }));
    const id = randomUUID();
    const text = encodeJob({
      id,
      host: this.#peers.self.id,
      reads: describe("reads"),
      writes: describe("writes"),
      data,
    });
    const submitted = new SubmittedJob(this.#peers, id, buffers, limit);
    const { ended, over } = submitted;
    const stop = AbortSignal.any([signal, ...(wanted === undefined ? [] : [wanted])]);
    const cancel = (): void => submitted.finish(cancelled(stop.reason));
    stop.addEventListener("abort", cancel, { once: true });
    if (stop.aborted) cancel();
    this.#submitted.set(id, submitted);
    broker.publish(id, text, over).then(
      (number) => {
        submitted.number = number;
        if (over.aborted) void broker.remove(number);
        else ofQueue.set(number, submitted);
      },
      (error: unknown) => submitted.finish(error as Error),
    );
    try {
      await ended;
    } catch (error) {
      // No worker is to find it; one that has it hears that it is over.
      if (submitted.number !== undefined) void broker.remove(submitted.number);
      throw error;
    } finally {
      stop.removeEventListener("abort", cancel);
      this.#submitted.delete(id);
      if (submitted.number !== undefined) ofQueue.delete(submitted.number);
    }
  }

  async #answer(peer: Peer, body: JsonValue): Promise<JsonValue> {
    const said = body as Partial<
      Record<"do" | "id" | "delivery" | "index" | "tickets" | "code" | "message", JsonValue>
    >;
    if (typeof body !== "object" || body === null || !isId(said.id)) throw misunderstood();
    const job = this.#submitted.get(said.id);
    if (job === undefined) throw new DmaBufError("ESTALE", "The job is over");
    switch (said.do) {
      case "take":
        if (!Number.isSafeInteger(said.delivery)) throw misunderstood();
        job.take(peer, said.delivery as number);
        return { host: this.#peers.self.name };
      case "read":
      case "write":
        if (!Number.isSafeInteger(said.index)) throw misunderstood();
        return { ticket: job.ticketFor(peer, said.do === "read" ? "reads" : "writes", said.index as number) };
      case "result": {
        const { tickets } = said;
        if (!Array.isArray(tickets) || !tickets.every((ticket) => typeof ticket === "string")) throw misunderstood();
        await job.collect(peer, tickets);
        return null;
      }
      case "fail":
        job.finish(remoteError(`The worker on host "${peer.name}"`, said));
        return null;
      default:
        throw misunderstood();
    }
  }

  /** A job that this host works on is over. */
  #hear(body: JsonValue): void {
    const { over } = body as { readonly over?: JsonValue };
    if (!isId(over)) return;
    for (const end of [...(this.#overs.get(over) ?? [])]) end();
  }
}

function misunderstood(): DmaBufError {
  return new DmaBufError("EPROTO", "Cannot understand what a worker says of a job");
}
