import { ring, slotOf } from "../domain/agent-slot.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import type { Obstacle } from "./submission.js";
import type { Preemptible, Turns } from "./turns.js";

/** How slots are shared: what is kept from long-running jobs, for the jobs whose fences others wait for. */
export interface Sharing {
  /** So many slots are never theirs. */
  readonly kept: number;
  /** Whether a job that waits for a slot gets one of theirs. */
  readonly takesBack: boolean;
  /** A fence becomes visible only while they have at most so many. */
  readonly admitsAt: number;
  /** While a fence is in flight they get at most so many. */
  readonly inFlight: number;
}

/** A scheduler whose next job waits for a slot. */
export interface SlotWish {
  readonly name: string;
  /** Has it look again. */
  wake(): void;
}

/** Who waits, in the order of coming. */
type Tickets<T> = Map<T, number>;

/** The slots of an executor, and who has and wants them: see executor.ts. */
export class Slots implements Turns {
  readonly agent: Agent;
  readonly #count: number;
  readonly #sharing: Sharing;
  /** How many jobs of schedulers have a slot. */
  #running = 0;
  /** The long-running jobs that have one, the first that got it first. */
  readonly #longRunning = new Set<Turn>();
  readonly #wishes: Tickets<SlotWish> = new Map();
  readonly #turns: Tickets<Turn> = new Map();
  /** The submissions whose fence may not become visible yet. */
  readonly #submissions: Tickets<object> = new Map();
  /** How many fences of jobs are pending. */
  #inFlight = 0;
  #tickets = 0;
  #isServing = false;

  constructor(agent: Agent, count: number, sharing: Sharing) {
    this.agent = agent;
    this.#count = count;
    this.#sharing = sharing;
  }

