import { existsSync, readFileSync } from "node:fs";
import { DmaBufError } from "../../errors.js";
import type { DmaBufDescriptor } from "../dma-buf.js";
import { DmaHeap, HEAP_FOLDER } from "../heap.js";
import { createSealedMemory, UDMABUF_PATH, UdmabufDevice } from "../udmabuf.js";
import { tryFeature, type Finding, type Subject } from "./finding.js";

const PAGE = 4096;

/** Where dma-bufs come from without a device, and what the kernel's dma-bufs can do. */
export function surveyAllocators(): Finding[] {
  let buffer: DmaBufDescriptor | undefined;
  try {
    const udmabuf = surveyUdmabuf((made) => (buffer ??= made));
    const heaps = surveyHeaps((made) => (buffer ??= made));
    return [...heaps, udmabuf, ...surveyFences(buffer), surveyStatistics()];
  } finally {
    buffer?.close();
  }
}

function surveyHeaps(keep: (made: DmaBufDescriptor) => unknown): Finding[] {
  const names = DmaHeap.list();
  const use = "buffers of memory that devices can use";
  if (names.length === 0) {
    const advice = "It needs a kernel built with CONFIG_DMABUF_HEAPS and a heap, as CONFIG_DMABUF_HEAPS_SYSTEM.";
    return [{ name: "dma-heaps", use, since: "5.6", state: "absent", detail: `no heap in ${HEAP_FOLDER}`, advice }];
  }
  return names.map((name): Finding => {
    const subject: Subject = { name: `heap "${name}"`, use, since: "5.6" };
    const run = (): string => {
      using heap = DmaHeap.open(name);
      const made = heap.allocate(PAGE);
      if (keep(made) !== made) made.close();
      return "allocates";
    };
    return tryFeature(subject, "The heap is there and gave no memory.", run, `${HEAP_FOLDER}/${name}`);
  });
}

function surveyUdmabuf(keep: (made: DmaBufDescriptor) => unknown): Finding {
  const subject: Subject = {
    name: "udmabuf",
    use: "buffers of this library for devices, without a copy",
    since: "4.20",
  };
  const advice = "Load its module: modprobe udmabuf. It needs a kernel built with CONFIG_UDMABUF.";
  const run = (): string => {
    using udmabuf = UdmabufDevice.open();
    using memory = createSealedMemory("doctor", PAGE);
    keep(udmabuf.create({ memfd: memory.fd, offset: 0, size: PAGE }));
    const limit = (name: string): string => readText(`/sys/module/udmabuf/parameters/${name}`) ?? "unknown";
    return `at most ${limit("size_limit_mb")} MiB and ${limit("list_limit")} pieces a buffer`;
  };
  return tryFeature(subject, advice, run, UDMABUF_PATH);
}

/** What needs a dma-buf to be tried. */
function surveyFences(buffer: DmaBufDescriptor | undefined): Finding[] {
  const sync: Subject = { name: "sync files of a dma-buf", use: "fences of devices, and waits for them", since: "6.0" };
  const deadline: Subject = { name: "deadlines", use: "hints to devices by when a frame is needed", since: "6.4" };
  if (buffer === undefined) {
    const unknown = { state: "absent", detail: "could not be tried: there is no allocator of dma-bufs" } as const;
    return [sync, deadline].map((subject) => ({ ...subject, ...unknown, advice: "See the allocators." }));
  }
  return [
    tryFeature(sync, "Take a later kernel.", () => {
      using file = buffer.exportSyncFile("write");
      return `exported, ${file.status === 1 ? "signaled" : "pending"}`;
    }),
    tryFeature(deadline, "Take a later kernel.", () => {
      using file = buffer.exportSyncFile("write");
      file.setDeadline(1);
      return "taken";
    }),
  ];
}

function surveyStatistics(): Finding {
  const subject: Subject = { name: "statistics in sysfs", use: "size and exporter of all dma-bufs", since: "5.13" };
  const path = "/sys/kernel/dmabuf/buffers";
  const advice = "It needs a kernel built with CONFIG_DMABUF_SYSFS_STATS, before 7.0; nothing else depends on it.";
  return tryFeature(subject, advice, () => {
    if (!existsSync(path)) throw new DmaBufError("ENOENT", `there is no ${path}`);
    return path;
  });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
