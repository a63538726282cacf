import { check } from "../arguments.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import { makeCpuAccess, type CpuAccess } from "../buffer/cpu-access.js";
import { DmaBufError, type ErrorCode } from "../errors.js";
import { isKeyOverdue } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Agent } from "../domain/agent.js";
import { Held } from "../domain/held.js";
import { fenceAgent, type Fence } from "../fence/fence.js";
import { createAbortController, type HostAbortController, type AbortSignalLike } from "../host/abort.js";
import type { BufferUse, Submission } from "./submission.js";
import type { Queue } from "./queue.js";

/** What a job is started after: a fence, or a job of its own scheduler that it may follow in the pipeline. */
export type Dependency<Data> = Fence | Job<Data>;

/** A piece of work that was submitted to a queue. */
export class Job<Data = unknown> {
  readonly queue: Queue<Data>;
  readonly data: Data;
  readonly credits: number;
  /** @internal Grows with every job of the scheduler. */
  readonly order: number;
  /** Signals when the job has been given to the executor, or never will be. Of this agent alone, until it is sent. */
  readonly scheduled: Fence;
  /** Signals when the job's work has finished, with its error. Of all agents. */
  readonly finished: Fence;
  readonly #uses: readonly BufferUse[];
  readonly #draft: Disposable;
  readonly #accesses = new Map<BufferUse, CpuAccess>();
  readonly #dependencies: Dependency<Data>[];
  readonly #guards: readonly FenceKey[];
  #controller: HostAbortController | undefined;
  #parent: Fence | undefined;
  /** The dependency that calls back. */
  #awaited: Fence | undefined;
  #isOver = false;
  #error: ErrorCode | undefined;

  /**
   * @internal Made by `queue.submit()`.
   *
   * @param dependencies What the job is started after.
   * @param guards All fences of which the work must be over by then.
   */
  constructor(
    queue: Queue<Data>,
    draft: Submission<Data>,
    order: number,
    dependencies: readonly Dependency<Data>[],
    guards: readonly FenceKey[],
    fences: { readonly scheduled: Fence; readonly finished: Fence },
  ) {
    this.queue = queue;
    this.order = order;
    this.data = draft.data;
    this.credits = draft.credits;
    this.scheduled = fences.scheduled;
    this.finished = fences.finished;
    this.#uses = draft.uses;
    this.#draft = draft;
    this.#dependencies = [...dependencies];
    this.#guards = guards;
  }

  /** The buffers that the job reads, by holders of its own: they are closed when it has finished. */
  get reads(): DmaBuf[] {
    return this.#holders("read");
  }

  /** The buffers that the job writes, likewise. */
  get writes(): DmaBuf[] {
    return this.#holders("write");
  }

  /**
   * The bytes of one of the job's buffers, until the job has finished. It waits for nothing: whatever had to be waited for
   * was, before the job ran.
   *
   * @param buffer As it was named when the job was submitted, or one of {@link reads} and {@link writes}.
   * @throws {DmaBufError} `EBADF` if the job has finished.
   * @throws {RangeError} if the job does not use the buffer.
   */
  access(buffer: DmaBuf): CpuAccess {
    check("Job.access()", "buffer", buffer, DMA_BUF);
    const use = this.#uses.find(({ named, holder }) => named === buffer || holder === buffer);
    if (use === undefined) throw new RangeError("Cannot use the bytes: the job has not named this buffer");
    if (this.#isOver) throw new DmaBufError("EBADF", "Cannot use the bytes: the job has finished");
    let access = this.#accesses.get(use);
    if (access === undefined) {
      access = makeCpuAccess(use.mode, use.holder.segments, untilOver(fenceAgent(this.finished)));
      this.#accesses.set(use, access);
    }
    return access;
  }

  /** @internal Aborts when the job is to stop, because its time is over or its scheduler is closed. */
  get signal(): AbortSignalLike {
    return (this.#controller ??= createAbortController()).signal;
  }

  /** @internal The executor's own fence for the work, if it has one. */
  get parent(): Fence | undefined {
    return this.#parent;
  }

  /** @internal */
  set parent(fence: Fence) {
    this.#parent = fence;
  }

  /**
   * @internal Whether nothing is left to be waited for; otherwise `look` is called when it is time to ask again.
   *
   * @param isKilled Whether the job is never to run.
   */
  isReady(look: () => void, isKilled: boolean): boolean {
    for (let i = this.#dependencies.length - 1; i >= 0; i--) {
      const dependency = this.#dependencies[i]!;
      const fence = dependency instanceof Job ? dependency.#passedWith(isKilled) : dependency;
      if (!fence.isSignaled() && (this.#awaited === fence || fence.addCallback(look).queued)) {
        this.#awaited = fence;
        return false;
      }
      // Until it has finished, a job of the pipeline may still fail before this one's turn comes.
      if (!(dependency instanceof Job) || dependency.finished.isSignaled()) this.#dependencies.splice(i, 1);
    }
    return true;
  }

  /** scheduler.10: what a job waits for that follows this one in the pipeline. */
  #passedWith(isKilled: boolean): Fence {
    return isKilled || this.#error !== undefined ? this.finished : this.scheduled;
  }

  /** @internal Whether a time limit has ended what the job depends on while that may still go on (scheduler.8). */
  get dependsOnOverdue(): boolean {
    return this.#guards.some((key) => isKeyOverdue(fenceAgent(this.finished), key));
  }

  /** @internal */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @internal What the work has failed with. */
  get error(): ErrorCode | undefined {
    return this.#error;
  }

  /** @internal The work has ended: nobody looks at the buffers any more. False if it had before. */
  end(error: ErrorCode | undefined): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#error = error;
    this.#dependencies.length = 0;
    for (const access of this.#accesses.values()) access[Symbol.dispose]();
    this.#draft[Symbol.dispose]();
    return true;
  }

  /** @internal */
  abort(reason: DmaBufError): void {
    this.#controller?.abort(reason);
  }

  #holders(mode: BufferUse["mode"]): DmaBuf[] {
    return this.#uses.filter((use) => use.mode === mode).map(({ holder }) => holder);
  }
}

/** A job's access ends with the job: nothing of it can be forgotten. */
function untilOver({ held }: Agent): Held {
  return new Held(
    held,
    () => "",
    () => {},
  );
}
