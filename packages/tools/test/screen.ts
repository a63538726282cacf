/** What a person sees of what a program writes to a terminal: as much of ECMA-48 as top and shells use. */

// eslint-disable-next-line no-control-regex -- these are what it is about
const SEQUENCE = /\u001b(?:\[([?\d;]*)([A-Za-z])|\](?:[^\u0007]*)\u0007|\([A-Z]|[=>])/y;

/** All at once, and pasting. */
const UNSEEN: ReadonlySet<string> = new Set(["?2026h", "?2026l", "?2004h", "?2004l"]);

export class Screen {
  /** Whether the other screen is shown, whose end brings back the first one. */
  isAlternate = false;
  isCursorHidden = false;
  /** Sequences that this does not know: a test looks that there are none. */
  readonly unknown: string[] = [];
  #first: string[] = [""];
  #lines: string[] = [""];
  #row = 0;
  #column = 0;
  #rest = "";
  #rows: number;

  constructor(rows: number) {
    this.#rows = rows;
  }

  get text(): string {
    return this.#lines.map((line) => line.trimEnd()).join("\n");
  }

  get lines(): readonly string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  resize(rows: number): void {
    this.#rows = rows;
    this.#scroll();
  }

  write(data: string): void {
    const text = this.#rest + data;
    let at = 0;
    while (at < text.length) {
      const char = String.fromCodePoint(text.codePointAt(at)!);
      if (char !== "\u001b") {
        this.#put(char);
        at += char.length;
        continue;
      }
      SEQUENCE.lastIndex = at;
      const [all, parameters, final] = SEQUENCE.exec(text) ?? [];
      // The rest of it has not come yet.
      if (all === undefined) break;
      // Titles and character sets are not seen.
      if (final !== undefined) this.#obey(parameters!, final);
      at += all.length;
    }
    this.#rest = text.slice(at);
  }

  #put(char: string): void {
    if (char === "\u0007") return;
    if (char === "\r") this.#column = 0;
    else if (char === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (char === "\n") {
      this.#row++;
      this.#scroll();
    } else {
      const line = this.#line().padEnd(this.#column);
      this.#lines[this.#row] = line.slice(0, this.#column) + char + line.slice(this.#column + char.length);
      this.#column += char.length;
    }
  }

  #line(): string {
    while (this.#lines.length <= this.#row) this.#lines.push("");
    return this.#lines[this.#row]!;
  }

  #scroll(): void {
    this.#line();
    while (this.#lines.length > this.#rows) {
      this.#lines.shift();
      this.#row = Math.max(0, this.#row - 1);
    }
  }

  #obey(parameters: string, final: string): void {
    const count = Number(parameters || 1);
    const what = `${parameters}${final}`;
    if (final === "m" || UNSEEN.has(what)) return;
    if (what === "?25h" || what === "?25l") this.isCursorHidden = final === "l";
    else if (what === "?1049h") this.#enter();
    else if (what === "?1049l") this.#leave();
    else if (final === "A") this.#row = Math.max(0, this.#row - count);
    else if (final === "C") this.#column += count;
    else if (final === "D") this.#column = Math.max(0, this.#column - count);
    else if (final === "G") this.#column = count - 1;
    else if (what === "H") [this.#row, this.#column] = [0, 0];
    else if (what === "2K") this.#lines[this.#row] = "";
    else if (what === "J") {
      this.#lines[this.#row] = this.#line().slice(0, this.#column);
      this.#lines.length = this.#row + 1;
    } else if (what === "K") this.#lines[this.#row] = this.#line().slice(0, this.#column);
    else if (what === "2J") this.#lines = [""];
    else this.unknown.push(what);
  }

  #enter(): void {
    this.#first = this.#lines;
    this.#lines = [""];
    [this.#row, this.#column] = [0, 0];
    this.isAlternate = true;
  }

  #leave(): void {
    this.#lines = this.#first;
    [this.#row, this.#column] = [this.#lines.length - 1, this.#lines.at(-1)!.length];
    this.isAlternate = false;
  }
}
