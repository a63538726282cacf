import { request } from "../ioctl.js";
import { Struct } from "../struct.js";
import type { VideoDirection } from "./format.js";

/** The requests of video devices. @see linux/include/uapi/linux/videodev2.h */
export const VIDEO = {
  QUERYCAP: request("VIDIOC_QUERYCAP", "read", "V", 0, {
    driver: { text: 16 },
    card: { text: 32 },
    bus: { text: 32 },
    version: "u32",
    capabilities: "u32",
    deviceCapabilities: "u32",
    reserved: { bytes: 12, align: 4 },
  }),
  ENUM_FMT: request("VIDIOC_ENUM_FMT", "read-write", "V", 2, {
    index: "u32",
    type: "u32",
    flags: "u32",
    description: { text: 32 },
    pixelFormat: "u32",
    busCode: "u32",
    reserved: { bytes: 12, align: 4 },
  }),
  G_FMT: request("VIDIOC_G_FMT", "read-write", "V", 4, { type: "u32", format: { bytes: 200, align: 8 } }),
  S_FMT: request("VIDIOC_S_FMT", "read-write", "V", 5, { type: "u32", format: { bytes: 200, align: 8 } }),
  REQBUFS: request("VIDIOC_REQBUFS", "read-write", "V", 8, {
    count: "u32",
    type: "u32",
    memory: "u32",
    capabilities: "u32",
    flags: "u8",
    reserved: { bytes: 3 },
  }),
  QUERYBUF: request("VIDIOC_QUERYBUF", "read-write", "V", 9, bufferFields()),
  QBUF: request("VIDIOC_QBUF", "read-write", "V", 15, bufferFields()),
  EXPBUF: request("VIDIOC_EXPBUF", "read-write", "V", 16, {
    type: "u32",
    index: "u32",
    plane: "u32",
    flags: "u32",
    fd: "s32",
    reserved: { bytes: 44, align: 4 },
  }),
  DQBUF: request("VIDIOC_DQBUF", "read-write", "V", 17, bufferFields()),
  STREAMON: request("VIDIOC_STREAMON", "write", "V", 18, { type: "u32" }),
  STREAMOFF: request("VIDIOC_STREAMOFF", "write", "V", 19, { type: "u32" }),
} as const;

/** The kernel's number for the queue of a direction. */
export function queueType(device: { readonly isMultiPlanar: boolean }, direction: VideoDirection): number {
  if (device.isMultiPlanar) return direction === "capture" ? QUEUE_TYPE.CAPTURE_MULTI : QUEUE_TYPE.OUTPUT_MULTI;
  return direction === "capture" ? QUEUE_TYPE.CAPTURE : QUEUE_TYPE.OUTPUT;
}

/** The `format` of a queue whose images have one plane. */
export const SINGLE_FORMAT = new Struct({
  width: "u32",
  height: "u32",
  pixelFormat: "u32",
  field: "u32",
  stride: "u32",
  size: "u32",
  colorSpace: "u32",
  priv: "u32",
  flags: "u32",
  encoding: "u32",
  quantization: "u32",
  transfer: "u32",
});

/** The `format` of a queue whose images may have several planes; its planes are {@link PLANE_FORMAT}s. */
export const MULTI_FORMAT = new Struct({
  width: "u32",
  height: "u32",
  pixelFormat: "u32",
  field: "u32",
  colorSpace: "u32",
  planes: { bytes: 160, align: 4 },
  planeCount: "u8",
  flags: "u8",
  encoding: "u8",
  quantization: "u8",
  transfer: "u8",
  reserved: { bytes: 7 },
});

export const PLANE_FORMAT = new Struct({ size: "u32", stride: "u32", reserved: { bytes: 12 } });

/** One plane of a buffer of several. `memory` is an offset for the device's memory, and a descriptor for dma-bufs. */
export const PLANE = new Struct({
  bytesUsed: "u32",
  length: "u32",
  memory: "u64",
  dataOffset: "u32",
  reserved: { bytes: 44, align: 4 },
});

const QUEUE_TYPE = { CAPTURE: 1, OUTPUT: 2, CAPTURE_MULTI: 9, OUTPUT_MULTI: 10 } as const;
export const MEMORY = { DEVICE: 1, DMABUF: 4 } as const;
export const CAPABILITY = {
  CAPTURE: 0x1,
  OUTPUT: 0x2,
  CAPTURE_MULTI: 0x1000,
  OUTPUT_MULTI: 0x2000,
  CONVERT_MULTI: 0x4000,
  CONVERT: 0x8000,
  STREAMING: 0x0400_0000,
} as const;
export const BUFFER_FLAG = { ERROR: 0x40, LAST: 0x0010_0000 } as const;
export const MOST_PLANES = 8;

/** `memory` is an offset, the address of planes, or a descriptor. */
function bufferFields() {
  return {
    index: "u32",
    type: "u32",
    bytesUsed: "u32",
    flags: "u32",
    field: "u32",
    seconds: "s64",
    microseconds: "s64",
    timecode: { bytes: 16, align: 4 },
    sequence: "u32",
    memoryKind: "u32",
    memory: "u64",
    length: "u32",
    reserved: "u32",
    requestFd: "s32",
  } as const;
}
