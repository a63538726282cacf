import { isObject, isText, type Kind, type Kinds } from "./arguments.js";
import type { ValidateOptions } from "./domain/validation.js";
import { MEMBER, type MemberOptions } from "./domain-base.js";

/** What one agent of a domain may choose for itself. */
export interface JoinOptions extends MemberOptions {
  /**
   * Whether a new domain is validated: all its members then look for deadlocks that may happen, and for other broken rules,
   * and report each once. Default: whether the environment has `DMABUF_VALIDATE=1`. One that joins cannot begin it;
   * it may say where its own reports go, or by `false` that it does not look.
   */
  readonly validate?: boolean | ValidateOptions;
  /**
   * Whether this agent keeps its last events in a file that outlives it, for `readTrace()` of `dmabuf/node`: true for the
   * folder of this user, or the path of a folder. Default: what the environment's `DMABUF_TRACE` says, 1 or a path. It is
   * for Linux, with the system calls that `dmabuf/node` needs.
   */
  readonly trace?: boolean | string;
}

const VALIDATE: Kind = {
  wanted: "true, false or an object of options",
  isKind: (value) => typeof value === "boolean" || isObject(value),
};

const TRACE: Kind = {
  wanted: "true, false or the path of a folder",
  isKind: (value) => typeof value === "boolean" || typeof value === "string",
  isTaken: (value: boolean | string) =>
    typeof value === "boolean" || (value !== "" && value.length <= LONGEST_PATH && isText(value)),
};
const LONGEST_PATH = 4000;

export const JOIN: Kinds<JoinOptions> = { ...MEMBER, validate: VALIDATE, trace: TRACE };
