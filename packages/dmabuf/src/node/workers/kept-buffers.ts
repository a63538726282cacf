import type { BufferHandleData } from "../../buffer/handle.js";
import type { DmaBuf } from "../../buffer/buffer.js";
import type { Domain } from "../../threads.js";
import type { ProcessDomain } from "../process-domain.js";

/** Milliseconds without a job. */
const KEEP_MS = 500;
const MOST_KEPT = 32;

/**
 * The buffers of a worker's last jobs: jobs mostly use the same ones again, and memory that stays mapped has its pages. What no
 * job has used for some time is closed.
 */
export class KeptBuffers {
  readonly #domain: Domain | ProcessDomain;
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, DmaBuf>();
  /** Of each of them. */
  readonly #versions = new WeakMap<DmaBuf, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(domain: Domain | ProcessDomain) {
    this.#domain = domain;
  }

  /** A holder of the buffer for one job, which closes it. */
  open(handle: BufferHandleData): DmaBuf {
    const { slot, generation, mode, version } = handle;
    const key = `${slot} ${generation} ${mode}`;
    const last = this.#kept.get(key);
    // Storage that was moved comes with the import of a buffer that is not open here.
    if (last !== undefined && this.#versions.get(last) !== version) this.#closeAll();
    const kept = this.#kept.get(key) ?? this.#domain.import(handle);
    this.#versions.set(kept, version);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.duplicate();
  }

  /** A job has ended. */
  rest(): void {
    for (const [key, buffer] of this.#kept) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(key);
      buffer.close();
    }
    this.#timer ??= setTimeout(() => this.#closeAll(), KEEP_MS);
    this.#timer.refresh();
  }

  #closeAll(): void {
    for (const buffer of this.#kept.values()) buffer.close();
    this.#kept.clear();
  }
}
