import { InvalidArgumentError } from "commander";

/** What the command lines of tests take. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return value;
}

/** One of the names of a table. */
export function choice<Name extends string>(names: Readonly<Record<Name, unknown>>): (text: string) => Name {
  return (text) => {
    if (!Object.hasOwn(names, text)) throw new InvalidArgumentError(`It is one of ${Object.keys(names).join(", ")}.`);
    return text as Name;
  };
}
