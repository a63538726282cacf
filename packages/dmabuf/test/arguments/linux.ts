import { openSync } from "node:fs";
import * as linux from "../../src/linux/index.js";
import type { World } from "./core.js";
import type { Exceptions } from "./nonsense.js";
import type { PublicFunction } from "./surface.js";

/**
 * What the functions of `dmabuf/linux` are called with, rightly. Most machines have no such devices, and they are not needed:
 * a function looks at its arguments before it does anything, so that it can be called on an object that is nothing but of
 * its class. One that looks too late says in the engine's words that there is nothing in it.
 */

type Class = { readonly prototype: object };

/** An object of a class, without anything in it. */
function empty(type: Class): object {
  return Object.create(type.prototype) as object;
}

export const RECEIVERS: Readonly<Record<string, () => object>> = Object.fromEntries(
  Object.entries(linux)
    .filter((entry): entry is [string, Class & (typeof entry)[1]] => "prototype" in entry[1])
    .map(([name, type]) => [name, () => empty(type)]),
);

const NOW = { timeout: 0 };
const OPEN = (): number => openSync("/dev/null", "r");
const dmaBuf = (): object => empty(linux.DmaBufDescriptor);
const syncFile = (): object => empty(linux.SyncFileDescriptor);
const drmDevice = (): object => empty(linux.DrmDevice);
const drmBuffer = (): object => empty(linux.DrmBuffer);
const syncobj = (): object => empty(linux.DrmSyncobj);
const point = (): object => ({ syncobj: syncobj(), point: 1 });
const image = (): object => empty(linux.Framebuffer);
const camera = (): object => empty(linux.VideoDevice);
const layout = { width: 4, height: 4, pixelFormat: "XR24", planes: [{ offset: 0, stride: 16 }] };
const range = { memfd: 0, offset: 0, size: 4096 };

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "descriptorFrom()": () => [OPEN(), "nothing"],
  "dmaBufFrom()": () => [OPEN()],
  "DmaBufDescriptor.seek()": () => [0, "end"],
  "createMemoryView()": () => [0, "read", { offset: 0, length: 4096 }],
  "DmaBufDescriptor.map()": () => ["read", {}],
  "DmaBufDescriptor.beginCpuAccess()": () => ["read", NOW],
  "DmaBufDescriptor.beginCpuAccessSync()": () => ["read", NOW],
  "DmaBufDescriptor.endCpuAccess()": () => ["read"],
  "DmaBufDescriptor.access()": () => ["read", () => {}, NOW],
  "DmaBufDescriptor.accessSync()": () => ["read", () => {}, NOW],
  "DmaBufDescriptor.setName()": () => ["name"],
  "DmaBufDescriptor.isReady()": () => ["read"],
  "DmaBufDescriptor.ready()": () => ["read", NOW],
  "DmaBufDescriptor.readySync()": () => ["read", NOW],
  "syncFileFrom()": () => [OPEN()],
  "SyncFileDescriptor.merge()": () => ["name", syncFile(), syncFile()],
  "SyncFileDescriptor.wait()": () => [NOW],
  "SyncFileDescriptor.waitSync()": () => [NOW],
  "SyncFileDescriptor.setDeadline()": () => [1],
  "DmaBufDescriptor.exportSyncFile()": () => ["read"],
  "DmaBufDescriptor.importSyncFile()": () => ["read", syncFile()],
  "DmaHeap.open()": () => ["no such heap"],
  "DmaHeap.allocate()": () => [4096],
  "SoftwareSyncTimeline.createFence()": () => [1],
  "SoftwareSyncTimeline.advance()": () => [1],
  "SoftwareSyncTimeline.deadline()": () => [syncFile()],
  "createSealedMemory()": () => ["name", 65_536],
  "UdmabufDevice.create()": () => [range],
  "UdmabufDevice.createList()": () => [[range]],
  "DrmDevice.open()": () => ["/dev/dri/none"],
  "DrmDevice.find()": () => ["none", "card"],
  "DrmDevice.capability()": () => ["PRIME"],
  "DrmDevice.createDumbBuffer()": () => [4, 4, 32],
  "DrmDevice.importBuffer()": () => [dmaBuf()],
  "DrmBuffer.export()": () => ["read"],
  "Display.connectors()": () => [drmDevice()],
  "Display.open()": () => [drmDevice(), {}],
  "Display.queue()": () => [image(), {}],
  "Display.show()": () => [image(), {}],
  "Display.showSync()": () => [image(), {}],
  "Framebuffer.create()": () => [drmBuffer(), layout],
  "present()": (world) => [world.endedStream(), empty(linux.Display), {}],
  "DrmSyncobj.create()": () => [drmDevice(), {}],
  "DrmSyncobj.import()": () => [drmDevice(), empty(linux.Descriptor)],
  "DrmSyncobj.waitSync()": () => [[syncobj()], NOW],
  "DrmSyncobj.reset()": () => [[syncobj()]],
  "DrmSyncobj.signal()": () => [[syncobj()]],
  "DrmSyncobj.signalPoints()": () => [[point()]],
  "DrmSyncobj.query()": () => [[syncobj()], {}],
  "DrmSyncobj.transfer()": () => [point(), point()],
  "DrmSyncobj.importSyncFile()": () => [syncFile()],
  "DrmSyncobj.signalPoint()": () => [1],
  "DrmSyncobj#query()": () => [{}],
  "DrmSyncobj#waitSync()": () => [NOW],
  "DrmSyncobj.wait()": () => [NOW],
  "DrmSyncobj.onPoint()": () => [1, {}],
  "VgemFence.create()": () => [drmBuffer(), "read"],
  "handOver()": (world) => [world.buffer(), "read", dmaBuf(), NOW],
  "handOverSync()": (world) => [world.buffer(), "read", dmaBuf(), NOW],
  "importDescriptor()": ({ domain }) => [domain, dmaBuf(), {}],
  "kernelFence()": ({ domain }) => [domain, syncFile()],
  "kernelSyncFile()": ({ domain }) => [domain, syncFile()],
  "capture()": () => [camera(), {}],
  "VideoDevice.open()": () => ["/dev/none"],
  "VideoDevice.pixelFormats()": () => ["capture"],
  "VideoDevice.format()": () => ["capture"],
  "VideoDevice.setFormat()": () => ["capture", {}],
  "VideoQueue.export()": () => [0, 0],
  "VideoQueue.enqueue()": () => [0, {}],
  "VideoQueue.dequeue()": () => [NOW],
  "VideoQueue.dequeueSync()": () => [NOW],
  "VideoDevice.createQueue()": () => ["capture", {}],
  "record()": (world) => [camera(), world.stream(), {}],
  "streamFormat()": () => [{ width: 4, height: 4, pixelFormat: "GREY", planes: [{ stride: 4, size: 16 }] }],
  "ExportedBuffer.create()": (world) => [world.buffer(), NOW],
  "ExportedBuffer.createSync()": (world) => [world.buffer(), NOW],
};

export const EXCEPTIONS: Exceptions = {
  // The names of sync files are cut, as the kernel does it.
  "SyncFileDescriptor.merge() name": ["100 kB of text"],
};

/** Functions of objects that only a device makes: no empty object has them. */
export function isUntried({ owner }: PublicFunction): boolean {
  return owner === "KernelBuffer";
}
