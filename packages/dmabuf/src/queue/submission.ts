import { awaitedHold } from "../buffer/awaited-hold.js";
import { allOrNothing } from "../all-or-nothing.js";
import { check, checkGiven, checkList, FLAG, integer, OBJECT, withCode } from "../arguments.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { waitsFor } from "../domain/agent-slot.js";
import { DMA_BUF, holderOf, type DmaBuf } from "../buffer/buffer.js";
import type { Steps } from "../domain/steps.js";
import { FENCE, type Fence, fenceAgent } from "../fence/fence.js";
import { newestOfEachContext, unwrap } from "../fence/unwrap.js";
import type { OverdueWork } from "../reservation/overdue-work.js";
import type { ContextLocks } from "../reservation/acquire-context.js";
import { lockEach } from "../reservation/lock-all.js";
import { userOf, type Reservation } from "../reservation/reservation.js";
import { usageFor, type AccessMode, type Usage } from "../reservation/usage.js";
import type { UsedBuffer } from "./job-accesses.js";

/** What a job is to do. */
export type JobRequest<Data = undefined> = JobNeeds &
  (undefined extends Data
    ? {
        /** What `run` gets with the job. */
        readonly data?: Data;
      }
    : {
        /** What `run` gets with the job. */
        readonly data: Data;
      });

/** What a job needs before it can run. */
export interface JobNeeds {
  /** The buffers that the job reads: it waits for their writers, and later writers wait for it. */
  readonly reads?: Iterable<DmaBuf>;
  /** The buffers that the job writes, or reads and writes: it waits for all others, and they wait for it. */
  readonly writes?: Iterable<DmaBuf>;
  /** Fences that the job must wait for besides. What no other agent can see yet is published. */
  readonly dependencies?: Iterable<Fence>;
  /**
   * Whether long-running jobs that have the buffers are suspended first, and kept away until this one has finished. Default
   * false: they run beside it.
   */
  readonly evict?: boolean;
  /** How much of the scheduler's capacity the job takes while it runs. Default 1. */
  readonly credits?: number;
}

/** Which fences of its buffers a job waits for, by their usage; see `WorkQueries.upTo`. */
export interface Obeyed {
  readonly usage: (mode: AccessMode) => Usage;
  readonly onDemand: boolean | undefined;
}

/** One buffer of a job: its holder keeps the buffer alive until the job has finished. */
export interface BufferUse extends UsedBuffer {
  readonly reservation: Reservation;
}

/** What a job must wait for before its fence exists. */
export interface Obstacle {
  readonly awaited: WaitCondition;
  /** Call it when the wait has ended. @param isReady Whether with what was waited for. */
  end(isReady: boolean): void;
  /** For messages. */
  describe(): string;
}

/** A job that has no fence yet: what can fail fails here. */
export class Submission<Data> {
  readonly data: Data;
  readonly credits: number;
  /** One for each buffer. */
  readonly uses: readonly BufferUse[];
  readonly #agent: Agent;
  readonly #dependencies: readonly Fence[];
  readonly #obeyed: Obeyed;

