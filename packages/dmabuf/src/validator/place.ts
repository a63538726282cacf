/** Where the program is, as the runtime tells it. */

/** Where the library's modules are; nothing if they were put together into one file. */
const HOME = folderOf((import.meta as { readonly url?: string }).url ?? "");

function folderOf(url: string): string | undefined {
  const end = url.lastIndexOf("/validator/place.");
  return end < 0 ? undefined : url.slice(0, end + 1);
}

/** So many frames of the program are worth reading. */
const FRAMES = 4;
/** Those of the library are the first ones. */
const DEEPEST = 40;

/** The first frames of the program's own code that have led here, one a line; nothing where the runtime does not tell. */
export function placeHere(): string {
  return framesHere().slice(0, FRAMES).join("\n");
}

/** The functions of the program that run now, or wait for one that does, by their names and files. */
export function functionsHere(): string[] {
  return framesHere().map(functionOf);
}

/** The function of a frame: its name, if it has one, and its file. */
export function functionOf(frame: string): string {
  return frame.replace(/^at (async )?/, "").replace(/:\d+:\d+(\)?)$/, "$1");
}

function framesHere(): string[] {
  const limited = Error as { stackTraceLimit?: number };
  const usual = limited.stackTraceLimit;
  limited.stackTraceLimit = DEEPEST;
  const { stack = "" } = new Error();
  limited.stackTraceLimit = usual!;
  const lines = stack.split("\n").slice(1);
  return lines.filter(isOfProgram).map((line) => line.trim());
}

/** The tests of the library are programs, too. Functions of the language have no file. */
function isOfProgram(line: string): boolean {
  const isLibrary = HOME !== undefined && line.includes(HOME) && !line.includes(".test.js");
  return !isLibrary && !line.includes("node:") && !line.includes("(<anonymous>)") && !line.includes("(index ");
}

/** The first of some lines. */
export function firstOf(place: string): string {
  return place.split("\n", 1)[0]!;
}

/** Each place of a call is looked up so often, and then once in so many calls. */
const ALWAYS = 256;
const SELDOM = 64;
/** Of so many things at the most. */
const KNOWN = 4096;

/** Places of the same things: what is done again and again is looked at only now and then, and the last place is said. */
export class Places {
  readonly #known = new Map<string, { calls: number; place: string }>();

  /** @param what The things whose places are much the same. */
  at(what: string): string {
    const known = this.#known.get(what);
    if (known === undefined) {
      const place = placeHere();
      if (this.#known.size >= KNOWN) this.#known.clear();
      this.#known.set(what, { calls: 1, place });
      return place;
    }
    if (++known.calls <= ALWAYS || known.calls % SELDOM === 0) known.place = placeHere();
    return known.place;
  }
}
