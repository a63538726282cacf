import { setTimeout as pause } from "node:timers/promises";
import process from "node:process";
import type { BufferHandle, DmaBuf, Fence, FenceHandle, Job, JoinedDomain, Queue } from "../../../src/index.js";
import { hashOf, logIn, type End } from "./graph.js";

/** What an agent is told to submit. */
export interface TaskOrder {
  readonly id: number;
  readonly reads: readonly BufferHandle[];
  readonly writes: readonly BufferHandle[];
  readonly after: readonly FenceHandle[];
  readonly lasts: number;
  readonly dies?: End | undefined;
  readonly fault?: Fault | undefined;
}

/** What a queue can be made to forget: that tasks read buffers, or that they wait for others besides. */
export type Fault = "reads" | "dependencies";

export interface TaskSubmitted {
  readonly submitted: number;
  readonly fence: FenceHandle;
}

/** What a task that has run says of itself: when it began and ended, on the clock of all processes. */
export interface TaskDone {
  readonly done: number;
  readonly began: bigint;
  readonly ended: bigint;
}

/** `unnamed`: what it reads without having said so. */
type TaskData = Pick<TaskOrder, "id" | "lasts" | "dies"> & { readonly unnamed: readonly DmaBuf[] };

/** One agent's queue of tasks. */
export class TaskQueue {
  readonly #domain: JoinedDomain;
  readonly #queue: Queue<TaskData>;
  readonly #done: (done: TaskDone) => void;
  readonly #die: () => void;

  constructor(domain: JoinedDomain, done: (done: TaskDone) => void, die: () => void) {
    this.#domain = domain;
    this.#done = done;
    this.#die = die;
    // Two at a time: only the buffers and the dependencies order the tasks of an agent, too.
    this.#queue = domain.createQueue<TaskData>({ credits: 2, run: (job) => this.#run(job) });
  }

  async submit({ reads, writes, after, fault, ...data }: TaskOrder): Promise<TaskSubmitted> {
    const open = (handles: readonly BufferHandle[]): DmaBuf[] => handles.map((handle) => this.#domain.import(handle));
    const [read, written] = [open(reads), open(writes)];
    const dependencies = after.map((handle): Fence => this.#domain.import(handle));
    const named = fault === "reads" ? [] : read;
    const fence = await this.#queue.submit({
      reads: named,
      writes: written,
      dependencies: fault === "dependencies" ? [] : dependencies,
      data: { ...data, unnamed: fault === "reads" ? read : [] },
    });
    for (const buffer of [...named, ...written]) buffer.close();
    return { submitted: data.id, fence: fence.handle() };
  }

  close(): void {
    this.#queue.close();
  }

  async #run(job: Job<TaskData>): Promise<void> {
    const { id, lasts, dies, unnamed } = job.data;
    const began = process.hrtime.bigint();
    if (dies === "before") this.#die();
    const [read, written] = [job.reads, job.writes].map((buffers) =>
      buffers.map((buffer) => wordsOf(job.access(buffer).bytes)),
    );
    const hash = hashOf(id, [...unnamed.map(wordsAnyway), ...read!, ...written!].map(logIn));
    // Others have time to come in between.
    await pause(lasts);
    for (const log of written!) {
      const count = log[0]!;
      log[1 + 2 * count] = id;
      log[2 + 2 * count] = hash;
      if (dies === "within") this.#die();
      log[0] = count + 1;
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
