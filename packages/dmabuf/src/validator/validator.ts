import type { Agent } from "../domain/agent.js";
import { bufferName } from "../domain/buffer-name.js";
import type { Held } from "../domain/held.js";
import type { FenceEnd, Passage, ReadCheck, Thing, ValidateOptions, Validation } from "../domain/validation.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Fence } from "../fence/fence.js";
import { placeHere } from "../host/place.js";
import { ValidationReport, type ReportCode, type ReportPlace } from "../validation-report.js";
import type { Check, Checker } from "./check.js";
import { ExporterCheck } from "./exporter-check.js";
import { FenceEnds } from "./fence-ends.js";
import { openFlows, type Flows } from "./flows.js";
import { HeldPlaces } from "./held-places.js";
import { JobCheck } from "./job-check.js";
import { LockWatch } from "./lock-watch.js";
import { OrderCheck } from "./order-check.js";
import { BytesCheck } from "./read-check.js";
import { Reports } from "./reports.js";
import { SignallingCheck } from "./signalling.js";
import { WorkCheck } from "./work-check.js";

/** How many bytes of what is read are compared, by default. */
const COMPARED = 65_536;
const COMPARED_OF_FRAME = 64;

/** The validator of one agent: it passes what it hears on to its checks. */
export class Validator implements Validation, Checker {
  readonly agent: Agent;
  readonly reports: Reports;
  readonly flows: Flows;
  readonly signalling: SignallingCheck;
  readonly #checks: Check[] = [];
  readonly #options: ValidateOptions;
  readonly #places = new HeldPlaces();
  readonly #fenceEnds = new FenceEnds(this);
  readonly #exporters = new ExporterCheck(this);
  readonly #jobs = new JobCheck(this);
  readonly #locks: LockWatch;

  /** @throws {TypeError} Naming the option that is wrong. */
  constructor(agent: Agent, options: ValidateOptions) {
    this.agent = agent;
    this.reports = new Reports(agent, options);
    this.flows = openFlows();
    this.signalling = new SignallingCheck(this);
    this.add(this.signalling);
    this.add(new OrderCheck(this));
    this.#options = options;
    this.#locks = new LockWatch(this);
    this.add(this.#exporters);
    this.add(this.#jobs);
    this.add(this.#locks);
    this.add(new WorkCheck(this));
  }

  /** One more check, which hears of what happens after those that were added before it. */
  add(check: Check): void {
    this.#checks.push(check);
  }

  waits(thing: Thing, by?: object): Passage {
    const passages = this.#checks.map((check) => check.waits?.(thing, by)).filter((each) => each !== undefined);
    if (passages.length === 1) return passages[0]!;
    return {
      over(held) {
        for (const passage of passages) passage.over(held);
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

  asks(what: string): void {
    for (const check of this.#checks) check.asks?.(what);
  }

  allocates(what: string): void {
    for (const check of this.#checks) check.allocates?.(what);
  }

  runsJob<T>(finished: object, isSignalling: boolean, run: () => T): T {
    return this.#jobs.run(finished as Fence, () => (isSignalling ? this.signalling.run(run) : run()));
  }

  apart<T>(run: () => T): T {
    return this.flows.apart(run);
  }

  promised<T>(run: () => T | Promise<T>): T | Promise<T> {
    return this.flows.promised(run);
  }

  finish(): void {
    for (const check of this.#checks) check.finish?.();
  }

  close(): void {
    for (const check of this.#checks) check.close?.();
    this.flows.close();
  }

  /** @param places Default: where the code is that runs now. What is found in one place again and again is said once. */
  report(code: ReportCode, message: string, about?: string, places: readonly ReportPlace[] = [here()]): void {
    const where = places.map((place) => place.where).join("\n");
    this.reports.say(
      code,
      about ?? (where === "" ? message : where),
      () => new ValidationReport(code, message, places),
    );
  }

  reads(bufferSlot: number, what: () => string | undefined, by: "access" | "frame" | "job" = "access"): ReadCheck {
    const most = this.#options.compare ?? (by === "frame" ? COMPARED_OF_FRAME : COMPARED);
    return new BytesCheck(this, bufferSlot, what, most, by);
  }

  signals(signaler: object, key: Omit<FenceKey, "sequence">): FenceEnd {
    return this.#fenceEnds.signals(signaler, key);
  }

  awaits(key: FenceKey): ((limit: number) => void) | undefined {
    return this.#fenceEnds.awaits(key);
  }

  keep(fence: object): void {
    this.#fenceEnds.keep(fence);
  }

  letGo(fence: object): void {
    this.#fenceEnds.letGo(fence);
  }

  pends(): () => void {
    return this.#locks.pends();
  }

  /** The place where something is taken now will be asked for. */
  took(held: Held): void {
    this.#places.took(held);
  }

  forgotten(held: Held, message: string): void {
    this.reportHeld("never-given-back", [held], message);
  }

  /** Reports what is held, with the places where it was taken. */
  reportHeld(code: ReportCode, held: readonly Held[], message: string): void {
    const places = held.map((each) => this.#places.of(each));
    this.report(code, message, undefined, places);
  }

  exporter<Ops extends object>(ops: Ops, bufferSlot: number): Ops {
    return this.#exporters.checked(ops, bufferSlot);
  }

  get injectsDeadlocks(): boolean {
    return this.#options.injectDeadlocks === true;
  }

  /** A buffer, for messages. */
  nameOf(bufferSlot: number): string {
    return `"${bufferName(this.agent, bufferSlot)}"`;
  }
}

function here(): ReportPlace {
  return { what: "this was done here", where: placeHere() };
}
