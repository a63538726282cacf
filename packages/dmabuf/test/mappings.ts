import { readFileSync } from "node:fs";

/**
 * How many gibibytes of addresses are in mappings of a gibibyte or more: in Node.js a shared `WebAssembly.Memory` reserves some.
 * The mappings are not counted, since the kernel makes one of two that are side by side.
 */
export function reservedGibibytes(): number {
  const maps = readFileSync("/proc/self/maps", "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+)/gm);
  const sizes = [...maps].map(([, from, to]) => (Number(`0x${to}`) - Number(`0x${from}`)) / 2 ** 30);
  return Math.round(sizes.filter((size) => size >= 1).reduce((sum, size) => sum + size, 0));
}
