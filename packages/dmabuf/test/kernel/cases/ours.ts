/** The library's own objects for the common cases. */
import { Domain, PAGE_SIZE, Syncobj, SyncFile, type DmaBuf, type SoftwareTimeline } from "../../../src/index.js";
import { addFence } from "../../conformance/buffers.js";
import type { BufferLike, PointLike, SyncFileLike, SyncobjLike, TimelineLike, World } from "./world.js";

export function ourWorld(): World {
  const domain = Domain.create({ name: "app" });
  const file = (like: SyncFileLike): SyncFile => like as SyncFile;
  return {
    name: "ours",
    timeline: () => timelineLike(domain, domain.createSoftwareTimeline()),
    merge: (name, a, b) => SyncFile.merge(name, file(a), file(b)),
    allocate: (size) => bufferLike(domain, domain.allocate(size)),
    deviceBuffer: () => {
      const buffer = domain.allocate(PAGE_SIZE);
      const work = (mode: "read" | "write") => {
        const fence = addFence(domain, buffer, mode);
        return () => void fence.signal();
      };
      return { buffer: bufferLike(domain, buffer), work };
    },
    syncobj: (options) => syncobjLike(domain.createSyncobj(options)),
    syncobjs: {
      reset: (all) => Syncobj.reset(all.map(syncobjOf)),
      signal: (all) => Syncobj.signal(all.map(syncobjOf)),
      signalPoints: (all) => Syncobj.signalPoints(all.map(pointOf)),
      query: (all) => Syncobj.query(all.map(syncobjOf)),
      waitSync: (all, options) => Syncobj.waitSync(all.map(pointOf), options),
      transfer: (from, to) => Syncobj.transfer(pointOf(from), pointOf(to)),
    },
    close: () => domain.close(),
  };
}

function timelineLike(domain: Domain, timeline: SoftwareTimeline): TimelineLike {
  return {
    fence: (value) => domain.createSyncFile(timeline.createFence(value)),
    advance: (amount) => timeline.advance(amount),
    deadline: (file) => timeline.deadline((file as SyncFile).fence),
    close: () => timeline.close(),
  };
}

function bufferLike(domain: Domain, buffer: DmaBuf): BufferLike {
  return {
    size: buffer.size,
    setName: (name) => void (buffer.name = name),
    get references() {
      return Number(/count:\t(\d+)/.exec(buffer.describe())![1]);
    },
    get shownName() {
      return buffer.name === "" ? undefined : buffer.name;
    },
    seek: (offset, whence) => buffer.seek(offset, whence),
    map: (range) => {
      const map = buffer.mmap(range);
      return { bytes: map.bytes, close: () => map[Symbol.dispose]() };
    },
    begin: (mode, options) => buffer.beginCpuAccess(mode, options),
    end: (mode) => buffer.endCpuAccess(mode),
    isReady: (mode) => buffer.isReady(mode),
    ready: (mode, options) => buffer.ready(mode, options),
    exportSyncFile: (mode) => buffer.exportSyncFile(mode),
    importSyncFile: (mode, file) => buffer.importSyncFileSync(mode, file as SyncFile),
    another: () => bufferLike(domain, domain.import(buffer.handle())),
    close: () => buffer.close(),
  };
}

const originals = new WeakMap<SyncobjLike, Syncobj>();

function syncobjLike(syncobj: Syncobj): SyncobjLike {
  const like: SyncobjLike = {
    reset: () => syncobj.reset(),
    signal: () => syncobj.signal(),
    signalPoint: (point) => syncobj.signalPoint(point),
    query: (options) => syncobj.query(options),
    waitSync: (options) => syncobj.waitSync(options),
    importSyncFile: (file) => syncobj.importSyncFile(file as SyncFile),
    exportSyncFile: () => syncobj.exportSyncFile(),
    another: () => syncobjLike(syncobj.duplicate()),
    onPoint: (point, options) => {
      let runs = 0;
      const callback = syncobj.onPoint(point, () => runs++, options);
      void callback;
      return () => runs > 0;
    },
    close: () => syncobj.close(),
  };
  originals.set(like, syncobj);
  return like;
}

function syncobjOf(like: SyncobjLike): Syncobj {
  return originals.get(like)!;
}

function pointOf({ syncobj, point }: PointLike): { syncobj: Syncobj; point: number } {
  return { syncobj: syncobjOf(syncobj), point };
}
