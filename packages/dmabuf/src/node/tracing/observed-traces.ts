import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "../../errors.js";
import type { ObservedSegment } from "../observing/observed-segment.js";
import { allDescriptors, unlessGone } from "../observing/processes.js";
import { contentsOf, ENDING, traceFileOf, type TraceFile } from "./read-trace.js";

/** A process has a file mapped: its path is the last in the line. */
const MAPPED = /^\S+ \S+ \S+ \S+ [1-9]\d* +(\/.*\.dmatrace)$/gm;

/**
 * What the agents of a domain trace: the files that its processes have mapped, and those of its dead agents beside them.
 *
 * @param since Events before it are left out: monotonic nanoseconds.
 */
export function tracesOf(segment: ObservedSegment, since: number): TraceFile[] {
  const { domain, registerName } = segment;
  const processes = new Set(allDescriptors().flatMap(({ pid, name }) => (name === registerName ? [pid] : [])));
  // A process in a container has its own root.
  const found = new Map<string, string>();
  for (const process of processes) {
    const root = `/proc/${process}/root`;
    const folders = new Set(mappedBy(process).map((path) => dirname(path)));
    for (const folder of folders) {
      for (const name of unlessGone(() => readdirSync(join(root, folder))) ?? []) {
        if (name.startsWith(domain) && name.endsWith(ENDING)) found.set(join(folder, name), join(root, folder, name));
      }
    }
  }
  const files = [...found].flatMap(([path, reached]) => fileAt(path, reached, since));
  return files.filter((file) => file.domain === domain).sort((a, b) => a.startedAt - b.startedAt);
}

function mappedBy(process: number): string[] {
  const maps = unlessGone(() => readFileSync(`/proc/${process}/maps`, "utf8")) ?? "";
  return Array.from(maps.matchAll(MAPPED), ([, path]) => path!);
}

/** Nothing if it has just been removed. */
function fileAt(path: string, reached: string, since: number): TraceFile[] {
  try {
    const contents = contentsOf(reached);
    return [traceFileOf(path, { ...contents, events: contents.events.filter(({ at }) => at >= since) })];
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
