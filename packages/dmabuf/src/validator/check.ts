import type { Agent } from "../domain/agent.js";
import type { Held } from "../domain/held.js";
import type { Passage, Thing, Validation } from "../domain/validation.js";
import type { ReportCode, ReportPlace } from "../validation-report.js";
import type { Flows } from "./flows.js";
import type { Reports } from "./reports.js";

/** What a check hears of the hooks; it names those that it needs. */
export type Check = {
  readonly [Hook in Exclude<keyof Validation, "waits" | "runsJob" | "apart" | "promised">]?: Validation[Hook];
} & {
  /** @returns What hears of the end of the wait, if that is of interest. */
  waits?(thing: Thing, by?: object): Passage | undefined;
  /** The agent is about to leave, and what it holds is still there. */
  finish?(): void;
  /** The agent has left. */
  close?(): void;
};

/** What a check has of its validator. */
export interface Checker {
  readonly agent: Agent;
  readonly reports: Reports;
  readonly flows: Flows;
  /** @param places Default: where the code is that runs now. What is found in one place again and again is said once. */
  report(code: ReportCode, message: string, about?: string, places?: readonly ReportPlace[]): void;
  /** Reports what is held, with the places where it was taken. */
  reportHeld(code: ReportCode, held: readonly Held[], message: string): void;
  /** The place where something is taken now will be asked for. */
  took(held: Held): void;
  /** A buffer, for messages. */
  nameOf(bufferSlot: number): string;
}
