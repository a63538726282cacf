import { setTimeout as pause } from "node:timers/promises";
import type { DmaBuf } from "../../buffer/buffer.js";
import { DmaBufError, codeOf, textOf } from "../../errors.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Peer, Peers } from "../peers.js";
import type { BufferCache } from "./buffer-cache.js";
import { decodeJob, MOST_DELIVERIES, type JobMessage, type SentBuffer } from "./job-message.js";
import { receiveBytes, sendBytes } from "./transfer.js";

/** A job of another host, as its worker gets it. */
export interface HostJob {
  /** The same if it is given to another worker. */
  readonly id: string;
  /** The name of the host that has submitted it. */
  readonly host: string;
  /** How often it was given to a worker: more than 1 if one was lost. */
  readonly delivery: number;
  /** What was submitted as `data`. */
  readonly data: JsonValue;
  /** Buffers of this host's domain with the bytes of those that the job reads. They may be read only, and are closed when it has ended. */
  readonly reads: readonly DmaBuf[];
  /** Buffers of this host's domain, as large as those that the job writes. They are closed when it has ended. */
  readonly writes: readonly DmaBuf[];
  /** Aborts when the work is of no use any more: the job is over, its host is lost, or this worker was closed. */
  readonly signal: AbortSignal;
}

/** Does the work of one job. It has finished when what this returns settles, and with that the work on `writes`. */
export type HostJobWork = (job: HostJob) => unknown;

/** How a worker works. */
export interface HostWorkerOptions {
  /** How many jobs it runs at once. Default 1. */
  readonly slots?: number;
  /** Milliseconds of silence after which a worker has lost its job. Default 2,000. Where the queue is there already, its own counts. */
  readonly workerLimit?: number;
}

/** A message with a job, as JetStream's client has it. Its types are not named here: a program may have no such client. */
interface GivenMessage {
  readonly info: { readonly deliveryCount: number };
  string(): string;
  working(): void;
  ack(): void;
  nak(milliseconds: number): void;
  term(): void;
}

/** Where jobs come from. */
interface JobSource {
  /** The next job, or nothing once the signal aborts. */
  next(signal: AbortSignal): Promise<GivenMessage | undefined>;
}

export interface WorkerParts {
  readonly domain: ProcessDomain;
  readonly peers: Peers;
  /** The host of that id, also if it is this one. */
  readonly reach: (id: string, signal: AbortSignal) => Promise<Peer>;
  readonly broker: JobSource;
  readonly cache: BufferCache;
  /** Milliseconds between two signs of life. */
  readonly beat: number;
  readonly warn: (message: string) => void;
  /** Hears that a job is over. */
  readonly overs: Map<string, Set<() => void>>;
}

/** Milliseconds until a job that could not be begun is given to another worker. */
const GIVE_BACK_AFTER = 500;
/** Milliseconds in which the work must have ended its accesses. */
const ACCESS_LIMIT = 5_000;
/** Milliseconds. */
const LEAVE_LIMIT = 500;
/** Milliseconds to tell why a job has failed. */
const TELL_LIMIT = 5_000;
/** Milliseconds for which a ticket for a result is good: other results may come first. */
const TICKET_LIMIT = 60_000;

/**
 * A worker of this host.
 *
 * host-worker.1. It acknowledges a job when the host that has submitted it has said that the job is over. Until then it says that it
 *     lives, also to the queue: a job is given to another worker only if it does not.
 * host-worker.2. A job that it cannot begin or finish for a reason of its own is given back. At the last time the reason is told to the
 *     host, and the job fails with it; an error of the work is told at once.
 * host-worker.3. What is over is of no use: the work is told so by the signal, and its buffers are closed.
 */
export let makeHostWorker: (parts: WorkerParts, name: string, slots: number, work: HostJobWork) => HostWorker;

/**
 * A worker for the jobs of a queue, of this host or of others: {@link Hosts.work} makes it.
 *
 * @example
 * ```ts device
 * import { Hosts } from "dmabuf/hosts";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * await using hosts = await Hosts.join(domain, { bind: "127.0.0.1", servers: ["nats://127.0.0.1:4222"] });
 * await using worker = hosts.work("thumbnails", { slots: 2 }, async ({ reads: [picture], writes: [small] }) => {
 *   using from = await picture?.access("read");
 *   using to = await small?.access("write");
 *   if (from !== undefined) to?.bytes.set(from.bytes.subarray(0, to.bytes.length));
 * });
 * console.log(worker.name); // "thumbnails"
 * ```
 */
export class HostWorker implements AsyncDisposable {
  static {
    makeHostWorker = (parts, name, slots, work) => new HostWorker(parts, name, slots, work);
  }

