import { stackHere } from "./stack.js";

/** Where the modules of the library are, if they are in files of their own. */
const HOME = /[(\s]([^()\s]+)host\/stack\.js/.exec(new Error().stack ?? "")?.[1];
/** So many lines say where something was done. */
const LINES = 6;

/** The same without the library's own functions: the program's place. */
export function placeHere(): string {
  const lines = stackHere().split("\n");
  const own = lines.filter((line) => HOME === undefined || !line.includes(HOME) || line.includes(".test."));
  return (own.length > 0 ? own : lines).slice(0, LINES).join("\n");
}
