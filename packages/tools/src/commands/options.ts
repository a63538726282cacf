import { InvalidArgumentError, Option } from "commander";

/** An option that takes seconds. */
export function seconds(flags: string, description: string, most: number): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= LEAST && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number of seconds from ${LEAST} to ${most}.`);
  });
}

const LEAST = 0.05;
