/** What the common cases need: the library's own objects have it, and so have the kernel's descriptors. */
import type { AccessMode, SyncFileInfo, WaitAnyResult, WaitResult } from "../../../src/index.js";

/** A case of the case book that can be said of both. */
export interface CommonCase {
  /** Of `test/conformance/cases.json`. */
  readonly id: string;
  /** What is claimed, as a test's name says it. */
  readonly fact: string;
  readonly run: (world: World) => void | Promise<void>;
}

export interface World {
  readonly name: "ours" | "kernel";
  timeline(): TimelineLike;
  merge(name: string, a: SyncFileLike, b: SyncFileLike): SyncFileLike;
  /** Zeroed; rounded up to whole pages. */
  allocate(size: number): BufferLike;
  /** A buffer that a device works on. */
  deviceBuffer(): DeviceBuffer;
  syncobj(options?: { signaled?: boolean }): SyncobjLike;
  readonly syncobjs: Syncobjs;
  /** What was made here is closed. */
  close(): void;
}

export interface TimelineLike {
  fence(value: number): SyncFileLike;
  advance(amount?: number): void;
  /** Nanoseconds; `undefined` for none. */
  deadline(file: SyncFileLike): number | undefined;
  close(): void;
}

export interface SyncFileLike {
  readonly name: string;
  readonly status: number;
  isReady(): boolean;
  info(): SyncFileInfo;
  setDeadline(ns: number): void;
  wait(options?: { timeout?: number }): Promise<WaitResult>;
  waitSync(options?: { timeout?: number }): WaitResult;
  close(): void;
}

export interface BufferLike {
  readonly size: number;
  setName(name: string): void;
  readonly references: number;
  readonly shownName: string | undefined;
  seek(offset: number, whence: "set" | "end"): number;
  map(range?: { offset?: number; length?: number }): { readonly bytes: Uint8Array; close(): void };
  begin(mode: AccessMode, options?: { timeout?: number }): Promise<void>;
  end(mode: AccessMode): void;
  isReady(mode: AccessMode): boolean;
  ready(mode: AccessMode, options?: { timeout?: number }): Promise<WaitResult>;
  exportSyncFile(mode: AccessMode): SyncFileLike;
  importSyncFile(mode: AccessMode, file: SyncFileLike): void;
  /** Another holder of the same buffer: a descriptor, or an import. */
  another(): BufferLike;
  close(): void;
}

interface DeviceBuffer {
  readonly buffer: BufferLike;
  /** Work that reads or writes the buffer; the result ends it. */
  readonly work: (mode: AccessMode) => () => void;
}

export interface WaitOptionsLike {
  timeout?: number;
  all?: boolean;
  forSubmit?: boolean;
  available?: boolean;
}

export interface SyncobjLike {
  reset(): void;
  signal(): void;
  signalPoint(point: number): void;
  query(options?: { lastSubmitted?: boolean }): number;
  waitSync(options?: WaitOptionsLike & { point?: number }): WaitAnyResult;
  importSyncFile(file: SyncFileLike): void;
  exportSyncFile(): SyncFileLike;
  /** Another holder of the same object. */
  another(): SyncobjLike;
  /** Tells once of a point; the result says whether it has come. */
  onPoint(point: number, options?: { available?: boolean }): () => boolean;
  close(): void;
}

export interface PointLike {
  readonly syncobj: SyncobjLike;
  readonly point: number;
}

/** Calls on several. */
interface Syncobjs {
  reset(all: readonly SyncobjLike[]): void;
  signal(all: readonly SyncobjLike[]): void;
  signalPoints(all: readonly PointLike[]): void;
  query(all: readonly SyncobjLike[]): number[];
  waitSync(all: readonly PointLike[], options?: WaitOptionsLike): WaitAnyResult;
  transfer(from: PointLike, to: PointLike): void;
}
