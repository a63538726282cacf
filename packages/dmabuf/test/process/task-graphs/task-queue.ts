import { setTimeout as pause } from "node:timers/promises";
import process from "node:process";
import {
  Fence,
  type BufferHandle,
  type DmaBuf,
  type FenceHandle,
  type Job,
  type JoinedDomain,
  type LongRunningJob,
  type LongRunningQueue,
  type Queue,
  type UserFence,
  type UserFenceHandle,
} from "../../../src/index.js";
import { hashOf, logIn, type End } from "./graph.js";

/** Milliseconds: what takes longer hangs. */
export const PATIENCE = 60_000;

/** What an agent is told to submit. */
export interface TaskOrder {
  readonly id: number;
  readonly isLong: boolean;
  readonly reads: readonly BufferHandle[];
  readonly writes: readonly BufferHandle[];
  readonly after: readonly (FenceHandle | UserFenceHandle)[];
  readonly lasts: number;
  readonly dies?: End | undefined;
  readonly fault?: Fault | undefined;
}

/** What a queue can be made to forget: that tasks read buffers, or that they wait for others besides. */
export type Fault = "reads" | "dependencies";

export interface TaskSubmitted {
  readonly submitted: number;
  readonly fence: FenceHandle | UserFenceHandle;
}

/** What a task that has run says of itself: when it began and ended, on the clock of all processes. */
export interface TaskDone {
  readonly done: number;
  readonly began: bigint;
  readonly ended: bigint;
}

/** What the validator has said there. */
export interface TaskReport {
  readonly report: string;
}

/** `unnamed`: what it reads without having said so. */
type TaskData = Pick<TaskOrder, "id" | "lasts" | "dies"> & { readonly unnamed: readonly DmaBuf[] };

/** One agent's queue of tasks. */
export class TaskQueue {
  readonly #domain: JoinedDomain;
  readonly #queue: Queue<TaskData>;
  readonly #longQueue: LongRunningQueue<TaskData>;
  readonly #done: (done: TaskDone) => void;
  readonly #die: () => void;

  constructor(domain: JoinedDomain, done: (done: TaskDone) => void, die: () => void) {
    this.#domain = domain;
    this.#done = done;
    this.#die = die;
    // Two at a time: only the buffers and the dependencies order the tasks of an agent, too.
    this.#queue = domain.createQueue<TaskData>({
      credits: 2,
      run: (job) => this.#run(job, job.reads, job.writes, async (until) => until),
    });
    this.#longQueue = domain.createQueue<TaskData>({
      longRunning: true,
      preemptLimit: PATIENCE,
      run: (job) => {
        const [reads, writes] = (["read", "read-write"] as const).map((mode) =>
          job.buffers.filter((buffer) => buffer.mode === mode),
        );
        return this.#run(job, reads!, writes!, (until) => job.safePoint(until));
      },
    });
  }

  async submit({ isLong, reads, writes, after, fault, ...data }: TaskOrder): Promise<TaskSubmitted> {
    const open = (handles: readonly BufferHandle[]): DmaBuf[] => handles.map((handle) => this.#domain.import(handle));
    const [read, written] = [open(reads), open(writes)];
    const waits = after.map((handle): Fence | UserFence => this.#domain.import(handle));
    const named = fault === "reads" ? [] : read;
    const task = { ...data, unnamed: fault === "reads" ? read : [] };
    const end = isLong
      ? this.#longQueue.submit({ buffers: [...named, ...written], waits, data: task })
      : await this.#queue.submit({
          reads: named,
          writes: written,
          dependencies: fault === "dependencies" ? [] : waits.filter((fence) => fence instanceof Fence),
          data: task,
        });
    for (const made of [...named, ...written, ...waits]) if (!(made instanceof Fence)) made.close();
    const fence = end.handle();
    if (!(end instanceof Fence)) end.close();
    return { submitted: data.id, fence };
  }

  close(): void {
    this.#queue.close();
    this.#longQueue.close();
  }

  /** @param passes Waits for something, at a safe point. */
  async #run(
    job: Job<TaskData> | LongRunningJob<TaskData>,
    reads: readonly DmaBuf[],
    writes: readonly DmaBuf[],
    passes: (until: Promise<unknown>) => Promise<unknown>,
  ): Promise<void> {
    const { id, lasts, dies, unnamed } = job.data;
    const began = process.hrtime.bigint();
    if (dies === "before") this.#die();
    const words = (buffer: DmaBuf): Uint32Array => wordsOf(job.access(buffer).bytes);
    const hash = hashOf(id, [...unnamed.map(wordsAnyway), ...[...reads, ...writes].map(words)].map(logIn));
    // Others have time to come in between.
    await passes(pause(lasts));
    for (const buffer of writes) {
      const log = words(buffer);
      const count = log[0]!;
      log[1 + 2 * count] = id;
      log[2 + 2 * count] = hash;
      if (dies === "within") this.#die();
      log[0] = count + 1;
      await passes(Promise.resolve());
    }
    for (const buffer of unnamed) buffer.close();
    if (dies === "after") this.#die();
    this.#done({ done: id, began, ended: process.hrtime.bigint() });
  }
}

export function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength >> 2);
}

/** The words of a buffer, also while others use it. */
function wordsAnyway({ segments: [segment] }: DmaBuf): Uint32Array {
  return new Uint32Array(segment!.memory, segment!.offset, segment!.length >> 2);
}
