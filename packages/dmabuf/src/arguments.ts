import { DmaBufError, ERRNO, shown, withArticle, type ErrorCode } from "./errors.js";

import { sentInstead } from "./posted.js";

export { shown } from "./errors.js";

/**
 * What public functions say of a wrong argument, in one form: `CALL: ARGUMENT must be WHAT, not WHAT CAME`.
 *
 * arguments.1. A thing of the wrong kind is a `TypeError`, and so is a word that is none of those wanted. A wrong
 *      number is a `RangeError`, or the `DmaBufError` that the function documents; a wrong name is `EINVAL`.
 * arguments.2. A function looks at its arguments before it does anything else: a call that is refused has changed
 *      nothing.
 * arguments.3. A function that returns a promise rejects; it does not throw. One that returns a generator throws at the
 *      call.
 * arguments.4. An option that is `undefined` is not given. Options that a function does not know it does not look at.
 */

/** What an argument must be. */
export interface Kind {
  /** In words, after "must be". */
  readonly wanted: string;
  /** Whether it is such a thing at all; if not, that is a `TypeError`. */
  readonly isKind: (value: unknown) => boolean;
  /** Whether such a thing has a value that is taken; if not, that is a `RangeError`. Default: it has. */
  readonly isTaken?: (value: never) => boolean;
  /** The code of the error for a wrong value, if that is no `RangeError`. */
  readonly code?: ErrorCode;
  /** The code of the error for a certain thing of the wrong kind, if that is no `TypeError`. */
  readonly codeOf?: (value: unknown) => ErrorCode | undefined;
  /** Of an option: it must be given. */
  readonly isRequired?: boolean;
  /** Names what came instead, better than its class does. */
  readonly nameOf?: (value: unknown) => string | undefined;
}

/** A kind for each of a function's options. A new option without one does not compile. */
export type Kinds<Options> = { readonly [Name in keyof Required<Options>]: Kind };

/** @throws {TypeError | RangeError | DmaBufError} See arguments.1. */
export function check(call: string, argument: string, value: unknown, kind: Kind): void {
  if (!kind.isKind(value) || kind.isTaken?.(value as never) === false) refuse(call, argument, value, kind);
}

/** The same for an argument that may be left out. */
export function checkGiven(call: string, argument: string, value: unknown, kind: Kind): void {
  if (value !== undefined) check(call, argument, value, kind);
}

/** Checks an object of options, and each option that it has. */
export function checkOptions<Options extends object>(call: string, options: Options, kinds: Kinds<Options>): void {
  check(call, "options", options, OBJECT);
  checkFields(call, undefined, options, kinds);
}

/** Checks an object that is more than options, such as an exporter's operations: its fields are named `ops.map`. */
export function checkObject<T extends object>(call: string, argument: string, object: T, kinds: Kinds<T>): void {
  check(call, argument, object, OBJECT);
  checkFields(call, argument, object, kinds);
}

/** @param argument `undefined` for options. */
function checkFields<T extends object>(call: string, argument: string | undefined, object: T, kinds: Kinds<T>): void {
  for (const name in kinds) {
    const kind = kinds[name];
    const value = object[name];
    if (value !== undefined || kind.isRequired) {
      if (kind.isKind(value) && kind.isTaken?.(value as never) !== false) continue;
      refuse(call, argument === undefined ? `option "${name}"` : `${argument}.${name}`, value, kind);
    }
  }
}

/** What an iterable object gives, as an array. A string is none: its characters are never meant. */
export function checkList<T>(call: string, argument: string, list: Iterable<T>, kind: Kind): T[] {
  check(call, argument, list, ITERABLE);
  const all = [...list];
  for (let i = 0; i < all.length; i++) check(call, `${argument}[${i}]`, all[i], kind);
  return all;
}

/** The error of a check that was made elsewhere. */
export function refuse(call: string, argument: string, value: unknown, kind: Kind): never {
  const { wanted, isKind, nameOf, codeOf } = kind;
  const message = `${call}: ${argument} must be ${wanted}, not ${nameOf?.(value) ?? shown(value)}`;
  const code = isKind(value) ? kind.code : codeOf?.(value);
  if (code !== undefined) throw new DmaBufError(code, message);
  throw isKind(value) ? new RangeError(message) : new TypeError(message);
}

export const NUMBER: Kind = { wanted: "a number", isKind: isNumber };

export const TEXT: Kind = { wanted: "a string", isKind: isString };

export const FLAG: Kind = { wanted: "true or false", isKind: (value) => typeof value === "boolean" };

export const FUNCTION: Kind = { wanted: "a function", isKind: (value) => typeof value === "function" };

export const OBJECT: Kind = {
  wanted: "an object",
  isKind: isObject,
};

/** What {@link OBJECT} asks, for hot paths: they look at the fields that they know before they look at a table. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const ITERABLE: Kind = {
  wanted: "an array or another iterable object",
  isKind: (value) =>
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function",
};

export const ARRAY: Kind = { wanted: "an array", isKind: (value) => Array.isArray(value) };

/** Milliseconds, or `Infinity`. */
export const TIMEOUT: Kind = {
  wanted: "0 or more milliseconds",
  isKind: isNumber,
  isTaken: (value: number) => value >= 0,
  code: "EINVAL",
};

/** The name of an errno. */
export const ERROR_CODE: Kind = {
  wanted: 'the name of an errno, such as "EIO"',
  isKind: (value) => typeof value === "string" && Object.hasOwn(ERRNO, value),
};

