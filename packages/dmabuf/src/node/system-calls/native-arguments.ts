/** What a C function takes: numbers, addresses, strings, and memory that it reads or fills in place. */
export type NativeArgument = number | bigint | string | null | ArrayBufferView;

/** Checks what is passed to C functions (library.5): koffi takes any number for any integer, and cuts it. */

/** From, to: of a plain number at most 53 bits, beyond which it may be another one already. */
interface Range {
  readonly numbers: readonly [number, number];
  readonly bigints: readonly [bigint, bigint];
}

const SIGNED = rangeOf(-(2n ** 63n), 2n ** 63n - 1n);
const UNSIGNED = rangeOf(0n, 2n ** 64n - 1n);
const RANGES: Readonly<Record<string, Range>> = {
  int: rangeOf(-(2n ** 31n), 2n ** 31n - 1n),
  int32_t: rangeOf(-(2n ** 31n), 2n ** 31n - 1n),
  uint32_t: rangeOf(0n, 2n ** 32n - 1n),
  long: SIGNED,
  int64_t: SIGNED,
  intptr_t: SIGNED,
  uint64_t: UNSIGNED,
  size_t: UNSIGNED,
  uintptr_t: UNSIGNED,
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
      if (typeof value === "number") {
        const [from, to] = range.numbers;
        if (Number.isInteger(value) && value >= from && value <= to) continue;
      } else if (typeof value === "bigint") {
        const [from, to] = range.bigints;
        if (value >= from && value <= to) continue;
      }
      refuse(name!, parameter, typeof value === "number" || typeof value === "bigint" ? String(value) : typeof value);
    }
  };
}

function rangeOf(from: bigint, to: bigint): Range {
  const [least, most] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  return { numbers: [Math.max(Number(from), least), Math.min(Number(to), most)], bigints: [from, to] };
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
