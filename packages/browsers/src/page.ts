/**
 * What pages do in the same way in all engines: by scripts of their own.
 */
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EnginePage, UntilOptions } from "./engine.js";

/** How long one command may take, in milliseconds: a page that hangs does not answer. */
export const LONGEST_COMMAND = 120_000;

/** What a system says of files, by their names. */
const TYPES: Readonly<Record<string, string>> = {
  ".mp4": "video/mp4",
  ".png": "image/png",
  ".txt": "text/plain",
};

/** How often a condition is looked at, in milliseconds. */
const INTERVAL = 50;

export abstract class Page implements EnginePage {
  readonly errors: string[] = [];
  readonly logged: string[] = [];

  abstract click(selector: string): Promise<void>;
  abstract press(key: string): Promise<void>;
  abstract resize(width: number, height: number): Promise<void>;
  abstract colorScheme(scheme: "light" | "dark"): Promise<void>;
  abstract limitStorage(bytes: number): Promise<void>;
  abstract screenshot(path: string): Promise<void>;
  abstract close(): Promise<void>;

  /** Evaluates an expression whose value is the promise of a string. */
  protected abstract run(script: string): Promise<string>;
  protected abstract load(url: string): Promise<void>;

  async goto(url: string): Promise<void> {
    this.errors.length = 0;
    this.logged.length = 0;
    await limited(`load ${url}`, this.load(url));
  }

  async evaluate<T>(script: string, { timeout = LONGEST_COMMAND }: UntilOptions = {}): Promise<T> {
    // The page catches its own error: each engine would tell it in another way.
    const answer = await limited(
      `evaluate ${script.slice(0, 80)}`,
      this.run(`(async () => {
        try { return JSON.stringify({ value: await (${script}) }); }
        catch (error) { return JSON.stringify({ error: String(error?.message ?? error), stack: String(error?.stack) }); }
      })()`),
      timeout,
    );
    const { value, error, stack } = JSON.parse(answer) as { value: T; error?: string; stack?: string };
    if (error === undefined) return value;
    throw new Error(error, { cause: stack });
  }

  async until<T>(script: string, { timeout = 30_000 }: UntilOptions = {}): Promise<T> {
    const end = performance.now() + timeout;
    for (;;) {
      const value = await this.evaluate<T>(script);
      if (value) return value;
      if (performance.now() > end) {
        const errors = this.errors.length === 0 ? "" : `; errors of the page: ${this.errors.join("; ")}`;
        throw new Error(`Not so within ${timeout} ms: ${script} is ${JSON.stringify(value)}${errors}`);
      }
      await sleep(INTERVAL);
    }
  }

  async fill(selector: string, text: string): Promise<void> {
    // The setter of the prototype: frameworks put another one on the element.
    await this.evaluate(`((field, text) => {
      field.focus();
      const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
      set.call(field, text);
      for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    })(${element(selector)}, ${JSON.stringify(text)})`);
  }

  async drop(selector: string, path: string): Promise<void> {
    const bytes = await readFile(path);
    const type = TYPES[extname(path).toLowerCase()] ?? "";
    await this.evaluate(`((target, name, type, base64) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      for (const type of ["dragenter", "dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
    })(${element(selector)}, ${JSON.stringify(basename(path))}, "${type}", "${bytes.toString("base64")}")`);
  }
}

/** `"Shift+Tab"` as the keys that are held, and the one that is pressed. */
export function keysOf(press: string): { held: string[]; key: string } {
  // "+" is a key, too.
  const held = press.split(/\+(?=.)/);
  const key = held.pop() ?? press;
  return { held, key };
}

/** Fails when the work takes too long; the work itself is left to its engine's end. */
export async function limited<T>(action: string, work: Promise<T>, limit = LONGEST_COMMAND): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Cannot ${action}: no answer within ${limit / 1_000} s`)), limit);
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** How often a page is tried. */
const TRIES = 3;

/** Opens a page, also where that fails: on a busy machine, drivers give up one that is slow to begin. */
export async function tried<T>(open: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/** The expression of an element that must be there. */
function element(selector: string): string {
  const text = JSON.stringify(selector);
  return `(document.querySelector(${text}) ?? (() => { throw new Error("No element " + ${text}); })())`;
}
