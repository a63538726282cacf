import type { ElementType } from "dmabuf";

/** Elements of a tensor, or samples of audio, as numbers. All are little-endian. */
export interface Elements {
  readonly length: number;
  at(index: number): number;
}

type Read = (view: DataView, at: number) => number;

const READERS: Readonly<Record<ElementType, readonly [bytes: number, read: Read]>> = {
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  bool: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at) => view.getInt16(at, true)],
  uint16: [2, (view, at) => view.getUint16(at, true)],
  float16: [2, (view, at) => halfFloat(view.getUint16(at, true))],
  bfloat16: [2, (view, at) => brainFloat(view.getUint16(at, true))],
  int32: [4, (view, at) => view.getInt32(at, true)],
  uint32: [4, (view, at) => view.getUint32(at, true)],
  float32: [4, (view, at) => view.getFloat32(at, true)],
  float64: [8, (view, at) => view.getFloat64(at, true)],
  int64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  uint64: [8, (view, at) => Number(view.getBigUint64(at, true))],
};

/** The elements that are whole in the bytes. */
export function elementsOf(type: ElementType, bytes: Uint8Array): Elements {
  const [size, read] = READERS[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { length: Math.floor(bytes.length / size), at: (index) => read(view, index * size) };
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const WORD = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function brainFloat(bits: number): number {
  WORD.setUint32(0, bits * 0x10000);
  return WORD.getFloat32(0);
}
