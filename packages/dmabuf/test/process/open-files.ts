import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What this process has open, by kind: `3 × pipe`. */
export function openFiles(): string[] {
  const counts = new Map<string, number>();
  for (const fd of readdirSync("/proc/self/fd")) {
    const kind = kindOf(fd);
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${count} × ${kind}`).sort();
}

/** How many mappings of memory files this process has. */
export function mappedFiles(): number {
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  return maps.filter((line) => line.includes("memfd:dmabuf")).length;
}

let gc: (() => void) | undefined;

/** Needs no option of Node.js. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  gc ??= runInNewContext("gc") as () => void;
  gc();
}

function kindOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, "");
  } catch {
    // The one through which the folder was read.
    return undefined;
  }
}
