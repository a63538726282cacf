import type { Part } from "../domain/feature.js";
import type { Steps } from "../domain/steps.js";
import type { FenceQueries } from "../reservation/fence-queries.js";
import type { Usage } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import type { BufferHandle, BufferHandleData } from "./handle.js";
import type { Holds } from "./hold.js";
import type { Storage } from "./storage-carrier.js";

/** The work of others on a buffer, as its fences tell of it. */
export interface BufferWork extends Pick<FenceQueries, "testFinished" | "overdueWork"> {
  /** Waits for the fences up to a usage that are pending now; gives false if the time has passed first. */
  signaled(usage: Usage): Steps<boolean>;
  /** Waits until no work up to a usage is pending or overdue; gives false if the time has passed first. */
  finished(usage: Usage): Steps<boolean>;
}

/** All that a stream needs of a buffer. */
export interface StreamBuffer {
  /** Its memory. A stream's buffer has one segment. */
  readonly storage: Storage;
  readonly holds: Holds;
  readonly work: BufferWork;
  /** The buffer as programs know it, where they have buffers besides streams. */
  readonly holder?: DmaBuf;
  /** A handle that lets the receiver read. @throws {DmaBufError} `EAGAIN` if too many handles are on their way. */
  handle(): BufferHandle;
  close(): void;
}

/** Where the streams of an agent get their buffers from. */
export interface StreamBuffers {
  /**
   * @param size Bytes; it is rounded up to whole pages.
   * @throws {DmaBufError} `ENOMEM` if there is not so much memory; `ENOSPC` if the domain is full.
   */
  allocate(size: number, options: { readonly name: string; readonly sealed: boolean }): StreamBuffer;
  /** @throws {DmaBufError} `ESTALE` if the buffer is gone; `EINVAL` if the handle is of another domain or damaged. */
  import(handle: BufferHandleData): StreamBuffer;
}

export const STREAM_MEMORY: Part<StreamBuffers> = { name: "memory of streams" };

/** A holder of a buffer, as a stream uses it. */
export function streamBuffer(holder: DmaBuf): StreamBuffer {
  const { holds, reservation } = holder;
  return {
    get storage() {
      return holder.storage;
    },
    holds,
    work: {
      testFinished: (usage) => reservation.testFinished(usage),
      overdueWork: (usage) => reservation.overdueWork(usage),
      *signaled(usage) {
        return yield {
          wait: async (terms) => (await reservation.wait(usage, terms)) === "signaled",
          waitSync: (timeout) => reservation.waitSync(usage, { timeout }) === "signaled",
        };
      },
      *finished(usage) {
        return yield {
          wait: (terms) => reservation.waitFinished(usage, terms),
          waitSync: (timeout) => reservation.waitFinishedSync(usage, { timeout }),
        };
      },
    },
    holder,
    handle: () => holder.handle("read"),
    close: () => holder.close(),
  };
}
