import type { Note } from "./jobs/job.js";

const INTERVAL = 100;

/** One line on the terminal that tells how far the run is. Writes nothing where there is no terminal. */
export class Progress implements Disposable {
  readonly #out: NodeJS.WriteStream;
  readonly #enabled: boolean;
  readonly #timer: NodeJS.Timeout | undefined;
  #title = "";
  #frames = 0;
  #of: number | undefined;
  #started = 0;
  #news: Partial<Record<Note["kind"], string>> = {};

  constructor(out: NodeJS.WriteStream, enabled: boolean) {
    this.#out = out;
    this.#enabled = enabled && out.isTTY;
    if (this.#enabled) this.#timer = setInterval(() => this.#draw(), INTERVAL).unref();
  }

  begin(title: string, of: number | undefined): void {
    this.#title = title;
    this.#of = of;
    this.#frames = 0;
    this.#news = {};
    this.#started = performance.now();
  }

  frame(frames: number): void {
    this.#frames = frames;
  }

  note(note: Note): void {
    this.#news[note.kind] = inWords(note);
  }

  /** Writes a line that stays. */
  say(line: string): void {
    this.#clear();
    this.#out.write(`${line}\n`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    if (this.#title === "") return;
    const rate = this.#frames / ((performance.now() - this.#started) / 1000);
    const of = this.#of === undefined ? "" : `/${this.#of}`;
    const { motion, histogram, thumbnails } = this.#news;
    const parts = [this.#title, `frame ${this.#frames}${of}`, `${rate.toFixed(1)}/s`, motion, histogram, thumbnails];
    const line = parts.filter((part) => part !== undefined).join("  ");
    this.#out.write(`\r${line.slice(0, this.#out.columns - 1)}\x1b[K`);
  }

  #clear(): void {
    if (this.#enabled) this.#out.write("\r\x1b[K");
  }
}

function inWords(note: Note): string {
  switch (note.kind) {
    case "motion":
      return `motion ${(note.area * 100).toFixed(1).padStart(4)} %`;
    case "histogram":
      return `mean luma ${note.mean.toFixed(0)}`;
    case "thumbnails":
      return note.count === 1 ? "1 thumbnail" : `${note.count} thumbnails`;
  }
}
