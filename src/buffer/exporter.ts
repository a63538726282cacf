import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import type { Attachment } from "./attachment.js";
import type { StorageSegment } from "./storage.js";

/**
 * What the owner of some storage does for the buffer it exports. All operations run in the exporter's agent.
 *
 * Called with the buffer's reservation locked: `map`, `unmap`, `pin`, `unpin`, `vmap`, `vunmap`. Called without it: `attach`, `detach`,
 * `beginCpuAccess`, `endCpuAccess`, `mmap`, `release`.
 *
 * @see linux/include/linux/dma-buf.h, `struct dma_buf_ops`
 */
export interface ExporterOps {
  /** The storage as this importer is to use it. A table given out belongs to that importer until `unmap`. */
  map(attachment: Attachment, mode: AccessMode): readonly StorageSegment[];
  unmap(attachment: Attachment, segments: readonly StorageSegment[]): void;
  /** The last reference is gone. Runs once. */
  release(): void;
  /** May refuse an importer: by convention with `EBUSY`. */
  attach?(attachment: Attachment): void;
  detach?(attachment: Attachment): void;
  /** Keeps the storage where it is. Comes together with `unpin`. */
  pin?(attachment: Attachment): void;
  unpin?(attachment: Attachment): void;
  /** Makes the bytes ready for the processor. What it throws, the access throws. */
  beginCpuAccess?(mode: AccessMode): void;
  endCpuAccess?(mode: AccessMode): void;
  /** The whole buffer as one array for this agent's own code, until `vunmap`; called for the first of several users. */
  vmap?(): Uint8Array;
  /** The last user of `vmap` is done. */
  vunmap?(): void;
  /** Somebody maps the bytes as they are; may refuse. An exporter without it offers no such mapping. */
  mmap?(): void;
}

/** @throws {DmaBufError} `EINVAL` naming the operation that is missing. */
export function checkExporter(ops: ExporterOps): void {
  for (const name of ["map", "unmap", "release"] as const) {
    if (typeof ops?.[name] !== "function") {
      throw new DmaBufError("EINVAL", `Cannot export the buffer: its exporter has no operation "${name}"`);
    }
  }
  if ((ops.pin === undefined) !== (ops.unpin === undefined)) {
    const [present, missing] = ops.pin === undefined ? ["unpin", "pin"] : ["pin", "unpin"];
    throw new DmaBufError("EINVAL", `Cannot export the buffer: its exporter has "${present}" but no "${missing}"`);
  }
}

/** The exporter of a buffer whose storage is plain data: any agent maps it without help. */
export function plainExporter(segments: readonly StorageSegment[]): ExporterOps {
  const ops: ExporterOps = { map: () => segments.map((segment) => ({ ...segment })), unmap() {}, release() {} };
  plain.add(ops);
  return ops;
}

const plain = new WeakSet<ExporterOps>();

/** Whether the storage is plain data, which anybody may map in any way. */
export function isPlain(ops: ExporterOps): boolean {
  return plain.has(ops);
}