  /**
   * @param obeyed Default: implicit synchronization.
   * @throws {DmaBufError} `EACCES` for writing a buffer whose holder may only read; `EBADF` for a closed one; `EINVAL` if the
   *   credits are not from 1 to `limit`.
   * @throws {TypeError} for what is of another agent.
   */
  constructor(
    call: string,
    agent: Agent,
    request: JobNeeds & { readonly data?: Data },
    limit: number,
    obeyed?: Obeyed,
  ) {
    check(call, "request", request, OBJECT);
    const { reads = [], writes = [], dependencies = [], evict, credits = 1 } = request;
    checkGiven(call, "request.evict", evict, FLAG);
    check(call, "request.credits", credits, withCode("EINVAL", integer(1, limit)));
    const written = checkList(call, "request.writes", writes, DMA_BUF);
    const read = checkList(call, "request.reads", reads, DMA_BUF);
    this.#dependencies = checkList(call, "request.dependencies", dependencies, FENCE);
    this.#agent = agent;
    this.#obeyed = obeyed ?? { usage: usageFor, onDemand: evict === true ? true : undefined };
    this.data = request.data as Data;
    this.credits = credits;
    for (const fence of this.#dependencies) checkAgent(fenceAgent(fence), agent);
    this.uses = openAll(agent, written, read);
  }

  get reservations(): Reservation[] {
    return this.uses.map(({ reservation }) => reservation);
  }

  /** Locks all reservations. @param timeout For messages. */
  lockAll(timeout?: number): Steps<ContextLocks> {
    return lockEach(this.#agent, this.reservations, timeout);
  }

  /** Locks all reservations if all are open. */
  tryLockAll(): Disposable | undefined {
    const locks: Disposable[] = [];
    for (const { reservation } of this.uses) {
      const lock = reservation.tryLock();
      if (lock === undefined) {
        disposeAll(locks);
        return undefined;
      }
      locks.push(lock);
    }
    return { [Symbol.dispose]: () => disposeAll(locks) };
  }

  /** @throws {DmaBufError} `EFAULT` for a paged buffer that is not pinned (paged-buffer.3). */
  checkPages(): void {
    for (const { holder, mode } of this.uses) holderOf(holder).record.pages?.check(`submit a job that is to ${mode}`);
  }

  /** Takes a hold on every buffer, or on none; returns what is in the way: overdue work, or a hold of another. */
  tryHoldAll(): Obstacle | undefined {
    for (const { reservation, mode } of this.uses) {
      const overdue = userOf(reservation).overdueWork(this.#obeyed.usage(mode), this.#obeyed.onDemand);
      if (overdue !== undefined) return workInTheWay(overdue);
    }
    for (const [i, use] of this.uses.entries()) {
      if (holderOf(use.holder).holds.tryTake(use.mode)) continue;
      for (const taken of this.uses.slice(0, i)) holderOf(taken.holder).holds.drop(taken.mode);
      return holdInTheWay(use);
    }
    return undefined;
  }

  /** The end that belongs to {@link tryHoldAll}. */
  releaseHolds(): void {
    for (const { holder, mode } of this.uses) holderOf(holder).holds.drop(mode);
  }

  /** What the job must wait for as of now: the newest of each context. The caller holds the locks. */
  dependencies(): Fence[] {
    const { usage, onDemand } = this.#obeyed;
    const implicit = this.uses.flatMap(({ reservation, mode }) => userOf(reservation).getFences(usage(mode), onDemand));
    const explicit = this.#dependencies.flatMap((fence) => [...unwrap(fence)]);
    const pending = [...implicit, ...explicit].filter((fence) => !fence.isSignaled());
    return newestOfEachContext(pending);
  }

  /** Gives up the job's own holders of its buffers. */
  close(): void {
    for (const { holder } of this.uses) holder.close();
  }
}

function openAll(agent: Agent, writes: readonly DmaBuf[], reads: readonly DmaBuf[]): BufferUse[] {
  return allOrNothing((orUndo) => {
    const uses = new Map<object, BufferUse>();
    const open = (named: DmaBuf, mode: AccessMode): void => {
      const { agent: actual, shared } = userOf(named.reservation);
      checkAgent(actual, agent);
      if (uses.has(shared)) return;
      const holder = named.duplicate(mode === "write" ? "read-write" : "read");
      orUndo(() => holder.close());
      uses.set(shared, { mode, named, holder, reservation: holder.reservation });
    };
    for (const buffer of writes) open(buffer, "write");
    for (const buffer of reads) open(buffer, "read");
    return [...uses.values()];
  });
}

/** The hold is only to be waited for: a job's own comes when its buffers are locked. */
function holdInTheWay({ holder, mode }: BufferUse): Obstacle {
  const { agent, holds } = holderOf(holder).record;
  const awaited = awaitedHold(holds, mode);
  const end = (isReady: boolean): void => {
    if (isReady) holds.drop(mode);
    else awaited.giveUp();
  };
  return {
    awaited,
    end,
    describe: () => waitsFor(agent, awaited.inTheWay()),
  };
}

function workInTheWay(overdue: OverdueWork): Obstacle {
  return {
    awaited: overdue,
    end: () => {},
    describe: () => overdue.describe() ?? "work on a buffer was overdue",
  };
}

function checkAgent(actual: Agent, wanted: Agent): void {
  if (actual !== wanted) throw new TypeError("A job's buffers and fences are of its queue's agent: import them there");
}

function disposeAll(locks: readonly Disposable[]): void {
  for (const lock of locks) lock[Symbol.dispose]();
}
