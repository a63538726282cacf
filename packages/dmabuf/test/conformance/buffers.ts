/** Buffers and exporters for the cases. */
import assert from "node:assert/strict";
import type { ExporterOps } from "../../src/buffer/exporter.js";
import {
  PAGE_SIZE,
  type DmaBuf,
  type Domain,
  type JoinedDomain,
  type ErrorCode,
  type Fence,
  type StorageSegment,
  type Usage,
} from "../../src/index.js";

/** Storage of some pages. */
export function memoryOf(pages: number): StorageSegment[] {
  return [{ memory: new SharedArrayBuffer(pages * PAGE_SIZE), offset: 0, length: pages * PAGE_SIZE }];
}

/** The operations that an exporter must have, which do nothing. */
export function noOps(): ExporterOps {
  return { map: () => memoryOf(1), unmap() {}, release() {} };
}

/** A buffer of one page whose exporter has these operations too. */
export function exportWith(domain: Domain, ops: Partial<ExporterOps>): DmaBuf {
  return domain.export(memoryOf(1), { exporterName: "test", ops: { ...noOps(), ...ops } });
}

/** Adds a pending fence of a new timeline to a buffer's reservation. */
export function addFence(domain: JoinedDomain, buffer: DmaBuf, usage: Usage): Fence {
  const fence = domain.createTimeline({ name: "line" }).createFence();
  const { reservation } = buffer;
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(fence, usage);
  return fence;
}

/** Fails unless `run` throws a `DmaBufError` with this code. */
export function fails(code: ErrorCode, run: () => unknown): void {
  assert.throws(run, { name: "DmaBufError", code });
}
