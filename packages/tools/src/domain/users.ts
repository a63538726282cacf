import { readFileSync } from "node:fs";
import { printable } from "../terminal/words.js";

let names: ReadonlyMap<number, string> | undefined;

/** A user's name; its number if it has none here. */
export function userName(user: number): string {
  names ??= readNames();
  return names.get(user) ?? String(user);
}

function readNames(): ReadonlyMap<number, string> {
  try {
    const fields = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => line.split(":"));
    return new Map(fields.map(([name = "", , user]) => [Number(user), printable(name)]));
  } catch {
    return new Map();
  }
}
