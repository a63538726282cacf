import { versions } from "node:process";
import type { ModulePages, Overlay } from "../../buffer/storage.js";
import { codeOf } from "../../errors.js";
import { createWasmMemory, type ModuleMemory } from "../../substrate/wasm-memory.js";
import { layZeros } from "../resources/resource-ledger.js";
import {
  addressOf,
  closeDescriptor,
  createMemoryFile,
  mapMemory,
  pageSize,
  setFileLength,
  whyUnavailable,
} from "../system-calls/index.js";
import type { MemoryObject } from "./memory-object.js";

/** A run of bytes in a memory file. */
export interface FilePart {
  readonly object: MemoryObject;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

/**
 * Memory files over the pages of a module's memory.
 *
 * file-overlay.1. It is in no ledger: the engine unmaps a memory's addresses, with whatever is there, when the memory is
 *      collected or its thread has ended; from then on they may be another mapping's. An overlay keeps its memory until
 *      it is closed.
 * file-overlay.2. What may only be read is mapped private to this process and without the right to write: V8 lets a store
 *      of a module fail there. When the memory grows, V8 gives the right to write to all of its pages, and ends the
 *      process where the kernel refuses that, as it does for a shared mapping of a file that may only be read. In a private one
 *      a store then changes a copy of the page, which no other agent sees, until the overlay is made anew.
 * file-overlay.3. At its end zero pages take its place, as they were in the memory before. If the memory has other addresses
 *      by then, the old ones were unmapped with it.
 */
export class FileOverlay implements Overlay {
  #memory: ModuleMemory | undefined;
  readonly #pages: Omit<ModulePages, "memory">;
  readonly #base: bigint;
  readonly #buffer: ArrayBufferLike;
  readonly #byteLength: number;
  readonly #list: Set<Overlay>;

  /**
   * @param list It is there until it is closed.
   * @throws {DmaBufError} `EACCES` or `EPERM` to write to what may only be read; `ENOMEM`.
   */
  constructor(parts: readonly FilePart[], { memory, ...pages }: ModulePages, list: Set<Overlay>) {
    this.#memory = memory;
    this.#pages = pages;
    this.#base = baseOf(memory);
    this.#buffer = memory.buffer;
    this.#byteLength = memory.buffer.byteLength;
    this.#list = list.add(this);
    try {
      this.#lay(parts);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get isIntact(): boolean {
    const buffer = this.#memory?.buffer;
    return buffer === this.#buffer && buffer.byteLength === this.#byteLength;
  }

  close(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    this.#list.delete(this);
    if (baseOf(memory) !== this.#base) return;
    try {
      layZeros(this.#at(0), this.#pages.bytes);
    } catch {
      // A close does not fail.
    }
  }

  #lay(parts: readonly FilePart[]): void {
    const { bytes, isWritable } = this.#pages;
    const protection = isWritable ? "read-write" : "read";
    let laid = 0;
    for (const { object, offset, length } of parts) {
      if (laid >= bytes) return;
      const size = Math.min(length, bytes - laid);
      const rights = { protection, private: !isWritable, noReserve: true } as const;
      mapMemory({ ...rights, length: size, fd: object.fd, offset, over: this.#at(laid) });
      laid += length;
    }
  }

  #at(offset: number): bigint {
    return this.#base + BigInt(this.#pages.address + offset);
  }
}

/** Whether parts follow each other without a gap when each is mapped by whole pages. */
export function isWholePages(parts: readonly FilePart[]): boolean {
  return parts.every(({ offset, length }, i) => {
    return offset % pageSize() === 0 && (i === parts.length - 1 || length % pageSize() === 0);
  });
}

/** Why no file can be laid over a module's memory in this runtime; undefined if that works. */
export function whyNotOverlaid(): string | undefined {
  if (reason === undefined) reason = whyNot() ?? "";
  return reason === "" ? undefined : reason;
}

let reason: string | undefined;

function whyNot(): string | undefined {
  const unavailable = whyUnavailable();
  if (unavailable !== undefined) return unavailable;
  // What their engines do to pages of which they do not know is not known.
  const other = ["bun", "deno"].find((name) => name in versions);
  if (other !== undefined) return `this runtime is ${other}, not Node.js`;
  const memory = createWasmMemory(pageSize());
  if (memory === undefined) return "there is no WebAssembly.Memory";
  let fd: number | undefined;
  try {
    fd = createMemoryFile("dmabuf-trial");
    setFileLength(fd, pageSize());
    const pages = { length: pageSize(), protection: "read", private: true } as const;
    mapMemory({ ...pages, fd, over: addressOf(new Uint8Array(memory.buffer)) });
    return undefined;
  } catch (error) {
    return `a trial has failed with ${codeOf(error)}`;
  } finally {
    if (fd !== undefined) closeDescriptor(fd);
  }
}

function baseOf({ buffer }: ModuleMemory): bigint {
  return addressOf(new Uint8Array(buffer));
}
