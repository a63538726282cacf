import {
  ERRNO,
  type DmaBuf,
  type ErrorCode,
  type JoinedDomain,
  type ReportCode,
  type StorageSegment,
} from "../../src/index.js";

/**
 * What the book is made of: a mistake as a small program, and the same program as it should be. The validator must report
 * the one, and must have nothing to say of the other.
 */
export interface Case {
  /** Names it, in the table of the book and for good. */
  readonly id: string;
  /** What is wrong, as a sentence. */
  readonly mistake: string;
  /** What the validator reports; an errno is thrown instead, before anything can go wrong. */
  readonly code: ReportCode | ErrorCode;
  /** A part of the report's text, or of the error's. */
  readonly says?: RegExp;
  /** What else may be reported: another side of the same mistake. */
  readonly also?: readonly ReportCode[];
  /** The published bug that the program translates. */
  readonly source?: Source;
  /** Where the program hangs: the agent that `explain()` names while it does; of a circle, all that are in it. */
  readonly culprits?: readonly string[];
  readonly wrong: Program;
  readonly right: Program;
}

export interface Source {
  readonly project: string;
  /** The title of the commit or the issue, as it was published. */
  readonly title: string;
  /** The id of the commit in the project's repository, or the address of the issue. */
  readonly where: string;
}

/** What each agent does, by the agent's name. All begin at the same time, each in a thread or process of its own. */
type Program = Readonly<Record<string, (stage: Stage) => unknown>>;

/** What a part of a program has. */
export interface Stage {
  readonly domain: JoinedDomain;
  /** Three buffers of a page each, which all parts have. */
  readonly a: DmaBuf;
  readonly b: DmaBuf;
  readonly c: DmaBuf;
  /** Tells all parts that this one has come so far, with what they need of it. */
  readonly say: (cue: string, value?: unknown) => void;
  /** Waits until a part has said so. The runner says `"explained"` when a hang has been looked at. */
  readonly hear: <T = unknown>(cue: string) => Promise<T>;
  /** Zeroed memory of a page, to be exported. */
  readonly createMemory: () => StorageSegment;
  /** Collects what no variable refers to any more, as the runtime does sooner or later. */
  readonly collectGarbage: () => Promise<void>;
}

/** Where a mistake is refused: the errno of the error that is thrown. */
export function isRefusal(code: Case["code"]): code is ErrorCode {
  return Object.hasOwn(ERRNO, code);
}
