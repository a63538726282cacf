/** The kernel's descriptors for the common cases. */
import { isDmaBufError } from "../support.js";
import { PAGE_SIZE } from "../../../src/index.js";
import {
  DmaHeap,
  DrmDevice,
  DrmSyncobj,
  SoftwareSyncTimeline,
  SyncFileDescriptor,
  VgemFence,
  type DmaBufDescriptor,
} from "../../../src/linux/index.js";
import type { BufferLike, PointLike, SyncFileLike, SyncobjLike, TimelineLike, World } from "./world.js";

export interface KernelWorld extends World {
  readonly heap: DmaHeap;
  /** The card of vgem. */
  readonly card: DrmDevice;
}

export function kernelWorld(): KernelWorld {
  const owned: Disposable[] = [];
  const own = <T extends Disposable>(thing: T): T => {
    owned.push(thing);
    return thing;
  };
  const heap = own(DmaHeap.open());
  const card = own(DrmDevice.find("vgem", "card")!);
  const file = (like: SyncFileLike): SyncFileDescriptor => like as SyncFileDescriptor;
  const pages = PAGE_SIZE / 4;
  return {
    name: "kernel",
    heap,
    card,
    timeline: () => timelineLike(own(SoftwareSyncTimeline.create()), own),
    merge: (name, a, b) => own(SyncFileDescriptor.merge(name, file(a), file(b))),
    allocate: (size) => bufferLike(own(heap.allocate(size)), own),
    deviceBuffer: () => {
      const image = card.createDumbBuffer(pages, 1);
      // Before the device: its buffers go with it.
      owned.unshift(image);
      return {
        buffer: bufferLike(own(image.export()), own),
        work: (mode) => {
          const fence = VgemFence.create(image, mode);
          return () => fence.signal();
        },
      };
    },
    syncobj: (options) => syncobjLike(DrmSyncobj.create(card, options), own),
    syncobjs: {
      reset: (all) => DrmSyncobj.reset(all.map(syncobjOf)),
      signal: (all) => DrmSyncobj.signal(all.map(syncobjOf)),
      signalPoints: (all) => DrmSyncobj.signalPoints(all.map(pointOf)),
      query: (all) => DrmSyncobj.query(all.map(syncobjOf)).map(Number),
      waitSync: (all, options) => DrmSyncobj.waitSync(all.map(pointOf), options),
      transfer: (from, to) => DrmSyncobj.transfer(pointOf(from), pointOf(to)),
    },
    close: () => {
      for (const thing of owned.reverse()) thing[Symbol.dispose]();
    },
  };
}

type Own = <T extends Disposable>(thing: T) => T;

function timelineLike(timeline: SoftwareSyncTimeline, own: Own): TimelineLike {
  return {
    fence: (value) => own(timeline.createFence(value)),
    advance: (amount) => timeline.advance(amount),
    deadline: (file) => {
      try {
        return Number(timeline.deadline(file as SyncFileDescriptor));
      } catch (error) {
        if (isDmaBufError(error, "ENOENT")) return undefined;
        throw error;
      }
    },
    close: () => timeline.close(),
  };
}

function bufferLike(buffer: DmaBufDescriptor, own: Own): BufferLike {
  return {
    size: buffer.size,
    setName: (name) => buffer.setName(name),
    get references() {
      return buffer.statistics().references;
    },
    get shownName() {
      return buffer.statistics().name;
    },
    seek: (offset, whence) => buffer.seek(offset, whence),
    map: (range) => buffer.map("read-write", range),
    begin: (mode, options) => buffer.beginCpuAccess(mode, options),
    end: (mode) => buffer.endCpuAccess(mode),
    isReady: (mode) => buffer.isReady(mode),
    ready: (mode, options) => buffer.ready(mode, options),
    exportSyncFile: (mode) => own(buffer.exportSyncFile(mode)),
    importSyncFile: (mode, file) => buffer.importSyncFile(mode, file as SyncFileDescriptor),
    another: () => bufferLike(own(buffer.duplicate()), own),
    close: () => buffer.close(),
  };
}

const originals = new WeakMap<SyncobjLike, DrmSyncobj>();

function syncobjLike(syncobj: DrmSyncobj, own: Own): SyncobjLike {
  const like: SyncobjLike = {
    reset: () => syncobj.reset(),
    signal: () => syncobj.signal(),
    signalPoint: (point) => syncobj.signalPoint(point),
    query: (options) => Number(syncobj.query(options)),
    waitSync: (options) => syncobj.waitSync(options),
    importSyncFile: (file) => syncobj.importSyncFile(file as SyncFileDescriptor),
    exportSyncFile: () => own(syncobj.exportSyncFile()),
    another: () => {
      using exported = syncobj.export();
      return syncobjLike(DrmSyncobj.import(syncobj.device, exported), own);
    },
    onPoint: (point, options) => {
      const event = own(syncobj.onPoint(point, options));
      return () => {
        // Behind a chain the event comes by deferred work: a look at the syncobj brings it at once.
        try {
          syncobj.waitSync({ point, timeout: 0 });
        } catch (error) {
          if (!isDmaBufError(error, "EINVAL")) throw error;
        }
        return event.isReady();
      };
    },
    close: () => syncobj.close(),
  };
  originals.set(like, syncobj);
  return like;
}

function syncobjOf(like: SyncobjLike): DrmSyncobj {
  return originals.get(like)!;
}

function pointOf({ syncobj, point }: PointLike): { syncobj: DrmSyncobj; point: number } {
  return { syncobj: syncobjOf(syncobj), point };
}
