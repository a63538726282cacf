import type { ModuleMemory } from "../src/index.js";

/**
 * A module as a program would have one: filters over pixels by SIMD, written in AssemblyScript and compiled here. It keeps
 * nothing in its memory, which it imports.
 */
export interface Filters {
  /** NV12, BT.601, to RGBA; the width is a multiple of 8, the height of 2. */
  readonly toRgba: (nv12: number, rgba: number, width: number, height: number) => void;
  /** How many bytes differ by more than a threshold; the count is a multiple of 16. */
  readonly differing: (a: number, b: number, bytes: number, threshold: number) => number;
  /** The mean of each byte and its two neighbours, weighted 2, 1 and 1; both ends of the row of all are left out. */
  readonly blur: (from: number, to: number, bytes: number) => void;
  readonly sum: (at: number, bytes: number) => number;
  /** Ways to write. */
  readonly store: (at: number) => void;
  readonly storeVector: (at: number) => void;
  readonly fill: (at: number, bytes: number) => void;
  readonly atomicAdd: (at: number) => void;
}

const SOURCE = `
// @ts-nocheck
@inline function clamp(even: v128): v128 { return i8x16.narrow_i16x8_u(even, even); }

export function toRgba(nv12: usize, rgba: usize, width: i32, height: i32): void {
  const chroma = nv12 + width * height;
  const opaque = i8x16.splat(-1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += 8) {
      const luma = i16x8.mul(i16x8.sub(v128.load_ext<u8>(nv12 + y * width + x), i16x8.splat(16)), i16x8.splat(74));
      const pairs = v128.load64_zero(chroma + (y >> 1) * width + x);
      const u = i16x8.sub(i16x8.extend_low_i8x16_u(i8x16.swizzle(pairs, i8x16(0, 0, 2, 2, 4, 4, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0))), i16x8.splat(128));
      const v = i16x8.sub(i16x8.extend_low_i8x16_u(i8x16.swizzle(pairs, i8x16(1, 1, 3, 3, 5, 5, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0))), i16x8.splat(128));
      const r = clamp(i16x8.shr_s(i16x8.add_sat_s(luma, i16x8.mul(v, i16x8.splat(102))), 6));
      const g = clamp(i16x8.shr_s(i16x8.sub_sat_s(i16x8.sub_sat_s(luma, i16x8.mul(v, i16x8.splat(52))), i16x8.mul(u, i16x8.splat(25))), 6));
      const b = clamp(i16x8.shr_s(i16x8.add_sat_s(luma, i16x8.mul(u, i16x8.splat(129))), 6));
      const rg = i8x16.shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const ba = i8x16.shuffle(b, opaque, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const to = rgba + 4 * (y * width + x);
      v128.store(to, i8x16.shuffle(rg, ba, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23));
      v128.store(to, i8x16.shuffle(rg, ba, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31), 16);
    }
  }
}

export function differing(a: usize, b: usize, bytes: i32, threshold: i32): i32 {
  const limit = i8x16.splat(<i8>threshold);
  let count = 0;
  for (let i = 0; i < bytes; i += 16) {
    const x = v128.load(a + i);
    const y = v128.load(b + i);
    const apart = v128.or(i8x16.sub_sat_u(x, y), i8x16.sub_sat_u(y, x));
    count += popcnt(i8x16.bitmask(i8x16.gt_u(apart, limit)));
  }
  return count;
}

export function blur(from: usize, to: usize, bytes: i32): void {
  let i = 1;
  for (; i + 17 <= bytes; i += 16) {
    const sides = i8x16.avgr_u(v128.load(from + i - 1), v128.load(from + i + 1));
    v128.store(to + i, i8x16.avgr_u(v128.load(from + i), sides));
  }
  for (; i + 1 < bytes; i++) {
    const sides = (<i32>load<u8>(from + i - 1) + <i32>load<u8>(from + i + 1) + 1) >> 1;
    store<u8>(to + i, (<i32>load<u8>(from + i) + sides + 1) >> 1);
  }
}

export function sum(at: usize, bytes: i32): i32 {
  let sum = 0;
  for (let i = 0; i < bytes; i++) sum += load<u8>(at + i);
  return sum;
}

function put(at: usize): void { store<u8>(at, 1); }
export { put as store };
export function storeVector(at: usize): void { v128.store(at, i8x16.splat(1)); }
export function fill(at: usize, bytes: i32): void { memory.fill(at, 1, bytes); }
export function atomicAdd(at: usize): void { atomic.add<i32>(at, 1); }
`;

const COMPILER: string = "assemblyscript/asc";
const FLAGS = "--enable threads,simd,bulk-memory --runtime stub -O3 --importMemory --outFile filters.wasm".split(" ");
const SHARED = ["--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"];

/** @returns The binary of {@link Filters}. */
async function compileFilters(isShared = false): Promise<Uint8Array<ArrayBuffer>> {
  // Its types are not those of Node.js: it declares a console and a WebAssembly of its own.
  const { default: asc } = (await import(COMPILER)) as { readonly default: Compiler };
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main(["filters.ts", ...FLAGS, ...(isShared ? SHARED : [])], {
    readFile: (name) => (name === "filters.ts" ? SOURCE : null),
    writeFile(_name, contents) {
      binary = Uint8Array.from(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) throw new Error(`The filters do not compile: ${stderr.toString()}`);
  return binary;
}

export async function createFilters(memory: ModuleMemory): Promise<Filters> {
  const binary = await compileFilters(memory.buffer instanceof SharedArrayBuffer);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
  return exports as unknown as Filters;
}

interface Compiler {
  main(
    args: readonly string[],
    host: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>;
}
