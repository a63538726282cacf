import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shrink, type Picture, type RgbPicture } from "../picture.js";
import { encodeJpeg, loadSharp } from "../sharp.js";
import type { Findings, Job, JobSettings, Started, ThumbnailNote } from "./job.js";

const LONGEST_SIDE = 320;
const QUALITY = 82;
/** How many names a note tells. */
const LATEST = 6;

/** Writes a small JPEG of every Nth frame: `frame-000030.jpg`, by the frame's number. */
export class Thumbnails implements Job {
  readonly #settings: JobSettings;
  readonly #written: string[] = [];
  #sharp: Awaited<ReturnType<typeof loadSharp>> | undefined;

  constructor(settings: JobSettings) {
    this.#settings = settings;
  }

  async start(): Promise<Started> {
    this.#sharp = await loadSharp();
    return {};
  }

  look(picture: Picture): Promise<void> | undefined {
    if (picture.sequence % this.#settings.every !== 0) return undefined;
    // The frame itself is not needed for longer than this takes.
    return this.#write(picture.sequence, shrink(picture, LONGEST_SIDE, this.#settings.colour));
  }

  note(): ThumbnailNote {
    return { kind: "thumbnails", latest: this.#written.slice(-LATEST), count: this.#written.length };
  }

  async finish(): Promise<Findings> {
    return { summary: `${this.#written.length} written`, values: { written: this.#written.length } };
  }

  async #write(sequence: number, picture: RgbPicture): Promise<void> {
    if (this.#sharp === undefined) throw new Error("Thumbnails.look() before start()");
    const name = `frame-${String(sequence).padStart(6, "0")}.jpg`;
    await writeFile(join(this.#settings.output, name), await encodeJpeg(this.#sharp, picture, QUALITY));
    this.#written.push(name);
  }
}
