import { DmaBufError } from "../../src/index.js";
import { SENTINEL, type Case } from "./nonsense.js";
import type { PublicFunction } from "./surface.js";

/** What became of a call with nonsense. */

/** The words of V8, SpiderMonkey and JavaScriptCore, which name neither the function nor the argument. */
const ENGINE =
  /Cannot (read (propert|private)|set|destructure|convert|mix|define|add property|delete|assign|access|perform)|is not (a function|iterable|an object|a constructor|defined|an instance)|undefined \(|null \(|URI malformed|private (member|field|name)|from an object whose class|[Rr]eceiver must be|Invalid (array|string|typed|value used|time|code point)|out of bounds|is not a valid|[Ii]ncompatible receiver|Method .* called on|Object prototype|must be of type|[Rr]educe of empty|Maximum call stack|BigInt|circular|serialize|ERR_INVALID|The "[\w.]+" (argument|property)|is out of range\. It must|unexpected \w+ value|[Ee]xpected a|SyntaxError/;

/** Milliseconds after which a call that says nothing hangs. */
const LONGEST = 20_000;

/** @returns What is wrong with the answer; `undefined` if nothing is. */
export async function judge(
  fn: PublicFunction,
  tried: Case,
  call: () => unknown,
  warnings: () => number,
): Promise<string | undefined> {
  const before = warnings();
  let error: unknown;
  try {
    const result = call();
    if (!(result instanceof Promise)) return warnings() > before ? undefined : "was taken without a word";
    try {
      if ((await inTime(result)) === HANGS) return "hangs";
      return warnings() > before ? undefined : "was taken without a word";
    } catch (reason) {
      error = reason;
    }
  } catch (thrown) {
    if (fn.isAsync) return `throws instead of rejecting: ${String(thrown)}`;
    error = thrown;
  }
  return objection(fn, tried, error);
}

function objection(fn: PublicFunction, { argument, field }: Case, error: unknown): string | undefined {
  if (error === SENTINEL) return undefined;
  if (!(error instanceof TypeError || error instanceof RangeError || error instanceof DmaBufError))
    return `fails with ${String(error)}`;
  const { message } = error;
  // Words of a user's, or of the engine's, that were put into ours are behind a colon.
  if (ENGINE.test(message.replace(/: (?=[^:]*$).*/, ""))) return `answers in the engine's words: ${message}`;
  // A handle or an invitation is damaged as a whole: which field it was may be of no interest, or not be known.
  if (argument === "handle" || argument === "invitation") return undefined;
  if (argument === "") return undefined;
  if (message.length > 1000) return `says too much: ${message.slice(0, 100)}…`;
  // Of an object without what it must have, that is what is named.
  const required = (fn.parameters.find(({ name }) => name === argument)?.shape.fields ?? []).filter(
    ({ isOptional }) => !isOptional,
  );
  const names = field === undefined ? [argument, ...required.map(({ name }) => name)] : [field];
  if (fn.kind !== "setter" && !names.some((name) => message.includes(name)))
    return `does not name ${names[0]}: ${message}`;
  return message.includes(" must ") ? undefined : `does not say what is wanted: ${message}`;
}

const HANGS = Symbol("hangs");

export async function inTime(promise: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise((resolve) => (timer = setTimeout(() => resolve(HANGS), LONGEST)));
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
