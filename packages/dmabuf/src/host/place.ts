import { stackHere } from "./stack.js";

/** Where the modules of the library are, if they are in files of their own: V8 writes "at f (file:1:1)", others "f@file:1:1". */
const HOME = /[(\s@]([^()\s@]+)host\/stack\.js/.exec(stackHere())?.[1];
/** So many lines say where something was done. */
const LINES = 6;

/** Where this thread is, without the library's own functions: the program's place. Nothing where the runtime does not tell. */
export function placeHere(): string {
  return programHere().slice(0, LINES).join("\n");
}

/** The functions of the program that run now, or wait for one that does, each by its name and its file. */
export function functionsHere(): string[] {
  return programHere().map(functionOf);
}

/** The function of a line of a stack. */
export function functionOf(line: string): string {
  return line
    .trim()
    .replace(/^at (async )?/, "")
    .replace(/:\d+:\d+(\)?)$/, "$1");
}

function programHere(): string[] {
  return stackHere().split("\n").filter(isOfProgram);
}

/** The tests of the library are programs, too. What is of the language or of the runtime has no file of its own. */
function isOfProgram(line: string): boolean {
  const isOwn = HOME !== undefined && line.includes(HOME) && !line.includes(".test.");
  return !isOwn && !/node:|\(<anonymous>\)|\(index |\[native code\]|@self-hosted/.test(line);
}
