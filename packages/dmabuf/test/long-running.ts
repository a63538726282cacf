import type { TestContext } from "node:test";
import type { DmaBuf } from "../src/buffer/buffer.js";
import { PAGE_SIZE, type StorageSegment } from "../src/buffer/storage.js";
import type { LongRunningJob } from "../src/queue/long-running-job.js";
import type { LongRunningQueue } from "../src/queue/long-running-queue.js";
import type { Domain } from "../src/threads.js";
import { createDomain, joinDomain, pause, until } from "./agents.js";

/** Long-running jobs for tests. */

export const LIMIT = { timeout: 120_000 };

export const page = (): StorageSegment => ({ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE });

/** What a job that counts has come to, and how it is ended. */
export class Counter {
  /** How often it has looked at its buffers. */
  rounds = 0;
  ends = false;
  started = 0;

  /** Adds 1 to the first four bytes of the job's buffers, as one number, again and again. */
  readonly run = async (job: LongRunningJob): Promise<void> => {
    this.started++;
    while (!this.ends) {
      for (const buffer of job.buffers) {
        const { bytes } = job.access(buffer);
        const count = new DataView(bytes.buffer, bytes.byteOffset);
        count.setUint32(0, count.getUint32(0) + 1);
      }
      this.rounds++;
      await job.safePoint(pause(0));
    }
  };

  /** Some rounds from now. */
  async goesOn(): Promise<void> {
    const until = this.rounds + 3;
    while (this.rounds < until) await pause(1);
  }
}

/** A buffer of two agents: a long-running job of the second one uses it. */
export async function running(t: TestContext): Promise<{
  domain: Domain;
  other: Domain;
  exported: DmaBuf;
  buffer: DmaBuf;
  counter: Counter;
  queue: LongRunningQueue;
}> {
  const domain = createDomain(t);
  const other = joinDomain(t, domain, "trainer");
  const exported = domain.export([page()]);
  const buffer = other.import(exported.handle());
  const counter = new Counter();
  const queue = other.createQueue<undefined>({
    longRunning: true,
    name: "train",
    run: counter.run,
    preemptLimit: 10_000,
  });
  t.after(() => queue.close());
  queue.submit({ buffers: [buffer] });
  await until(() => counter.rounds > 0);
  return { domain, other, exported, buffer, counter, queue };
}

export function count(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}
