import {
  checkObject,
  checkOptions,
  FLAG,
  FUNCTION,
  integer,
  required,
  TEXT,
  type Kind,
  type Kinds,
} from "../arguments.js";
import type { SilencedReport, ValidateOptions } from "../domain/validation.js";
import { textOf } from "../errors.js";
import { reportsFile } from "../host/environment.js";
import type { Host } from "../host/host.js";
import { appendLine } from "../host/modules.js";
import type { ValidationReport } from "../validation-report.js";
import { POINT, trace, traces, type Traced } from "../domain/tracing.js";

const LIST: Kind = { wanted: "an array of reports to silence", isKind: Array.isArray };
const OPTIONS: Kinds<ValidateOptions> = {
  onReport: FUNCTION,
  silence: LIST,
  compare: integer(1),
  injectDeadlocks: FLAG,
};
const SILENCED: Kinds<SilencedReport> = { name: required(TEXT), about: TEXT, reason: required(TEXT) };

/** The agent that reports. */
interface Reporter extends Traced {
  readonly host: Host;
}

/** What one agent has found. */
export class Reports {
  /** All that were not silenced, in their order. */
  readonly list: ValidationReport[] = [];
  readonly #agent: Reporter;
  readonly #host: Host;
  readonly #options: ValidateOptions;
  readonly #said = new Set<string>();
  readonly #file = reportsFile();

  /** @throws {TypeError} Naming the option that is wrong. */
  constructor(agent: Reporter, options: ValidateOptions) {
    checkOptions("Domain.create()", options, OPTIONS);
    options.silence?.forEach((each, i) => checkObject("Domain.create()", `option "silence"[${i}]`, each, SILENCED));
    this.#agent = agent;
    this.#host = agent.host;
    this.#options = options;
  }

  /**
   * Says something once.
   *
   * @param about What it is about: with the same code and the same things it is not said again.
   * @param make Called if it is to be said.
   */
  say(code: ValidationReport["code"], about: string, make: () => ValidationReport): void {
    const once = `${code} ${about}`;
    if (this.#said.has(once)) return;
    this.#said.add(once);
    const report = make();
    const { text } = report;
    const isSilenced = ({ name, about: part = "" }: SilencedReport): boolean => name === code && text.includes(part);
    if (this.#options.silence?.some(isSilenced)) return;
    this.list.push(report);
    if (traces(this.#agent, POINT["validator:report"])) {
      trace(this.#agent, POINT["validator:report"], 0, 0, 0, `${code}: ${text}`);
    }
    this.#deliver(report, text);
  }

  /** The program's own code and its files may fail: the call that has shown the mistake goes on. */
  #deliver(report: ValidationReport, text: string): void {
    try {
      if (this.#options.onReport === undefined) this.#host.warn(text, true);
      else this.#options.onReport(report);
      if (this.#file !== undefined) appendLine(this.#file, JSON.stringify(report));
    } catch (error) {
      this.#host.warn(`Cannot deliver the report "${report.code}": ${textOf(error)}`);
    }
  }
}
