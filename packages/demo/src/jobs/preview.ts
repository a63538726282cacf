import { shrink, type Picture, type RgbPicture } from "../picture.js";
import { PreviewServer } from "../preview-server.js";
import { encodeJpeg, loadSharp } from "../sharp.js";
import type { Findings, Job, JobSettings, Note, Started } from "./job.js";

const LONGEST_SIDE = 960;
const QUALITY = 80;

/** Shows the newest frame in the browser. Without a port or without a viewer, it encodes nothing. */
export class Preview implements Job {
  readonly #settings: JobSettings;
  #server: PreviewServer | undefined;
  #sharp: Awaited<ReturnType<typeof loadSharp>> | undefined;
  #shown = 0;

  constructor(settings: JobSettings) {
    this.#settings = settings;
  }

  async start(): Promise<Started> {
    const { port, width, height, output } = this.#settings;
    if (port === undefined) return {};
    this.#sharp = await loadSharp();
    this.#server = await PreviewServer.listen({ port, width, height, thumbnails: output });
    return { url: this.#server.url };
  }

  look(picture: Picture): Promise<void> | undefined {
    if (this.#server === undefined || !this.#server.isWatched) return undefined;
    return this.#show(this.#server, shrink(picture, LONGEST_SIDE, this.#settings.colour));
  }

  hear(note: Note): void {
    this.#server?.tell(note);
  }

  async finish(): Promise<Findings> {
    await this.#server?.close();
    const summary = this.#settings.port === undefined ? "no page" : `${this.#shown} shown`;
    return { summary, values: { shown: this.#shown } };
  }

  async #show(server: PreviewServer, picture: RgbPicture): Promise<void> {
    if (this.#sharp === undefined) throw new Error("Preview.look() before start()");
    server.show(await encodeJpeg(this.#sharp, picture, QUALITY));
    this.#shown++;
  }
}
