import type * as JetStream from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as pause } from "node:timers/promises";
import { DmaBufError } from "../../errors.js";
import { messageOf, natsCode } from "../directory/nats-client.js";
import { MOST_BYTES, MOST_DELIVERIES } from "./job-message.js";

/** Nanoseconds of a millisecond: JetStream's times are nanoseconds. */
const NS = 1_000_000;
const DAY = 24 * 60 * 60 * 1_000;
const SAME_JOB = 120_000;
const MOST_JOBS = 100_000;
const PUBLISH_LIMIT = 2_000;
const PULL_LIMIT = 5_000;
const TRY_AGAIN = 250;
const CONSUMER = "workers";

/** Where the jobs of one name are, and how. */
export interface BrokerOptions {
  readonly nats: NatsConnection;
  readonly cluster: string;
  readonly name: string;
  /** On how many servers of the cluster each job is. */
  readonly replicas: number;
  /** Milliseconds after which a worker that is silent has lost its job. */
  readonly workerLimit: number;
}

/**
 * A queue of jobs on JetStream: a stream from which each message goes that a worker has acknowledged.
 *
 * broker.1. A job is published under its id until the server has said that it has it: twice is once.
 * broker.2. What the server has lost, with its memory, is made again when it is needed. The jobs are not: they end by their limits.
 * broker.3. A worker has as many messages as it has free slots: none waits in a client while its time passes.
 * broker.4. A queue is on as many servers as the one that wants most has said: a worker, which does not know, may have made it before.
 *     Then the consumer is made again, and jobs that workers have are given again: one that grows with its stream may be without a
 *     leader for good once the server dies that was its only one.
 */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #stream: string;
  readonly #subject: string;
  #client: Promise<Client> | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
    const { cluster, name } = options;
    this.#stream = `dmabuf-${cluster}-jobs-${name}`;
    this.#subject = `dmabuf.${cluster}.jobs.${name}`;
  }

  /**
   * Gives a job to the server, and tries again until it has it.
   *
   * @returns Its number there.
   * @throws {DmaBufError} `ENOENT` if the client is not installed; `ENOSPC` if the queue is full. The signal's reason.
   */
  async publish(id: string, text: string, signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      try {
        const { js } = await this.#open();
        // A string: the client keeps what it is given until it has been sent.
        const { seq } = await js.publish(this.#subject, text, { msgID: id, timeout: PUBLISH_LIMIT });
        return seq;
      } catch (error) {
        checkLasting(error);
        this.#client = undefined;
        await pause(TRY_AGAIN, undefined, { signal });
      }
    }
  }

  /** Takes a job that is over out of the queue. If the server cannot be asked, a worker asks later, and hears it. */
  async remove(number: number): Promise<void> {
    try {
      const { jsm } = await this.#open();
      await jsm.streams.deleteMessage(this.#stream, number, false);
    } catch {
      // It is gone already, or the server is.
    }
  }

  /**
   * The next job.
   *
   * @returns Nothing once the signal aborts.
   * @throws {DmaBufError} `ENOENT` if the client is not installed.
   */
  async next(signal: AbortSignal): Promise<JsMsg | undefined> {
    while (!signal.aborted) {
      try {
        const message = await this.#pull(signal);
        if (message === undefined) continue;
        if (!signal.aborted) return message;
        message.nak();
      } catch (error) {
        checkLasting(error);
        this.#client = undefined;
        await pause(TRY_AGAIN, undefined, { signal }).catch(() => {});
      }
    }
    return undefined;
  }

  /** Calls with the number of each job that no worker has finished, however often it was given. Until the signal aborts. */
  onExhausted(heard: (number: number) => void, signal: AbortSignal): void {
    const subject = `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${this.#stream}.${CONSUMER}`;
    const told = this.#options.nats.subscribe(subject, {
      callback: (_error, message) => {
        const { stream_seq: number } = jsonOf(message.string()) as { readonly stream_seq?: unknown };
        if (typeof number === "number") heard(number);
      },
    });
    signal.addEventListener("abort", () => told.unsubscribe(), { once: true });
  }

  async #pull(signal: AbortSignal): Promise<JsMsg | undefined> {
    const { consumer } = await this.#open();
    let messages: ConsumerMessages | undefined;
    const stop = (): void => messages?.stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      messages = await consumer.fetch({ max_messages: 1, expires: PULL_LIMIT });
      if (signal.aborted) stop();
      for await (const message of messages) return message;
      return undefined;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #open(): Promise<Client> {
    return (this.#client ??= this.#make());
  }

  async #make(): Promise<Client> {
    const { jetstream, jetstreamManager } = await loadJetStream();
    const { nats, replicas, workerLimit } = this.#options;
    const js = jetstream(nats, { timeout: PUBLISH_LIMIT });
    const jsm = await jetstreamManager(nats, { timeout: PUBLISH_LIMIT });
    const stream = this.#stream;
    // Mostly as it is, if there is one: another host may have made it with other options.
    const { config } = await jsm.streams.info(stream).catch(() =>
      jsm.streams.add({
        name: stream,
        subjects: [this.#subject],
        retention: "workqueue",
        storage: "memory",
        num_replicas: replicas,
        duplicate_window: SAME_JOB * NS,
        max_age: DAY * NS,
        max_msgs: MOST_JOBS,
        max_msg_size: 2 * MOST_BYTES,
        discard: "new",
      }),
    );
    // broker.4
    if (config.num_replicas < replicas) {
      await jsm.streams.update(stream, { num_replicas: replicas });
      await jsm.consumers.delete(stream, CONSUMER);
    }
    await jsm.consumers.info(stream, CONSUMER).catch(() =>
      jsm.consumers.add(stream, {
        durable_name: CONSUMER,
        ack_policy: "explicit",
        ack_wait: workerLimit * NS,
        max_deliver: MOST_DELIVERIES,
        max_ack_pending: MOST_JOBS,
      }),
    );
    return { js, jsm, consumer: await js.consumers.get(stream, CONSUMER) };
  }
}

interface Client {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly consumer: Consumer;
}

async function loadJetStream(): Promise<typeof JetStream> {
  try {
    return await import("@nats-io/jetstream");
  } catch (cause) {
    const how = "npm install @nats-io/transport-node @nats-io/jetstream";
    throw new DmaBufError("ENOENT", `Cannot use jobs: the client of JetStream is not installed: ${how}`, { cause });
  }
}

/** Throws what trying again does not change. */
function checkLasting(error: unknown): void {
  if (error instanceof DmaBufError) throw error;
  const message = messageOf(error);
  if (/maximum messages|max.*msgs|insufficient resources/i.test(message)) {
    throw new DmaBufError("ENOSPC", `Cannot submit the job: the queue takes no more: ${message}`, { cause: error });
  }
  if (natsCode(error) === "EACCES")
    throw new DmaBufError("EACCES", `Cannot use the queue: ${message}`, { cause: error });
}

function jsonOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
