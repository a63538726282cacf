import type { NativeArgument } from "./library.js";

/** Checks what is passed to C functions (SC5): koffi takes any number for any integer, and cuts it. */

/** From, to. An address or a length beyond 53 bits is none. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int: [-(2 ** 31), 2 ** 31 - 1],
  int32_t: [-(2 ** 31), 2 ** 31 - 1],
  uint32_t: [0, 2 ** 32 - 1],
  long: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int64_t: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  intptr_t: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64_t: [0, Number.MAX_SAFE_INTEGER],
  size_t: [0, Number.MAX_SAFE_INTEGER],
  uintptr_t: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * The check of a function's arguments, made of its C declaration.
 *
 * @returns Throws a RangeError that names the parameter.
 * @throws {TypeError} For a parameter whose type is not known here.
 */
export function checksOf(declaration: string): (values: readonly NativeArgument[]) => void {
  const [, name, list] = /([a-z_0-9]+)\((.*)\)$/i.exec(declaration)!;
  const parameters = list === "" ? [] : list!.split(", ").map((text) => parameterOf(text, declaration));
  return (values) => {
    for (let i = 0; i < parameters.length; i++) {
      const { range, parameter } = parameters[i]!;
      const value = values[i];
      if (range === undefined) {
        // It would end at the zero character.
        if (typeof value === "string" && value.includes("\0")) refuse(name!, parameter, JSON.stringify(value));
        continue;
      }
      const isInteger = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
      if (isInteger && value >= range[0] && value <= range[1]) continue;
      refuse(name!, parameter, typeof value === "number" || typeof value === "bigint" ? String(value) : typeof value);
    }
  };
}

function parameterOf(text: string, declaration: string) {
  const pointer = /\*(\w+)$/.exec(text);
  if (pointer !== null) return { parameter: pointer[1]!, range: undefined };
  const [type, parameter] = text.split(" ") as [string, string];
  const range = RANGES[type];
  if (range === undefined) throw new TypeError(`No check is known for "${text}" of ${declaration}`);
  return { parameter, range };
}

function refuse(name: string, parameter: string, value: string): never {
  throw new RangeError(`Cannot call ${name}(): ${value} does not fit its parameter "${parameter}"`);
}
