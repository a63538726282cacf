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

/** Times `run(first, end)`, which does the operations from `first` to `end - 1`. */
export function sample(plan: Plan, run: (first: number, end: number) => void): Figures {
  const samples = new Float64Array(plan.samples);
  for (let i = -plan.warm, first = 0; i < plan.samples; i++, first += plan.batch) {
    const begin = process.hrtime.bigint();
    run(first, first + plan.batch);
    const took = process.hrtime.bigint() - begin;
    if (i >= 0) samples[i] = Number(took) / plan.batch;
  }
  return figuresOf(samples);
}

/** As {@link sample}, for operations that return to the event loop. */
export async function sampleAsync(plan: Plan, run: (first: number, end: number) => Promise<void>): Promise<Figures> {
  const samples = new Float64Array(plan.samples);
  for (let i = -plan.warm, first = 0; i < plan.samples; i++, first += plan.batch) {
    const begin = process.hrtime.bigint();
    await run(first, first + plan.batch);
    const took = process.hrtime.bigint() - begin;
    if (i >= 0) samples[i] = Number(took) / plan.batch;
  }
  return figuresOf(samples);
}

/** What a side was asked to do: it is started with it as its only argument. */
export function parameters<Parameters>(): Parameters {
  return JSON.parse(process.argv[2]!) as Parameters;
}

/** What a side says: one line of JSON. */
export function report(figures: Figures): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
