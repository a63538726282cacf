import type { Field, PublicFunction, Shape } from "./surface.js";

/** What is put in the place of each argument, and of each of its fields. */

/** What a throwing proxy throws: a foreign error, which must come out as it is, or not at all. */
export const SENTINEL = new Error("of a user's own getter");

interface Nonsense {
  readonly name: string;
  readonly value: unknown;
}

const throwing = (): never => {
  throw SENTINEL;
};

const NONSENSE: readonly Nonsense[] = [
  ...[undefined, null, true, NaN, -1, 1.5, Infinity, -Infinity, 2 ** 53, 5n].map((value) => ({
    name: typeof value === "bigint" ? "5n" : String(value),
    value,
  })),
  { name: '""', value: "" },
  { name: '"text"', value: "text" },
  { name: "half a pair", value: "\ud800" },
  { name: "NUL", value: "a\0b" },
  { name: "100 kB of text", value: "x".repeat(100_000) },
  { name: "{}", value: {} },
  { name: "[]", value: [] },
  { name: "[undefined]", value: [undefined] },
  { name: "a function", value: () => {} },
  { name: "a symbol", value: Symbol("nonsense") },
  { name: "a date", value: new Date(0) },
  {
    name: "a throwing proxy",
    value: new Proxy(
      {},
      { get: throwing, has: throwing, getPrototypeOf: throwing, ownKeys: throwing, getOwnPropertyDescriptor: throwing },
    ),
  },
];

/** Numbers and texts that are taken, by the name of the argument or field; of others, none of the list is. */
const TAKEN: Readonly<Record<string, readonly unknown[]>> = {
  timeout: [1.5, Infinity, 2 ** 53],
  findTimeout: [1.5, Infinity, 2 ** 53],
  handleLimit: [1.5, Infinity, 2 ** 53],
  timeLimit: [1.5],
  limit: [1.5, Infinity, 2 ** 53],
  spin: [1.5],
  warnAfter: [1.5, Infinity, 2 ** 53],
  timestampNs: [1.5, 2 ** 53],
  deadlineNs: [1.5, 2 ** 53],
  untilNs: [-1, 1.5, Infinity, -Infinity, 2 ** 53],
  since: [1.5, Infinity, 2 ** 53],
  timestamp: [-1, 1.5, 2 ** 53],
  error: [-1],
  // Texts of any kind, for people.
  syscall: ["\ud800", "a\0b", "x".repeat(100_000)],
  message: ["\ud800", "a\0b", "x".repeat(100_000)],
  what: ["\ud800", "a\0b", "x".repeat(100_000)],
  action: ["\ud800", "a\0b", "x".repeat(100_000)],
  // No end.
  frames: [Infinity],
  label: ["\ud800", "a\0b", "x".repeat(100_000)],
};

/**
 * Exceptions, by the function's id and the path of the argument: what is taken there although it looks like nonsense;
 * "*" for all of it.
 */
export type Exceptions = Readonly<Record<string, readonly string[]>>;

export interface Case {
  /** Such as `options.timeout = 5n`. */
  readonly name: string;
  readonly argument: string;
  /** The field, if only that is nonsense. */
  readonly field: string | undefined;
  readonly args: readonly unknown[];
}

/** All calls with one thing wrong. @param valid Arguments with which the function is called rightly. */
export function* cases(fn: PublicFunction, valid: readonly unknown[], exceptions: Exceptions): Generator<Case> {
  for (const [i, parameter] of fn.parameters.entries()) {
    const put = (value: unknown): unknown[] => Object.assign([...valid], { [i]: value });
    const isExcepted = (path: string, nonsense: Nonsense): boolean =>
      [nonsense.name, "*"].some((name) => exceptions[`${fn.id} ${path}`]?.includes(name));
    for (const nonsense of NONSENSE) {
      if (takes(parameter, nonsense.value) || isExcepted(parameter.name, nonsense)) continue;
      yield {
        name: `${parameter.name} = ${nonsense.name}`,
        argument: parameter.name,
        field: undefined,
        args: put(nonsense.value),
      };
    }
    const { fields } = parameter.shape;
    const whole = valid[i] ?? (parameter.isOptional ? {} : undefined);
    if (fields === undefined || typeof whole !== "object" || whole === null || whole instanceof Array) continue;
    for (const field of fields) {
      if (field.isOfSome && !(field.name in whole)) continue;
      const path = `${parameter.name}.${field.name}`;
      for (const nonsense of NONSENSE) {
        if (takes(field, nonsense.value) || isExcepted(path, nonsense)) continue;
        const args = put({ ...whole, [field.name]: nonsense.value });
        yield { name: `${path} = ${nonsense.name}`, argument: parameter.name, field: field.name, args };
      }
      if (exceptions[`${fn.id} ${path}`]?.includes("*")) continue;
      const getter = Object.defineProperty({ ...whole }, field.name, { get: throwing, enumerable: true });
      yield { name: `${path} = a getter that throws`, argument: parameter.name, field: field.name, args: put(getter) };
    }
  }
}

/** Whether a value is right there, so far as its type and the name tell. */
function takes({ name, isOptional, shape }: Field, value: unknown): boolean {
  if (value === undefined) return isOptional || shape.takesAll || shape.primitives.has("undefined");
  if (shape.takesAll) return true;
  if (value === null) return shape.takesNull;
  if (typeof value === "object") return takesObject(shape, value);
  if (shape.words.has(value)) return true;
  if (!shape.primitives.has(typeof value)) return false;
  if (typeof value === "number" || (typeof value === "string" && value !== "" && value !== "text"))
    return TAKEN[name]?.includes(value) ?? false;
  return true;
}

function takesObject({ takesLists, fields }: Shape, value: object): boolean {
  if (Array.isArray(value)) return takesLists && value.length === 0;
  // Objects that are no options have no field that is looked at.
  return fields !== undefined && fields.every(({ isOptional, isOfSome }) => isOptional && !isOfSome) && !isProxy(value);
}

function isProxy(value: object): boolean {
  return value === NONSENSE.at(-1)!.value;
}
