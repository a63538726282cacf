import type { DmaBuf } from "../../buffer/buffer.js";
import { DmaBufError } from "../../errors.js";
import type { Peer, Peers } from "../peers.js";
import { MOST_DELIVERIES } from "./job-message.js";
import { receiveBytes, sendBytes } from "./transfer.js";

/** A buffer of a job on the host that has submitted it. */
export interface JobBuffer {
  readonly holder: DmaBuf;
  /** Its bytes, which this host may use until the job has ended. */
  readonly views: readonly Uint8Array[];
}

export type BufferList = "reads" | "writes";

/**
 * A job of this host that other hosts work on.
 *
 * submitted-job.1. It ends once: by a result that is here as a whole, by a worker's error, by its limit, by an abort, or when the
 *     worker is lost that it was given to last. What comes later from any worker is told that the job is over.
 * submitted-job.2. Of several results the first one counts whose bytes are all here. One is collected at a time; if that breaks off, the
 *     next one is.
 * submitted-job.3. Its end is told to those who wait for it only when no socket is at its buffers any more (transfer.1).
 */
export class SubmittedJob {
  readonly id: string;
  /** Settles when the job has ended. */
  readonly ended: Promise<void>;
  /** Aborts with the reason, if it is an error, once the job is over. */
  readonly over: AbortSignal;
  /** Its number in the queue, once it has one. */
  number: number | undefined;
  readonly #peers: Peers;
  readonly #buffers: Readonly<Record<BufferList, readonly JobBuffer[]>>;
  readonly #end = new AbortController();
  readonly #takers = new Set<Taker>();
  /** Sockets at its buffers. */
  readonly #transfers = new Set<Promise<unknown>>();
  #collecting: Promise<unknown> | undefined;
  /** Whether it is given to no other worker. */
  #isLast = false;
  #settle!: (error?: Error) => void;
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param limit Milliseconds. */
  constructor(peers: Peers, id: string, buffers: Readonly<Record<BufferList, readonly JobBuffer[]>>, limit: number) {
    this.#peers = peers;
    this.id = id;
    this.#buffers = buffers;
    this.over = this.#end.signal;
    this.ended = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#timer = setTimeout(() => {
      this.finish(new DmaBufError("ETIMEDOUT", `No worker has finished the job in ${limit} ms`));
    }, limit);
  }

  /** A worker has the job. @param delivery How often it was given to one. */
  take(peer: Peer, delivery: number): void {
    const taker: Taker = { peer, delivery, end: () => this.#lose(taker) };
    this.#takers.add(taker);
    if (delivery >= MOST_DELIVERIES) this.#isLast = true;
    peer.lost.addEventListener("abort", taker.end, { once: true });
    if (peer.lost.aborted) taker.end();
  }

  /** No other worker gets it. */
  exhausted(): void {
    this.#isLast = true;
    this.#endIfNoWorker();
  }

  /** A ticket for the bytes of one of its buffers. @throws {DmaBufError} `EINVAL`, `ESTALE`. */
  ticketFor(peer: Peer, list: BufferList, index: number): string {
    this.#checkOpen();
    const buffer = this.#buffers[list][index];
    if (buffer === undefined) throw new DmaBufError("EINVAL", `Cannot send a buffer: the job has no ${list}[${index}]`);
    return this.#peers.issue(peer, (socket) => {
      this.#transfer(sendBytes(socket, buffer.views, this.over)).catch(() => {
        // The worker finds that itself.
      });
    });
  }

  /**
   * Gets the result of a worker, if it is the first one.
   *
   * @param tickets For the bytes of each buffer that the job writes.
   * @throws {DmaBufError} `ESTALE` if the job is over; what breaks it off.
   */
  async collect(peer: Peer, tickets: readonly string[]): Promise<void> {
    const { writes } = this.#buffers;
    if (tickets.length !== writes.length)
      throw new DmaBufError("EINVAL", "Cannot take the result: it has other buffers");
    while (this.#collecting !== undefined) await this.#collecting;
    this.#checkOpen();
    const all = writes.map(({ views }, i) => receiveBytes(peer, tickets[i]!, views, this.over));
    // submitted-job.3: each of them is waited for, also if one has failed.
    const collecting = this.#transfer(Promise.allSettled(all));
    this.#collecting = collecting;
    const broken = (await collecting).find((one) => one.status === "rejected");
    this.#collecting = undefined;
    if (broken !== undefined) throw broken.reason as Error;
    this.#checkOpen();
    this.finish();
  }

  /** submitted-job.1. */
  finish(error?: Error): void {
    if (this.over.aborted) return;
    clearTimeout(this.#timer);
    this.#end.abort(error ?? new DmaBufError("ESTALE", "The job is over"));
    for (const { peer, end } of this.#takers) {
      peer.lost.removeEventListener("abort", end);
      peer.tell("jobs", { over: this.id });
    }
    this.#takers.clear();
    void Promise.allSettled(this.#transfers).then(() => this.#settle(error));
  }

  #checkOpen(): void {
    if (this.over.aborted) throw new DmaBufError("ESTALE", "The job is over");
  }

  #transfer<T>(transfer: Promise<T>): Promise<T> {
    this.#transfers.add(transfer);
    const done = (): void => void this.#transfers.delete(transfer);
    transfer.then(done, done);
    return transfer;
  }

  #lose(taker: Taker): void {
    this.#takers.delete(taker);
    this.#endIfNoWorker();
  }

  #endIfNoWorker(): void {
    if (!this.#isLast || this.#takers.size > 0) return;
    this.finish(new DmaBufError("ESRCH", `The job was given to ${MOST_DELIVERIES} workers, and none has finished it`));
  }
}

/** A worker that has the job. */
interface Taker {
  readonly peer: Peer;
  readonly delivery: number;
  readonly end: () => void;
}
