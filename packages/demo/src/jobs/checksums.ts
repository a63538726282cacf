import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { DmaBufError } from "dmabuf";
import type { Picture, Plane } from "../picture.js";
import type { Findings, Job, JobSettings } from "./job.js";

/**
 * Computes the MD5 of every frame, and writes them to a file if it is told one: line by line as
 * `ffmpeg -pix_fmt nv12 -f framemd5` does for a video of constant rate.
 */
export class Checksums implements Job {
  readonly #settings: JobSettings;
  readonly #lines: string[] = [];

  constructor(settings: JobSettings) {
    this.#settings = settings;
  }

  look({ sequence, width, height, luma, chroma }: Picture): undefined {
    const md5 = createHash("md5");
    for (const row of rows(luma, width, height)) md5.update(row);
    for (const row of rows(chroma, width, height / 2)) md5.update(row);
    const [at, size] = [String(sequence).padStart(10), String((width * height * 3) / 2).padStart(8)];
    this.#lines.push(`0, ${at}, ${at}, ${"1".padStart(8)}, ${size}, ${md5.digest("hex")}`);
  }

  async finish(): Promise<Findings> {
    const { checksums, width, height } = this.#settings;
    const found = { summary: `${this.#lines.length} computed`, values: { computed: this.#lines.length } };
    if (checksums === undefined) return found;
    const head = [
      "#format: frame checksums",
      "#version: 2",
      "#hash: MD5",
      "#media_type 0: video",
      "#codec_id 0: rawvideo",
      `#dimensions 0: ${width}x${height}`,
      "#stream#, dts,        pts, duration,     size, hash",
    ];
    await using _open = await openToWrite(checksums);
    await writeFile(checksums, [...head, ...this.#lines, ""].join("\n"));
    return found;
  }
}

/** Opens a file to write; a named pipe without a reader is an error, where a plain open would wait for one without end. */
async function openToWrite(path: string): Promise<AsyncDisposable> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK, 0o666);
    return { [Symbol.asyncDispose]: () => file.close() };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENXIO" ? "it is a pipe that has no reader" : message;
    throw new DmaBufError("EIO", `Cannot write the checksums to ${path}: ${reason}`, { cause });
  }
}

/** A plane without its gaps; in one piece if it has none. */
function* rows({ bytes, stride }: Plane, width: number, height: number): Generator<Uint8Array> {
  if (stride === width) yield bytes.subarray(0, width * height);
  else for (let y = 0; y < height; y++) yield bytes.subarray(y * stride, y * stride + width);
}
