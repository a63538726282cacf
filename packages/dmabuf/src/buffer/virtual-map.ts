import { DmaBufError } from "../errors.js";
import { runEnd, type Reporter } from "../domain/promised.js";
import { EXPORTER, type ExporterOps } from "./exporter.js";

/** The exporter's one mapping of a whole buffer for this agent's own code, however many use it. */
export class VirtualMap {
  readonly #exporter: Pick<ExporterOps, "vmap" | "vunmap">;
  readonly #host: Reporter;
  #users = 0;
  #bytes: Uint8Array | undefined;

  /**
   * @param exporter Nothing of it in other agents than its own: its mapping is its own agent's memory.
   * @param host Hears of an end that fails.
   */
  constructor(exporter: Pick<ExporterOps, "vmap" | "vunmap">, host: Reporter) {
    this.#exporter = exporter;
    this.#host = host;
  }

  get isMapped(): boolean {
    return this.#users > 0;
  }

  /** @throws {DmaBufError} `EINVAL` if the exporter has no such operation; what it throws itself. */
  map(): Uint8Array {
    if (this.#exporter.vmap === undefined) {
      throw new DmaBufError("EINVAL", 'Cannot map the buffer: its exporter has no operation "vmap"');
    }
    const bytes = (this.#bytes ??= this.#exporter.vmap());
    this.#users++;
    return bytes;
  }

  /** @throws {RangeError} If it is not mapped. */
  unmap(): void {
    if (this.#users === 0) throw new RangeError("Cannot unmap the buffer: it is not mapped");
    if (--this.#users > 0) return;
    this.#bytes = undefined;
    void runEnd(this.#host, EXPORTER, () => this.#exporter.vunmap?.());
  }
}