  /** The queue's name. */
  readonly name: string;
  readonly #parts: WorkerParts;
  readonly #work: HostJobWork;
  /** Aborts first: no more jobs. */
  readonly #last = new AbortController();
  readonly #end = new AbortController();
  readonly #slots: Promise<void>[];
  readonly #attempts = new Set<Promise<void>>();
  #finished = 0;

  private constructor(parts: WorkerParts, name: string, slots: number, work: HostJobWork) {
    this.name = name;
    this.#parts = parts;
    this.#work = work;
    this.#slots = Array.from({ length: slots }, () => this.#takeJobs());
  }

  /** How many jobs it has finished. */
  get finished(): number {
    return this.#finished;
  }

  /** How many jobs it has just now. */
  get running(): number {
    return this.#attempts.size;
  }

  /** Takes no more jobs, and ends when those that it has have finished. */
  async drain(): Promise<void> {
    this.#last.abort();
    await Promise.all(this.#slots);
    await this.close();
  }

  /** Takes no more jobs, and gives back those that it has: their signals abort, and other workers get them. */
  async close(): Promise<void> {
    this.#last.abort();
    this.#end.abort(new DmaBufError("ECANCELED", `The worker for "${this.name}" was closed`));
    await Promise.all(this.#attempts);
    // A slot whose work does not end is not waited for.
    await Promise.race([Promise.all(this.#slots), pause(LEAVE_LIMIT)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One slot. */
  async #takeJobs(): Promise<void> {
    while (!this.#last.signal.aborted) {
      try {
        const message = await this.#parts.broker.next(this.#last.signal);
        if (message === undefined) return;
        const attempt = new Attempt(this.#parts, message, this.#work, this.#end.signal);
        const running = attempt.run().then((isFinished) => {
          if (isFinished) this.#finished++;
        });
        this.#attempts.add(running);
        await running.finally(() => this.#attempts.delete(running));
        await attempt.worked;
      } catch (error) {
        this.#parts.warn(`A worker for "${this.name}" has stopped: ${textOf(error)}`);
        return;
      }
    }
  }
}

/** One job, once. */
class Attempt {
  /** Settles when the program's own function has ended. */
  worked: Promise<unknown> = Promise.resolve();
  readonly #parts: WorkerParts;
  readonly #message: GivenMessage;
  readonly #delivery: number;
  readonly #work: HostJobWork;
  readonly #end = new AbortController();
  readonly #buffers: DmaBuf[] = [];
  #isOver = false;
  #isSending = false;

  constructor(parts: WorkerParts, message: GivenMessage, work: HostJobWork, closed: AbortSignal) {
    this.#parts = parts;
    this.#message = message;
    this.#delivery = message.info.deliveryCount;
    this.#work = work;
    const close = (): void => this.#end.abort(closed.reason);
    closed.addEventListener("abort", close, { once: true });
    this.#end.signal.addEventListener("abort", () => closed.removeEventListener("abort", close), { once: true });
    if (closed.aborted) close();
  }

  /** Never rejects. @returns Whether its result was taken. */
  async run(): Promise<boolean> {
    const beat = setInterval(() => this.#message.working(), this.#parts.beat);
    let job: JobMessage | undefined;
    try {
      job = decodeJob(this.#message.string());
      return await this.#serve(job);
    } catch (error) {
      this.#giveBack(job, error);
      return false;
    } finally {
      clearInterval(beat);
      this.#end.abort(new DmaBufError("ESTALE", "The job is over"));
      for (const buffer of this.#buffers) buffer.close();
    }
  }

  async #serve(message: JobMessage): Promise<boolean> {
    const { reach, overs } = this.#parts;
    const { signal } = this.#end;
    const { id } = message;
    const peer = await reach(message.host, signal);
    const lost = (): void => this.#end.abort(peer.lost.reason);
    const over = (): void => {
      // The answer says whether it is by this result.
      if (this.#isSending) return;
      this.#isOver = true;
      this.#end.abort(new DmaBufError("ESTALE", "The job is over"));
    };
    const heard = overs.get(id) ?? new Set();
    overs.set(id, heard.add(over));
    peer.lost.addEventListener("abort", lost, { once: true });
    try {
      const { host } = (await this.#ask(peer, { do: "take", id, delivery: this.#delivery })) as { host: string };
      const done = await this.#do(peer, message, host);
      this.#message.ack();
      return done;
    } finally {
      peer.lost.removeEventListener("abort", lost);
      heard.delete(over);
      if (heard.size === 0) overs.delete(id);
    }
  }

  /** @returns False if the work has failed, which its host knows then. */
  async #do(peer: Peer, message: JobMessage, host: string): Promise<boolean> {
    const { id, data } = message;
    const { signal } = this.#end;
    // Each is waited for, also if one has failed: what was made is closed.
    const read = await Promise.allSettled(message.reads.map((sent, i) => this.#fetched(peer, id, sent, i)));
    const write = await Promise.allSettled(message.writes.map((sent, i) => this.#blank(peer, id, sent, i)));
    const failed = [...read, ...write].find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason as Error;
    const [reads, writes] = [read, write].map((all) => all.map((one) => (one as PromiseFulfilledResult<DmaBuf>).value));
    signal.throwIfAborted();
    const job: HostJob = { id, host, delivery: this.#delivery, data, reads: reads!, writes: writes!, signal };
    try {
      await this.#unlessOver(this.#begin(job));
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message: why } = errorOf(error);
      await this.#ask(peer, { do: "fail", id, code, message: why });
      return false;
    }
    await this.#send(peer, id, writes!);
    return true;
  }

  #begin(job: HostJob): Promise<unknown> {
    const worked = new Promise((resolve) => resolve(this.#work(job)));
    this.worked = worked.catch(() => {});
    return worked;
  }

  /** host-worker.3. */
  async #unlessOver<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#end;
    let abort: () => void;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", abort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener("abort", abort!);
    }
  }

  async #fetched(peer: Peer, id: string, sent: SentBuffer, index: number): Promise<DmaBuf> {
    const { number, version, size } = sent;
    // The incarnation of now: with the one before, its tickets and connections went, and nothing else.
    const name = `${peer.id} ${peer.incarnation} ${number} ${version} ${size}`;
    const fetch = (): Promise<DmaBuf> => this.#fill(peer, { do: "read", id, index }, size);
    return this.#mine(await this.#parts.cache.get(name, size, fetch));
  }

  async #blank(peer: Peer, id: string, sent: SentBuffer, index: number): Promise<DmaBuf> {
    if (sent.isRead) return this.#mine(await this.#fill(peer, { do: "write", id, index }, sent.size));
    return this.#mine(this.#parts.domain.allocate(sent.size));
  }

  #mine(buffer: DmaBuf): DmaBuf {
    this.#buffers.push(buffer);
    return buffer;
  }

  /** A new buffer with the bytes of one of the job's. */
  async #fill(peer: Peer, wanted: JsonValue, size: number): Promise<DmaBuf> {
    const { signal } = this.#end;
    const buffer = this.#parts.domain.allocate(size);
    try {
      if (buffer.size !== size) throw new DmaBufError("EPROTO", `Cannot fetch a buffer of ${size} bytes`);
      const { ticket } = (await this.#ask(peer, wanted)) as { readonly ticket: string };
      using access = await buffer.access("write");
      await receiveBytes(peer, ticket, access.segments, signal);
      return buffer;
    } catch (error) {
      buffer.close();
      throw error;
    }
  }

  /** Has the host take the result. */
  async #send(peer: Peer, id: string, writes: readonly DmaBuf[]): Promise<void> {
    const { signal } = this.#end;
    const accesses = await Promise.all(
      writes.map((buffer) => buffer.access("read", { timeout: ACCESS_LIMIT, signal })),
    );
    const sending: Promise<void>[] = [];
    const stop = new AbortController();
    this.#isSending = true;
    const stopped = AbortSignal.any([signal, stop.signal]);
    try {
      const tickets = accesses.map(({ segments }) =>
        this.#parts.peers.issue(
          peer,
          (socket) => {
            const sent = sendBytes(socket, segments, stopped);
            sent.catch(() => {});
            sending.push(sent);
          },
          TICKET_LIMIT,
        ),
      );
      await this.#ask(peer, { do: "result", id, tickets }, Infinity);
    } finally {
      // transfer.1
      stop.abort(new DmaBufError("ECANCELED", "The result was taken, or is not wanted"));
      await Promise.allSettled(sending);
      for (const access of accesses) access.close();
    }
  }

  async #ask(peer: Peer, body: JsonValue, timeout = 5_000): Promise<JsonValue> {
    try {
      return await peer.ask("jobs", body, { timeout, signal: this.#end.signal });
    } catch (error) {
      if (codeOf(error) === "ESTALE" && !peer.lost.aborted) this.#isOver = true;
      throw error;
    }
  }

  /** host-worker.1 and host-worker.2. */
  #giveBack(job: JobMessage | undefined, error: unknown): void {
    if (this.#isOver) return this.#message.ack();
    // No worker can.
    if (job === undefined) return this.#message.term();
    if (this.#delivery < MOST_DELIVERIES) return this.#message.nak(GIVE_BACK_AFTER);
    this.#message.term();
    const { code, message } = errorOf(error);
    const signal = AbortSignal.timeout(TELL_LIMIT);
    void this.#parts
      .reach(job.host, signal)
      .then((peer) => peer.ask("jobs", { do: "fail", id: job.id, code, message }, { signal }))
      // It finds that no worker is left.
      .catch(() => {});
  }
}

function errorOf(error: unknown): { readonly code: string; readonly message: string } {
  return { code: codeOf(error), message: textOf(error).slice(0, 1_000) };
}
