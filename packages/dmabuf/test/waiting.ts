/** What tests wait at. */
import type { DmaBuf } from "../src/buffer/buffer.js";
import type { ExporterOps } from "../src/buffer/exporter.js";
import type { Domain } from "../src/threads.js";
import { rawFormat } from "../src/stream/format.js";
import type { FrameStream } from "../src/stream/frame-stream.js";

/** What comes never. */
export const never = (): Promise<void> => new Promise(() => {});

export function streamOf(domain: Domain, buffers = 1): FrameStream {
  return domain.createStream({ format: rawFormat(8), buffers });
}

/** A buffer whose exporter has these operations. */
export function exported(domain: Domain, ops: Partial<ExporterOps>): DmaBuf {
  const memory = new SharedArrayBuffer(4096);
  const segments = [{ memory, offset: 0, length: 4096 }];
  return domain.export(segments, { ops: { map: () => segments, unmap() {}, release() {}, ...ops } });
}