  /** Takes a slot for a job. Otherwise the scheduler has its place in the queue, until {@link unwish}. */
  tryTake(wish: SlotWish): boolean {
    const isNext = this.#wishes.size === 0 || first(this.#wishes) === wish;
    if (isNext && this.#isForJob) {
      this.#wishes.delete(wish);
      this.#running++;
      this.#serve();
      return true;
    }
    if (!this.#wishes.has(wish)) this.#wishes.set(wish, this.#tickets++);
    this.#serve();
    return false;
  }

  /** The scheduler has no job that waits for a slot. */
  unwish(wish: SlotWish): void {
    if (this.#wishes.delete(wish)) this.#serve();
  }

  /** A job has ended. @param wish If the scheduler has another one that is ready. */
  giveBack(wish?: SlotWish): void {
    this.#running--;
    if (wish !== undefined && !this.#wishes.has(wish)) this.#wishes.set(wish, this.#tickets++);
    this.#serve();
  }

  /** A fence of a job has become visible. */
  fenceMade(): void {
    this.#inFlight++;
  }

  /** It has signaled. */
  fenceSignaled(): void {
    this.#inFlight--;
    this.#serve();
  }

  /** What a submission must wait for before its fence becomes visible. It has its place in the queue until it is let in, or {@link takeBack}. */
  admit(submission: object): Obstacle | undefined {
    if (!this.#submissions.has(submission)) this.#submissions.set(submission, this.#tickets++);
    if (this.#mayAdmit(submission)) {
      this.#submissions.delete(submission);
      return undefined;
    }
    this.#serve();
    const awaited: WaitCondition = {
      arm: () => {},
      ready: () => this.#mayAdmit(submission),
      checkBlocking() {
        throw new DmaBufError("EDEADLK", "Cannot block for a slot of the executor: its jobs run in this same thread");
      },
    };
    return {
      awaited,
      end: () => {},
      describe: () => `the executor has no slot for its fence yet:\n${this.describe()}`,
    };
  }

  takeBack(submission: object): void {
    if (this.#submissions.delete(submission)) this.#serve();
  }

  ask(work: Preemptible, granted: () => void): () => void {
    const turn = new Turn(work, granted);
    this.#turns.set(turn, this.#tickets++);
    this.#serve();
    return () => {
      this.#turns.delete(turn);
      this.#longRunning.delete(turn);
      this.#serve();
    };
  }

  /** Lines for people: who has slots, and who waits. */
  describe(): string {
    const lines = [
      `${this.#count} slots: ${this.#running} of jobs with fences, ${this.#longRunning.size} of long-running jobs`,
    ];
    for (const { work, isAsked } of this.#longRunning)
      lines.push(`has a slot${isAsked ? ", is asked for it" : ""}: ${work.describe()}`);
    for (const { name } of this.#wishes.keys())
      lines.push(`waits for a slot: a job of "${name}", whose fence is in flight`);
    for (const { work } of this.#turns.keys()) lines.push(`waits for a slot: ${work.describe()}`);
    if (this.#submissions.size > 0) lines.push(`wait to be submitted: ${this.#submissions.size} jobs`);
    return lines.join("\n");
  }

  get #free(): number {
    return this.#count - this.#running - this.#longRunning.size;
  }

  /** How many slots long-running jobs may have now. */
  get #limit(): number {
    const { kept, takesBack, inFlight } = this.#sharing;
    const fences = this.#isFencesTurn ? inFlight : this.#count;
    const taken = takesBack ? this.#running + this.#wishes.size : 0;
    return Math.max(0, Math.min(this.#count - kept, fences, this.#count - taken));
  }

  /** Whether fences are in flight, or a submission comes before the long-running jobs that wait. */
  get #isFencesTurn(): boolean {
    return this.#inFlight > 0 || this.#isBefore(this.#submissions, this.#turns);
  }

  #isBefore(some: Tickets<unknown>, others: Tickets<unknown>): boolean {
    const { value: ticket } = some.values().next();
    const { value: other = Infinity } = others.values().next();
    return ticket !== undefined && ticket < other;
  }

  /** executor.6: where jobs with fences leave no slot to long-running ones, both take turns. */
  #mayAdmit(submission: object): boolean {
    const { admitsAt, inFlight } = this.#sharing;
    if (this.#longRunning.size > admitsAt) return false;
    const { value: turn = Infinity } = this.#turns.values().next();
    return inFlight > 0 || turn > this.#submissions.get(submission)!;
  }

  /** Whether a free slot goes to a job with a fence. */
  get #isForJob(): boolean {
    return this.#free > 0 && !(this.#longRunning.size < this.#limit && this.#isBefore(this.#turns, this.#wishes));
  }

  #serve(): void {
    // What is called here may come back.
    if (this.#isServing) return;
    this.#isServing = true;
    while (this.#grant());
    this.#isServing = false;
    if (this.#wishes.size > 0 && this.#isForJob) first(this.#wishes)!.wake();
    this.#askBack();
    if (this.#submissions.size > 0) ring(this.agent, slotOf(this.agent.identity));
  }

  /** Gives a slot to the long-running job that waits longest, if it is its turn. */
  #grant(): boolean {
    const turn = first(this.#turns);
    if (turn === undefined || this.#free <= 0 || this.#longRunning.size >= this.#limit) return false;
    if (this.#isBefore(this.#wishes, this.#turns)) return false;
    this.#turns.delete(turn);
    this.#longRunning.add(turn);
    turn.granted();
    return true;
  }

  /** Asks for the slots that long-running jobs have beyond what they may, and for one if another of them waits. */
  #askBack(): void {
    const excess = this.#longRunning.size - this.#limit;
    let due = excess > 0 ? excess : this.#turns.size > 0 && this.#free <= 0 ? 1 : 0;
    for (const turn of this.#longRunning) {
      if (due-- <= 0) return;
      turn.ask();
    }
  }
}

/** A long-running job that has a slot, or waits for one. */
class Turn {
  readonly work: Preemptible;
  readonly granted: () => void;
  isAsked = false;

  constructor(work: Preemptible, granted: () => void) {
    this.work = work;
    this.granted = granted;
  }

  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    this.work.preempt();
  }
}

function first<T>(tickets: Tickets<T>): T | undefined {
  return tickets.keys().next().value;
}
