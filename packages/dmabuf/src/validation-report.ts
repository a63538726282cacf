/** What the validator reports, as docs/validator.md explains it. */
export type ReportCode =
  | "lock-order"
  | "deadlock"
  | "wait-in-signalling"
  | "lock-in-signalling"
  | "request-in-signalling"
  | "allocate-in-signalling"
  | "unbalanced-signalling"
  | "own-fence"
  | "lock-across-await"
  | "back-off"
  | "container-in-reservation"
  | "fence-dropped"
  | "fence-misuse"
  | "room-not-reserved"
  | "never-given-back"
  | "write-through-read"
  | "work-after-fence"
  | "exporter-lock";

/** A place in the code that has to do with a report. */
export interface ReportPlace {
  /** What was done there, as "the lock of buffer "frame" was taken". */
  readonly what: string;
  /** Where that is, as the runtime tells it: lines of a stack, or nothing if that is not known. */
  readonly where: string;
}

/** A {@link ValidationReport} for tools, and as it crosses threads. */
export interface PlainReport {
  /** What it is. */
  readonly name: "ValidationReport";
  /** Which rule is broken. */
  readonly code: ReportCode;
  /** What is wrong, without the places. */
  readonly message: string;
  /** The page that explains the code. */
  readonly url: string;
  /** The places in the code that have to do with it. */
  readonly places: readonly ReportPlace[];
  /** Of a circle: what waits for what. */
  readonly circle?: readonly string[];
}

/** The page that explains the codes. */
const PAGE = "https://github.com/dmabuf/dmabuf/blob/main/docs/validator.md";

/**
 * What the validator has found: a rule that is broken, or a deadlock that may happen. It is not thrown: reports are in
 * `domain.reports`, go to the option `onReport`, or are warnings of the process.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create({ validate: { onReport: (report) => console.log(report.code, report.url) } });
 * console.log(domain.reports.length); // 0
 * ```
 */
export class ValidationReport extends Error {
  /** Always `"ValidationReport"`. */
  override readonly name = "ValidationReport";
  /** Which rule is broken. */
  readonly code: ReportCode;
  /** The page that explains the code. */
  readonly url: string;
  /** The places in the code that have to do with it. */
  readonly places: readonly ReportPlace[];
  /** Of a circle: what waits for what, one thing after the other, the first one again at the end. */
  readonly circle?: readonly string[];

  /**
   * Made by the validator.
   *
   * @param message What is wrong, without the places.
   */
  constructor(code: ReportCode, message: string, places: readonly ReportPlace[], circle?: readonly string[]) {
    super(message);
    this.code = code;
    this.url = `${PAGE}#${code}`;
    this.places = places;
    if (circle !== undefined) this.circle = circle;
  }

  /** The whole text: what is wrong, the circle, the places, and the page. */
  get text(): string {
    const circle = this.circle === undefined ? [] : [`  ${this.circle.join("\n    → ")}`];
    const places = this.places.map(({ what, where }) => `  ${what}${where === "" ? "" : `:\n${indented(where)}`}`);
    return [`[${this.code}] ${this.message}`, ...circle, ...places, `  See ${this.url}`].join("\n");
  }

  /** Its parts, for tools. */
  toJSON(): PlainReport {
    const { name, code, message, url, places, circle } = this;
    return { name, code, message, url, places, ...(circle === undefined ? {} : { circle }) };
  }
}

function indented(where: string): string {
  return where
    .split("\n")
    .map((line) => `    ${line.trim()}`)
    .join("\n");
}
