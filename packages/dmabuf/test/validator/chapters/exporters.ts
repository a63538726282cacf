/** Exporters whose operations break the locking convention. */
import type { BufferHandleData, DmaBuf, ExporterOps, StorageSegment } from "../../../src/index.js";
import type { Case, Stage } from "../case.js";

export const EXPORTERS: readonly Case[] = [
  {
    id: "exporter-takes-lock",
    mistake: "An exporter locks its buffer where the caller has locked it",
    code: "exporter-lock",
    also: ["deadlock", "lock-order", "own-fence"],
    source: {
      project: "Linux, dma-buf",
      title: "[PATCH v1 0/7] Move dma-buf mmap() reservation locking down to exporters",
      where: "https://lkml.iu.edu/hypermail/linux/kernel/2304.0/00571.html",
    },
    wrong: {
      importer: importer(1000),
      exporter: exporter((buffer, segments) => ({
        async map() {
          using _lock = await buffer().reservation.lock(undefined, { timeout: 200 });
          return segments;
        },
      })),
    },
    right: {
      importer: importer(),
      exporter: exporter((buffer, segments) => ({ map: () => (buffer().reservation.isHeldHere ? segments : []) })),
    },
  },
  {
    id: "exporter-leaves-lock",
    mistake: "An exporter leaves its buffer locked when an operation ends",
    code: "exporter-lock",
    also: ["lock-across-await", "never-given-back", "deadlock"],
    wrong: {
      importer: importer(1000),
      exporter: exporter((buffer) => ({ attach: async () => void kept.push(await buffer().reservation.lock()) })),
    },
    right: {
      importer: importer(),
      exporter: exporter((buffer) => ({ attach: async () => (await buffer().reservation.lock()).close() })),
    },
  },
  {
    id: "exporter-asks-itself",
    mistake: "An exporter makes its buffer ready for an access by an access to it",
    code: "exporter-lock",
    also: ["deadlock", "lock-order", "own-fence"],
    wrong: {
      importer: importer(1000),
      exporter: exporter((buffer) => ({
        beginCpuAccess: async () => void (await buffer().access("write", { timeout: 200 })).close(),
      })),
    },
    right: {
      importer: importer(),
      exporter: exporter((_, [{ memory }]) => ({ beginCpuAccess: () => void new Uint8Array(memory).fill(0) })),
    },
  },
];

/** What is not given back. */
const kept: unknown[] = [];

/** A part that exports a buffer with these operations. */
function exporter(opsOf: (buffer: () => DmaBuf, segments: [StorageSegment]) => Partial<ExporterOps>) {
  return async ({ domain, say, hear, createMemory }: Stage): Promise<void> => {
    const segments: [StorageSegment] = [createMemory()];
    const ops = opsOf(() => buffer, segments);
    using buffer = domain.export(segments, { ops: { map: () => segments, unmap() {}, release() {}, ...ops } });
    say("buffer", buffer.handle());
    await hear("done");
  };
}

/** A part that attaches to a buffer, maps it and reads it. */
function importer(timeout = Infinity) {
  return async ({ domain, say, hear }: Stage): Promise<void> => {
    using buffer = domain.import(await hear<BufferHandleData>("buffer"));
    try {
      using attachment = await buffer.attach({ name: "device" }, { timeout });
      (await attachment.map("read", { timeout })).close();
      (await buffer.access("read", { timeout })).close();
    } finally {
      say("done");
    }
  };
}
