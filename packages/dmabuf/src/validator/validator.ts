import type { Agent } from "../domain/agent.js";
import type { Passage, Thing, ValidateOptions, Validation } from "../domain/validation.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { Reports } from "./reports.js";

/** What a check hears of the hooks; it names those that it needs. */
export type Check = {
  readonly [Hook in Exclude<keyof Validation, "waits" | "runsJob" | "apart">]?: Validation[Hook];
} & { waits?(thing: Thing, by?: object): Passage | undefined };

/** The validator of one agent: it passes what it hears on to its checks. */
export class Validator implements Validation {
  readonly agent: Agent;
  readonly reports: Reports;
  readonly #checks: Check[] = [];

  constructor(agent: Agent, options: ValidateOptions) {
    this.agent = agent;
    this.reports = new Reports(agent.host, options);
  }

  /** One more check, which hears of what happens after those that were added before it. */
  add(check: Check): void {
    this.#checks.push(check);
  }

  waits(thing: Thing, by?: object): Passage {
    const passages = this.#checks.map((check) => check.waits?.(thing, by));
    return {
      over(held) {
        for (const passage of passages) passage?.over(held);
      },
    };
  }

  holds(held: object, thing: Thing, by?: object): void {
    for (const check of this.#checks) check.holds?.(held, thing, by);
  }

  released(held: object): void {
    for (const check of this.#checks) check.released?.(held);
  }

  published(key: FenceKey): void {
    for (const check of this.#checks) check.published?.(key);
  }

  signaled(key: FenceKey): void {
    for (const check of this.#checks) check.signaled?.(key);
  }

  runsJob<T>(_key: FenceKey, _isSignalling: boolean, run: () => T): T {
    return run();
  }

  apart<T>(run: () => T): T {
    return run();
  }

  asks(what: string): void {
    for (const check of this.#checks) check.asks?.(what);
  }

  allocates(what: string): void {
    for (const check of this.#checks) check.allocates?.(what);
  }
}
