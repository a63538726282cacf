/** Lines of ffmpeg's by which it says that a file ends before its contents do. */
const CUT_OFF = /partial file|File ended prematurely|Read error|Truncating packet|End of file while|packet truncated/i;

/** Keeps what ffmpeg said last, and notices when it said that the file was cut off. */
export class FfmpegMessages {
  static readonly #KEPT = 4096;
  readonly #input: string;
  #tail = "";
  #cutOff = false;
  #any = false;

  /** @param input The file as ffmpeg was told it. */
  constructor(input: string) {
    this.#input = input;
  }

  add(text: string): void {
    this.#any ||= text.trim() !== "";
    // A line may come in two pieces: look at the seam, too.
    this.#tail += text;
    this.#cutOff ||= CUT_OFF.test(this.#tail);
    this.#tail = this.#tail.slice(-FfmpegMessages.#KEPT);
  }

  get cutOff(): boolean {
    return this.#cutOff;
  }

  get any(): boolean {
    return this.#any;
  }

  /** The last lines, in one line. */
  lastWords(lines: number): string {
    return lastWords(this.#tail, this.#input, lines);
  }
}

/** What ffmpeg says of itself. */
const BANNER = /^(ffmpeg version |built with |configuration: |lib(av|sw|post)\w+ +\d)/;

/** The last lines of what ffmpeg wrote, in one line, without repetitions, addresses of its parts, and the file's name. */
export function lastWords(stderr: string, input: string, lines: number): string {
  const said = stderr
    .split(/[\r\n]+/)
    .map((line) =>
      line
        .replace(/^\[([^\]@]+) @ 0x[0-9a-f]+\]/, "[$1]")
        .replace(`${input}: `, "")
        .trim(),
    )
    .filter((line) => line !== "" && !/^(frame|size)=/.test(line) && !BANNER.test(line));
  return said.length === 0 ? "ffmpeg gave no reason" : [...new Set(said)].slice(-lines).join("; ");
}

/** Seconds of a time as ffmpeg writes it, `00:01:02.50`. */
export function secondsOf(time: string): number {
  return time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
