import { createAsyncContext, type AsyncContext } from "../host/async-context.js";

/**
 * What each flow of this thread went through: a flow is code, what it begins, and what it has awaited (async-context.1,
 * async-context.2).
 *
 * flows.1. A flow has gone through something once it has got it, or has awaited a promise of a flow that had.
 * flows.2. That is kept for as long as anything is held in this thread that was taken before: nothing else asks for it.
 */
export interface Went {
  /** When it was got: a number that grows. */
  readonly at: number;
}

/** Something is held: what flows go through after it is kept until it is given back. */
export interface Hold {
  readonly since: number;
}

interface Flow {
  /** The oldest first. */
  readonly went: readonly Went[];
  readonly section: object | undefined;
}

/** More than that a flow does not remember: the latest. */
const REMEMBERED = 256;

export class Flows {
  readonly #context: AsyncContext<Flow>;
  /** The oldest first. */
  readonly #holds = new Set<Hold>();
  #isExpecting = false;
  #now = 0;
  #users = 0;

  constructor() {
    this.#context = createAsyncContext<Flow>(
      (own, awaited) => this.#joined(own, awaited),
      () => this.isHolding || this.#isExpecting,
    );
  }

  /** Whether flows are known over turns of the event loop. */
  get spanTurns(): boolean {
    return this.#context.spansTurns;
  }

  /** A number greater than all before. */
  next(): number {
    return ++this.#now;
  }

  get isHolding(): boolean {
    return this.#holds.size > 0;
  }

  /**
   * The call that runs is going to hold something: code that awaits it in this turn will have gone through that.
   */
  expect(): void {
    if (this.#isExpecting) return;
    this.#isExpecting = true;
    void Promise.resolve().then(() => {
      this.#isExpecting = false;
    });
  }

  hold(hold: Hold): void {
    this.#holds.add(hold);
  }

  letGo(hold: Hold): void {
    this.#holds.delete(hold);
  }

  /** What the flow that runs went through after a hold was taken. */
  wentSince({ since }: Hold): readonly Went[] {
    return this.#context.get()?.went.filter(({ at }) => at > since) ?? [];
  }

  /** What the flow that runs went through, as far as it is kept. */
  get went(): readonly Went[] {
    return this.#context.get()?.went ?? [];
  }

  /** The flow that runs has got something. */
  go(went: Went): void {
    if (!this.isHolding) return;
    const flow = this.#context.get();
    this.#context.set({ went: this.#kept([...(flow?.went ?? []), went]), section: flow?.section });
  }

  /** The section that the flow that runs has begun, or the flow that has begun it. */
  get section(): object | undefined {
    return this.#context.get()?.section;
  }

  begin(section: object | undefined): void {
    this.#context.set({ went: this.#context.get()?.went ?? [], section });
  }

  /** Runs code inside a section. */
  inside<T>(section: object, run: () => T): T {
    return this.#context.run({ went: this.#context.get()?.went ?? [], section }, run);
  }

  /** Runs code that belongs to no flow. */
  apart<T>(run: () => T): T {
    return this.#context.run(undefined, run);
  }

  /**
   * Runs what an asynchronous call does in its caller's turn: what it goes through then, those went through who await its
   * result, and not the caller.
   */
  promised<T>(run: () => T | Promise<T>): T | Promise<T> {
    const before = this.#context.get();
    return this.#context.run(before, () => {
      const result = run();
      return this.#context.get() === before ? result : new Promise<T>((resolve) => resolve(result));
    });
  }

  open(): void {
    this.#users++;
  }

  close(): void {
    if (--this.#users > 0) return;
    this.#context.close();
    flows = undefined;
  }

  #joined(own: Flow | undefined, { went }: Flow): Flow | undefined {
    if (went.length === 0) return own;
    const mine = new Set(own?.went);
    const others = went.filter((each) => !mine.has(each));
    if (others.length === 0) return own;
    const all = [...mine, ...others].sort((a, b) => a.at - b.at);
    return { went: this.#kept(all), section: own?.section };
  }

  /** flows.2 */
  #kept(went: readonly Went[]): readonly Went[] {
    const oldest = this.#holds.values().next().value?.since ?? Infinity;
    return went.filter(({ at }) => at >= oldest).slice(-REMEMBERED);
  }
}

let flows: Flows | undefined;

/** Those of this thread, for one more validator: close them when it ends. */
export function openFlows(): Flows {
  flows ??= new Flows();
  flows.open();
  return flows;
}
