import type { Part } from "../domain/feature.js";
import type { WorkQueries } from "../reservation/work-queries.js";
import { holderOf, type DmaBuf } from "./buffer.js";
import type { BufferHandle, BufferHandleData } from "./handle.js";
import type { BufferHolder } from "./holder.js";
import type { Holds } from "./hold.js";
import type { Storage } from "./storage.js";

/** The work of others on a buffer, as its fences tell of it. */
export type BufferWork = Pick<WorkQueries, "testFinished" | "overdueWork" | "signaled" | "finished" | "waitsFor">;

/** All that a stream needs of a buffer. */
export interface StreamBuffer {
  /** Its memory. A stream's buffer has one segment. */
  readonly storage: Storage;
  /** The same, for a caller that knows that it was never moved. */
  readonly unmoved: Storage;
  readonly holds: Holds;
  readonly work: BufferWork;
  /** The buffer as programs know it, where they have buffers besides streams. */
  readonly holder?: DmaBuf;
  /** A handle that lets the receiver read. @throws {DmaBufError} `EAGAIN` if too many handles are on their way. */
  handle(): BufferHandle;
  close(): void;
}

/** What memory a stream wants for a frame. */
export interface StreamMemory {
  readonly name: string;
  readonly sealed: boolean;
  /** The name of a heap, if it is not the system's. */
  readonly heap: string | undefined;
}

/** Where the streams of an agent get their buffers from. */
export interface StreamBuffers {
  /**
   * @param size Bytes; it is rounded up to whole pages.
   * @throws {DmaBufError} `ENOMEM` if there is not so much memory; `ENOSPC` if the domain is full; `ENODEV` or
   *   `EOPNOTSUPP` if the heap cannot be had.
   */
  allocate(size: number, options: StreamMemory): StreamBuffer;
  /** @throws {DmaBufError} `ESTALE` if the buffer is gone; `EINVAL` if the handle is of another domain or damaged. */
  import(handle: BufferHandleData): StreamBuffer;
}

export const STREAM_MEMORY: Part<StreamBuffers> = { name: "memory of streams" };

/** A holder of a buffer, as a stream uses it. */
export class HeldBuffer implements StreamBuffer {
  readonly holds: Holds;
  readonly work: BufferWork;
  readonly holder: DmaBuf;
  readonly #held: BufferHolder;

  constructor(buffer: DmaBuf) {
    this.holder = buffer;
    this.#held = holderOf(buffer);
    this.holds = this.#held.holds;
    this.work = this.#held.reservation;
  }

  get storage(): Storage {
    return this.#held.storage;
  }

  get unmoved(): Storage {
    return this.#held.record.known.unmoved;
  }

  handle(): BufferHandle {
    return this.holder.handle("read");
  }

  close(): void {
    this.holder.close();
  }
}