/** A time on the clock of all agents. */
export const NANOSECONDS: Kind = {
  wanted: "a time in nanoseconds, 0 or more",
  isKind: isNumber,
  isTaken: (value: number) => value >= 0 && value < Infinity,
};

export const ABORT_SIGNAL: Kind = {
  wanted: "an AbortSignal",
  isKind(value) {
    if (typeof value !== "object" || value === null) return false;
    const { aborted, addEventListener, removeEventListener } = value as Record<string, unknown>;
    return (
      typeof aborted === "boolean" &&
      typeof addEventListener === "function" &&
      typeof removeEventListener === "function"
    );
  },
};

/** The bytes that a name has in the control segment and in the kernel, without the terminator. */
const NAME_BYTES = 31;

/** A name is never cut: what was given is what is read again. A wrong one is the kernel's `EINVAL`. */
export const NAME: Kind = {
  wanted: `a string of at most ${NAME_BYTES} bytes of UTF-8, without NUL and lone surrogates`,
  isKind: isString,
  isTaken: isName,
  code: "EINVAL",
};

/** The name of a sync file, which is cut to that length, as the kernel does it. */
export const CUT_NAME: Kind = {
  wanted: "a string without NUL and lone surrogates",
  isKind: isString,
  isTaken: isText,
  code: "EINVAL",
};

export function integer(least: number, most = Number.MAX_SAFE_INTEGER, unit = ""): Kind {
  return {
    wanted: `an integer from ${least} to ${most}${unit}`,
    isKind: isNumber,
    isTaken: (value: number) => Number.isSafeInteger(value) && value >= least && value <= most,
  };
}

/** What fits into 64 bits. */
export const U64: Kind = {
  wanted: "a number or a bigint from 0 to 18446744073709551615",
  isKind: (value) => typeof value === "number" || typeof value === "bigint",
  isTaken: (value: number | bigint) =>
    value >= 0 && value < 2n ** 64n && (typeof value === "bigint" || Number.isSafeInteger(value)),
};

/** A kind for a time that needs to be no integer. */
export function milliseconds(least: number, most: number): Kind {
  return {
    wanted: `from ${least} to ${most} milliseconds`,
    isKind: isNumber,
    isTaken: (value: number) => value >= least && value <= most,
  };
}

/** A kind for one of some values. */
export function oneOf(values: readonly unknown[]): Kind {
  const words = values.map((value) => JSON.stringify(value));
  const last = words.pop()!;
  return {
    wanted: words.length === 0 ? last : `${words.join(", ")} or ${last}`,
    isKind: (value) => values.includes(value),
  };
}

/**
 * A kind for arrays, each of whose entries is of a kind.
 *
 * @param what In words, after "an array of". @param least How many entries there are at least.
 */
export function listOf(what: string, { isKind, isTaken, code }: Kind, least = 0): Kind {
  return {
    wanted: `an array of ${what}`,
    isKind: (value) => isWhole(value) && value.every(isKind),
    isTaken: (list: readonly never[]) => list.length >= least && list.every((one) => isTaken?.(one) !== false),
    ...(code && { code }),
  };
}

/** A kind for the objects of a class. */
export function instance(type: { readonly prototype: object; readonly name: string }): Kind {
  return {
    wanted: withArticle(type.name),
    // `instanceof` wants a constructor that may be called, which a class with a private one is not for the compiler.
    isKind: (value) => value instanceof (type as unknown as new () => object),
  };
}

/** A kind of option that must be given. */
export function required(kind: Kind): Kind {
  return { ...kind, isRequired: true };
}

/** The same kind, where a wrong value is an error with this code, as the function documents. */
export function withCode(code: ErrorCode, kind: Kind): Kind {
  return { ...kind, code };
}

/** The same kind, where everything else is an error with this code, as the function documents. */
export function orElse(code: ErrorCode, kind: Kind): Kind {
  const isTaken = (value: unknown): boolean => kind.isKind(value) && kind.isTaken?.(value as never) !== false;
  return { wanted: kind.wanted, isKind: () => true, isTaken, code };
}

/**
 * A handle that was sent.
 *
 * @param what "a buffer". @param giver What gives its handles: "handle() of the DmaBuf".
 */
export function handleTo(what: string, giver: string, isKind: (value: unknown) => boolean): Kind {
  const handle: Kind = { wanted: `a handle to ${what}, which ${giver} gives`, isKind };
  return { ...orElse("EINVAL", handle), nameOf: sentInstead };
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

/** A whole number that is not negative, as data of others may have it. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** An array without holes, as data of others may have it: the array's own methods pass over holes. */
export function isWhole(value: unknown): value is unknown[] {
  return Array.isArray(value) && !value.includes(undefined);
}

/** The first of some fields that is not intact. */
export function damagedField(fields: Readonly<Record<string, boolean>>): string | undefined {
  for (const name in fields) if (!fields[name]) return name;
  return undefined;
}

export function isName(name: unknown): boolean {
  return typeof name === "string" && name.length <= NAME_BYTES && bytesOf(name) <= NAME_BYTES;
}

/** Whether a text can be written and read again: without NUL, and without half a pair of surrogates. */
export function isText(text: string): boolean {
  return bytesOf(text) < Infinity;
}

/** How many bytes of UTF-8 a text has; `Infinity` for one that cannot be written and read again. */
function bytesOf(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) return Infinity;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
