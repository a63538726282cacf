import { readFileSync } from "node:fs";

/** How many mappings of this process are of a gigabyte or more: a shared `WebAssembly.Memory` has one. */
export function largeMappings(): number {
  const maps = readFileSync("/proc/self/maps", "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+)/gm);
  return [...maps].filter(([, from, to]) => Number(`0x${to}`) - Number(`0x${from}`) >= 2 ** 30).length;
}
