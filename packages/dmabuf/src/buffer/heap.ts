import { check, checkOptions, FLAG, integer, NAME, oneOf, orElse, withCode, type Kinds } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { DmaBuf } from "./buffer.js";
import type { BufferTable } from "./buffer-table.js";
import type { ExporterOps } from "./exporter.js";
import type { HandleMode } from "./handle.js";
import { checkStorage, PAGE_SIZE, type StorageSegment } from "./storage.js";

/** How a heap makes a buffer. */
export interface AllocateOptions {
  /** For people; at most 31 bytes of UTF-8. */
  readonly name?: string;
  /** What the first holder may do. Default "read-write". */
  readonly mode?: HandleMode;
  /** Bits of the heap's own. None is defined, so only 0 is allowed. */
  readonly flags?: number;
  /**
   * Whether no agent but this one can ever write to the memory: no handle and no descriptor lets another agent write.
   * Only the system heap of a domain of processes has such memory. Default false.
   */
  readonly sealed?: boolean;
  /**
   * Whether the buffer has the size that was asked for, and not whole pages. A program that is given the buffer's file
   * (`ProcessDomain.openFile()`) then finds its end where the bytes end. Only the system heap has such memory; devices
   * take whole pages. Default false.
   */
  readonly exact?: boolean;
}

/** Looked at before anything is rounded. */
const SIZE = withCode("EINVAL", integer(1, Number.MAX_SAFE_INTEGER - PAGE_SIZE));

const ALLOCATE: Kinds<AllocateOptions> = {
  name: NAME,
  mode: orElse("EINVAL", oneOf(["read", "read-write"])),
  flags: orElse("EINVAL", oneOf([0])),
  sealed: FLAG,
  exact: FLAG,
};

/** An allocator of buffers. */
export interface Heap {
  /** Stable; says what the memory is, not how it is got. It is the exporter's name of its buffers. */
  readonly name: string;
  /**
   * A zeroed buffer. Its size is rounded up to whole pages of 4,096 bytes, without the option `exact`.
   *
   * @throws {DmaBufError} `EINVAL` for a size below 1, a flag or an unknown mode; `ENOMEM` if there is not so much
   *   memory; `ENOSPC` if the domain is full; `EOPNOTSUPP` if the memory cannot be sealed, or exact.
   */
  allocate(size: number, options?: AllocateOptions): DmaBuf;
}

/** What a heap gets for a buffer. */
export interface HeapStorage {
  /** As many bytes as were asked for, all of them zero. */
  readonly segments: readonly StorageSegment[];
  /** Default: none, and the buffer's holders use its storage without the heap's help. */
  readonly ops?: ExporterOps;
}

/** What a program does for a heap that it adds. */
export interface HeapOps {
  /**
   * Gets the memory of one buffer. What it throws, `heap.allocate()` throws.
   *
   * @param size Bytes, a multiple of 4,096.
   */
  allocate(size: number): HeapStorage;
}

/** Ordinary memory that all threads share. */
export class SystemHeap implements Heap {
  readonly name = "system";
  readonly #buffers: BufferTable;

  constructor(buffers: BufferTable) {
    this.#buffers = buffers;
  }

  allocate(size: number, options: AllocateOptions = {}): DmaBuf {
    const length = checkAllocation(size, options);
    const { name = "", sealed = false } = options;
    return firstHolder(this.#buffers.allocate(length, { name, exporterName: this.name, sealed }), options);
  }
}

/** A heap whose memory comes from the program. */
export class AddedHeap implements Heap {
  readonly name: string;
  readonly #buffers: BufferTable;
  readonly #ops: HeapOps;

  constructor(name: string, buffers: BufferTable, ops: HeapOps) {
    this.name = name;
    this.#buffers = buffers;
    this.#ops = ops;
  }

  allocate(size: number, options: AllocateOptions = {}): DmaBuf {
    const length = checkAllocation(size, options, this.name);
    this.#buffers.agent.checkJoined();
    const { segments, ops } = this.#ops.allocate(length);
    checkStorage(segments, length);
    const { name = "" } = options;
    const buffer = this.#buffers.export(segments, { name, exporterName: this.name, ...(ops && { ops }) });
    return firstHolder(buffer, options);
  }
}

/** The size, in whole pages if it need not be exact. @param plain The name of a heap with neither sealed nor exact memory. */
export function checkAllocation(size: number, options: AllocateOptions, plain?: string): number {
  check("Heap.allocate()", "size", size, SIZE);
  checkOptions("Heap.allocate()", options, ALLOCATE);
  const { sealed = false, exact = false } = options;
  if (plain !== undefined && (sealed || exact)) {
    const what = sealed ? "sealed memory" : "memory of an exact size";
    throw new DmaBufError("EOPNOTSUPP", `Cannot allocate ${what}: heap "${plain}" has none`);
  }
  return exact ? size : Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
}

/** The buffer as its first holder gets it. */
export function firstHolder(buffer: DmaBuf, { mode = "read-write" }: AllocateOptions): DmaBuf {
  if (mode === "read-write") return buffer;
  using writable = buffer;
  return writable.duplicate(mode);
}
