import { oneOf, required, type Kinds } from "../arguments.js";
import type { Passage, Thing } from "../domain/validation.js";
import { functionOf, functionsHere, placeHere } from "../host/place.js";
import { ValidationReport, type ReportCode } from "../validation-report.js";

import { nameOf, wordsOf } from "./thing.js";
import type { Check, Checker } from "./check.js";

/**
 * Signalling sections: code that must run before a fence signals that others know. Inside one, nothing is done that may have
 * to wait for a fence, now or in another agent.
 *
 * signalling.1. A section begins and ends once, and in any order with what runs beside it; one that is begun inside another
 *     changes nothing, but must end as well.
 * signalling.2. Code is inside if its flow has begun the section, or was begun in it, and the section has not ended. Of a
 *     section without a function of its own, the function that has begun it must be running, or wait for the one that runs:
 *     its caller is not inside.
 */

/** What {@link ValidatorMembers.beginSignalling} gives, for `endSignalling()`. It has nothing to be looked at. */
export interface SignallingCookie {
  /** Only the validator makes one. */
  readonly kind: "signalling";
}

/** Of a domain that is not validated. */
export const NO_COOKIE: SignallingCookie = Object.freeze({ kind: "signalling" });

/** What a cookie has. */
export const COOKIE: Kinds<SignallingCookie> = { kind: required(oneOf(["signalling"])) };

class Section implements SignallingCookie {
  readonly kind = "signalling";
  /** Where it has begun. */
  readonly where: string;
  readonly outer: object | undefined;
  readonly isNested: boolean;
  /** The function that has begun it, if that has to be known (signalling.2). */
  readonly begunBy: string | undefined;
  isOver = false;

  constructor(where: string, outer: object | undefined, isScope: boolean) {
    this.where = where;
    this.outer = outer;
    this.isNested = outer instanceof Section && !outer.isOver;
    this.begunBy = isScope || where === "" ? undefined : functionOf(where.split("\n", 1)[0]!);
  }
}

export class SignallingCheck implements Check {
  readonly #validator: Checker;
  readonly #open = new Set<Section>();

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  begin(): SignallingCookie {
    const { flows } = this.#validator;
    const section = this.#opened(false);
    flows.begin(section.isNested ? section.outer : section);
    return section;
  }

  end(cookie: SignallingCookie): void {
    if (!(cookie instanceof Section) || !this.#open.has(cookie)) {
      const begun = cookie instanceof Section ? [{ what: "It has begun", where: cookie.where }] : [];
      this.#unbalanced("A signalling section is ended that is not open", begun, "It is ended");
      return;
    }
    const { flows } = this.#validator;
    this.#close(cookie);
    if (flows.section === cookie) flows.begin(cookie.outer);
  }

  /** Runs a function inside, until what it returns has settled. */
  run<T>(run: () => T): T {
    const { flows } = this.#validator;
    const section = this.#opened(true);
    return flows.inside(section.isNested ? section.outer! : section, () => {
      let result: T;
      try {
        result = run();
      } catch (error) {
        this.#close(section);
        throw error;
      }
      if (!(result instanceof Promise)) {
        this.#close(section);
        return result;
      }
      const end = (): void => this.#close(section);
      result.then(end, end);
      return result;
    });
  }

  waits(thing: Thing): Passage | undefined {
    if (this.#open.size === 0) return undefined;
    const isLock = thing.kind === "lock";
    const { agent } = this.#validator;
    const [word] = wordsOf(agent, thing);
    const what = word === undefined ? "a fence" : nameOf(agent, word);
    this.#forbid(isLock ? "lock-in-signalling" : "wait-in-signalling", `a wait begins for ${what}`);
    return undefined;
  }

  asks(what: string): void {
    this.#forbid("request-in-signalling", `an exporter is asked: ${what}`);
  }

  allocates(what: string): void {
    this.#forbid("allocate-in-signalling", `${what} is taken from the domain`);
  }

  /** The agent leaves. */
  finish(): void {
    for (const { where, isOver } of this.#open) {
      if (!isOver) this.#unbalanced("A signalling section was never ended", [{ what: "It has begun", where }]);
    }
  }

  #opened(isScope: boolean): Section {
    const section = new Section(placeHere(), this.#validator.flows.section, isScope);
    this.#open.add(section);
    return section;
  }

  #close(section: Section): void {
    section.isOver = true;
    this.#open.delete(section);
  }

  #forbid(code: ReportCode, what: string): void {
    if (this.#open.size === 0) return;
    const section = this.#inside();
    if (section === undefined) return;
    const where = placeHere();
    const { reports } = this.#validator;
    reports.say(code, `${what} ${where}`, () => {
      const message = `Inside a signalling section ${what}: fences that others wait for may then never signal`;
      const places = [
        { what: "The section has begun", where: section.where },
        { what: "That is done", where },
      ];
      return new ValidationReport(code, message, places);
    });
  }

  /** signalling.2 */
  #inside(): Section | undefined {
    let section = this.#validator.flows.section;
    while (section instanceof Section && section.isOver) section = section.outer;
    if (!(section instanceof Section)) return undefined;
    return section.begunBy === undefined || functionsHere().includes(section.begunBy) ? section : undefined;
  }

  #unbalanced(message: string, places: ValidationReport["places"], here?: string): void {
    const where = here === undefined ? [] : [{ what: here, where: placeHere() }];
    const all = [...places, ...where];
    this.#validator.reports.say("unbalanced-signalling", `${message} ${all.map((each) => each.where).join()}`, () => {
      return new ValidationReport("unbalanced-signalling", message, all);
    });
  }
}
