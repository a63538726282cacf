import process from "node:process";
import { figuresOf, type Figures } from "../figures.js";

/** How much one run does. */
export interface Plan {
  /** How many samples are taken. */
  readonly samples: number;
  /** How many operations each of them is the mean of. */
  readonly batch: number;
  /** How many samples are thrown away before, while the compiler still works. */
  readonly warm: number;
}

/** How many operations a run has, those that are thrown away included. */
export function operations({ samples, batch, warm }: Plan): number {
  return (samples + warm) * batch;
}

/** Does `operations` operations, the first of which has the number `first`. */
export type Run<Result> = (first: number, operations: number) => Result;

/** Takes the samples of a run, one after the other. */
export class Sampler {
  readonly #batch: number;
  readonly #samples: Float64Array;
  #next: number;
  #operations = 0;

  constructor({ samples, batch, warm }: Plan) {
    this.#batch = batch;
    this.#samples = new Float64Array(samples);
    this.#next = -warm;
  }

  /** Whether all have been taken. */
  get isDone(): boolean {
    return this.#next === this.#samples.length;
  }

  /** Takes one sample: times a batch of operations. */
  take(run: Run<void>): void {
    const begin = process.hrtime.bigint();
    run(this.#operations, this.#batch);
    this.#took(process.hrtime.bigint() - begin);
  }

  /** As {@link take}, for operations that return to the event loop. */
  async takeAsync(run: Run<Promise<void>>): Promise<void> {
    const begin = process.hrtime.bigint();
    await run(this.#operations, this.#batch);
    this.#took(process.hrtime.bigint() - begin);
  }

  get figures(): Figures {
    return figuresOf(this.#samples);
  }

  #took(ns: bigint): void {
    if (this.#next >= 0) this.#samples[this.#next] = Number(ns) / this.#batch;
    this.#next++;
    this.#operations += this.#batch;
  }
}

/** Times all batches of a plan. */
export function sample(plan: Plan, run: Run<void>): Figures {
  const sampler = new Sampler(plan);
  while (!sampler.isDone) sampler.take(run);
  return sampler.figures;
}

/** As {@link sample}, for operations that return to the event loop. */
export async function sampleAsync(plan: Plan, run: Run<Promise<void>>): Promise<Figures> {
  const sampler = new Sampler(plan);
  while (!sampler.isDone) await sampler.takeAsync(run);
  return sampler.figures;
}

/** What a side was asked to do: it is started with it as its only argument. */
export function parameters<Parameters>(): Parameters {
  return JSON.parse(process.argv[2]!) as Parameters;
}

/** What a side says: one line of JSON. */
export function report(figures: Figures): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Between processes a side that spins does it without end, as the peers do. In milliseconds. */
export const SPIN_MS = { spin: 1000, park: 0, async: 0 } as const;
