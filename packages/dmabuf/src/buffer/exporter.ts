import { checkObject, FUNCTION, orElse, required, type Kinds } from "../arguments.js";
import { EXPORTER_FLAG } from "./request-slot.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import type { Reservation } from "../reservation/reservation.js";
import type { Answer, Done } from "./call.js";
import type { StorageSegment } from "./storage.js";

/** An importer's tie to a buffer, as the exporter sees it. The importer may be in another agent. */
export interface ExporterAttachment {
  /** The importer, as far as the exporter may know it. */
  readonly importer: {
    /** For people; of an importer in another agent, at most 31 bytes of UTF-8. */
    readonly name?: string;
    /** Whether it can use storage on another device. Default false. */
    readonly allowPeerToPeer?: boolean;
  };
  /** Whether the importer follows moves of the storage. */
  readonly isDynamic: boolean;
  /** Whether storage on another device may be mapped; the exporter may clear it while the importer attaches. */
  peerToPeer: boolean;
  /** The buffer's; held in this agent while `map`, `unmap`, `pin` and `unpin` run. */
  readonly reservation: Reservation;
}

/**
 * What the owner of some storage does for the buffer it exports. All operations run in the exporter's agent, whichever
 * agent asks for them; each may answer later, by a promise.
 *
 * Called with the buffer's reservation locked: `map`, `unmap`, `pin`, `unpin`, `vmap`, `vunmap`. Called without it:
 * `attach`, `detach`, `beginCpuAccess`, `endCpuAccess`, `mmap`, `release`.
 *
 * @see linux/include/linux/dma-buf.h, `struct dma_buf_ops`
 */
export interface ExporterOps {
  /**
   * The storage as this importer is to use it. A table given out belongs to that importer until `unmap`. An importer in
   * another agent gets the buffer's own segments for it: only a message could carry other memory there.
   */
  map(attachment: ExporterAttachment, mode: AccessMode): Answer<readonly StorageSegment[]>;
  /** The importer has done with what `map` gave it. Runs once for each `map`. */
  unmap(attachment: ExporterAttachment, segments: readonly StorageSegment[]): Done;
  /**
   * The last reference is gone. Runs once. As all operations that give something back, it cannot fail: that is
   * reported.
   */
  release(): void;
  /** May refuse an importer: by convention with `EBUSY`. */
  attach?(attachment: ExporterAttachment): Done;
  /** The importer has left, and has nothing mapped or pinned. Runs once for each `attach`. */
  detach?(attachment: ExporterAttachment): Done;
  /** Keeps the storage where it is. Comes together with `unpin`. */
  pin?(attachment: ExporterAttachment): Done;
  /** The storage may move again, once for each `pin`. */
  unpin?(attachment: ExporterAttachment): Done;
  /** Makes the bytes ready for the processor. What it throws, the access throws. */
  beginCpuAccess?(mode: AccessMode): Done;
  /** The processor has done with the bytes. Runs once for each `beginCpuAccess` that did not throw. */
  endCpuAccess?(mode: AccessMode): Done;
  /** The whole buffer as one array for this agent's own code, until `vunmap`; called for the first of several users. */
  vmap?(): Uint8Array;
  /** The last user of `vmap` is done. */
  vunmap?(): void;
  /** An agent maps the bytes as they are; may refuse. An exporter without it offers no such mapping. */
  mmap?(): Done;
}

const MANDATORY = required(orElse("EINVAL", FUNCTION));

const OPS: Kinds<ExporterOps> = {
  map: MANDATORY,
  unmap: MANDATORY,
  release: MANDATORY,
  attach: FUNCTION,
  detach: FUNCTION,
  pin: FUNCTION,
  unpin: FUNCTION,
  beginCpuAccess: FUNCTION,
  endCpuAccess: FUNCTION,
  vmap: FUNCTION,
  vunmap: FUNCTION,
  mmap: FUNCTION,
};

/** Whose failures are reported, in messages. */
export const EXPORTER = "An exporter";

/** @throws {DmaBufError} `EINVAL` naming the operation that is missing. */
export function checkExporter(call: string, ops: ExporterOps): void {
  checkObject(call, "ops", ops, OPS);
  if ((ops.pin === undefined) !== (ops.unpin === undefined)) {
    const [present, missing] = ops.pin === undefined ? ["unpin", "pin"] : ["pin", "unpin"];
    throw new DmaBufError("EINVAL", `Cannot export the buffer: its exporter has "${present}" but no "${missing}"`);
  }
}

/** Which operations the exporter has, for agents that must ask for them. */
export function flagsOf(ops: ExporterOps): number {
  let flags: number = EXPORTER_FLAG.CUSTOM;
  for (const [name, flag] of Object.entries(FLAGS)) if (ops[name as keyof ExporterOps] !== undefined) flags |= flag;
  return flags;
}

const FLAGS: Partial<Record<keyof ExporterOps, number>> = {
  attach: EXPORTER_FLAG.ATTACH,
  detach: EXPORTER_FLAG.DETACH,
  pin: EXPORTER_FLAG.PIN,
  beginCpuAccess: EXPORTER_FLAG.BEGIN,
  endCpuAccess: EXPORTER_FLAG.END,
  mmap: EXPORTER_FLAG.MMAP,
};
