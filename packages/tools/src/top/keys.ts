import { FIRST_CHOICE, type Choice } from "./screen.js";
import { VIEWS } from "./views.js";

/** A key as ink tells of it, and one character at most. */
export interface Pressed {
  readonly input: string;
  readonly key: {
    readonly upArrow: boolean;
    readonly downArrow: boolean;
    readonly leftArrow: boolean;
    readonly rightArrow: boolean;
    readonly pageUp: boolean;
    readonly pageDown: boolean;
    readonly home: boolean;
    readonly end: boolean;
    readonly return: boolean;
    readonly escape: boolean;
    readonly tab: boolean;
    readonly shift: boolean;
    readonly ctrl: boolean;
    readonly backspace: boolean;
    readonly delete: boolean;
  };
  /** How many rows there are, and how many of them fit on the screen. */
  readonly count: number;
  readonly fit: number;
}

/** Whether a key ends the program. */
export function isQuit({ isTyping }: Choice, { input, key }: Pressed): boolean {
  if (key.ctrl && input === "c") return true;
  return !isTyping && input === "q" && !key.ctrl;
}

/** What is chosen after a key. */
export function choose(choice: Choice, pressed: Pressed): Choice {
  const { input, key, count, fit } = pressed;
  if (choice.isTyping) return typed(choice, pressed);
  const moved = scrolled(Math.min(choice.offset, Math.max(0, count - fit)), pressed);
  if (moved !== undefined) return { ...choice, offset: Math.max(0, Math.min(moved, count - fit)) };
  if (key.tab) return viewed(choice, choice.view + (key.shift ? VIEWS.length - 1 : 1));
  if (key.leftArrow || input === "<") return sorted(choice, -1);
  if (key.rightArrow || input === ">" || input === "s") return sorted(choice, 1);
  if (key.escape) return { ...choice, filter: "", offset: 0 };
  if (input === "r") return reversed(choice);
  if (input === "/") return { ...choice, isTyping: true };
  if (input === " ") return { ...choice, isPaused: !choice.isPaused };
  const view = /^[1-9]$/.test(input) ? Number(input) - 1 : VIEWS.length;
  return view < VIEWS.length ? viewed(choice, view) : choice;
}

/** What the Backspace key gives, among other keys. */
const ERASES: ReadonlySet<string> = new Set(["\u007f", "\b"]);

function typed(choice: Choice, { input, key }: Pressed): Choice {
  if (key.return) return { ...choice, isTyping: false };
  if (key.escape) return { ...choice, isTyping: false, filter: "", offset: 0 };
  if (key.backspace || key.delete || ERASES.has(input)) {
    return { ...choice, filter: choice.filter.slice(0, -1), offset: 0 };
  }
  const isText = input !== "" && !key.ctrl && !key.tab && !/\p{C}/u.test(input);
  return isText ? { ...choice, filter: choice.filter + input, offset: 0 } : choice;
}

function scrolled(offset: number, { input, key, count, fit }: Pressed): number | undefined {
  if (key.upArrow || input === "k") return offset - 1;
  if (key.downArrow || input === "j") return offset + 1;
  if (key.pageUp) return offset - fit;
  if (key.pageDown) return offset + fit;
  if (key.home || input === "g") return 0;
  if (key.end || input === "G") return count;
  return undefined;
}

function viewed(choice: Choice, view: number): Choice {
  return { ...choice, view: view % VIEWS.length, offset: FIRST_CHOICE.offset };
}

function sorted(choice: Choice, step: number): Choice {
  const { columns } = VIEWS[choice.view]!;
  const { column, descending } = choice.sorts[choice.view]!;
  return withSort(choice, { column: (column + step + columns.length) % columns.length, descending });
}

function reversed(choice: Choice): Choice {
  const { column, descending } = choice.sorts[choice.view]!;
  return withSort(choice, { column, descending: !descending });
}

/** The same choice with another order of its view. */
export function withSort(choice: Choice, sort: Choice["sorts"][number]): Choice {
  return { ...choice, sorts: choice.sorts.with(choice.view, sort), offset: 0 };
}
