import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { check, isText, TEXT, type Kind } from "../../arguments.js";
import { eventFrom, type TraceEvent } from "../../domain/trace-points.js";
import { DmaBufError, errnoOf } from "../../errors.js";
import { traceFolder } from "./trace-folder.js";
import { readRing, type RingContents } from "../../trace/read-ring.js";

/** How the files' names end. */
export const ENDING = ".dmatrace";

const PATH: Kind = {
  ...TEXT,
  wanted: "the path of a file or a folder",
  isTaken: (path: string) => path !== "" && isText(path) && Buffer.byteLength(path) <= 4095,
};

/** What one agent has traced, as far as its file still holds it. Data alone: it can be sent, and made JSON of. */
export interface TraceFile {
  /** The file. */
  readonly path: string;
  /** The domain, as its handles name it. */
  readonly domain: string;
  /** Who has traced. */
  readonly agent: TracedAgent;
  /** When it began, in monotonic nanoseconds. */
  readonly startedAt: number;
  /** The wall clock at that moment: milliseconds since 1970. */
  readonly wallClock: number;
  /** Whether the agent has left its domain. False: it is still there, or has died. */
  readonly hasLeft: boolean;
  /** The oldest first. */
  readonly events: readonly TraceEvent[];
  /** How many older events were lost, since the file has no room for more. */
  readonly lost: number;
  /** How many events have no name, since the file has no room for more names. */
  readonly namesLost: number;
}

/** The agent that has written a trace. */
export interface TracedAgent {
  /** As events name it. */
  readonly identity: number;
  /** The agent's name, for people. */
  readonly name: string;
  /** The number of its process. */
  readonly process: number;
}

/**
 * What agents have traced, also those that have died, at any moment: one file for each. Nothing is changed, and no agent is
 * needed for it.
 *
 * @param path A file, or a folder of them. Default: the folder where `DMABUF_TRACE=1` puts them, if it is there.
 * @returns In the order in which they began. A folder without one gives an empty list.
 * @throws {DmaBufError} `ENOENT` if there is no such file or folder; `EACCES` if this process may not read it; `EPROTO` if a
 *   file is damaged, or of another version: the message says which, and what is wrong.
 * @example
 * ```ts
 * import { readTrace } from "dmabuf/node";
 * import { mkdtempSync } from "node:fs";
 *
 * const folder = mkdtempSync("/tmp/traces-"); // mostly what DMABUF_TRACE names
 * for (const { agent, events } of readTrace(folder)) {
 *   for (const { at, point, thing, name } of events) console.log(at, agent.name, point, thing, name);
 * }
 * ```
 */
export function readTrace(path?: string): TraceFile[] {
  if (path === undefined) {
    const folder = traceFolder();
    return existsSync(folder) ? readTrace(folder) : [];
  }
  check("readTrace()", "path", path, PATH);
  const files = attempt(path, () =>
    statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => name.endsWith(ENDING) && !basename(name).startsWith("."))
          .map((name) => join(path, name))
      : [path],
  );
  return files.map(readTraceFile).sort((a, b) => a.startedAt - b.startedAt);
}

function readTraceFile(path: string): TraceFile {
  return traceFileOf(path, contentsOf(path));
}

export function traceFileOf(path: string, contents: RingContents): TraceFile {
  const { domain, agent, agentName, process, startedAt, wallClock, hasLeft, events, lost, namesLost } = contents;
  return {
    path,
    domain,
    agent: { identity: agent, name: agentName, process },
    startedAt,
    wallClock,
    hasLeft,
    events: events.map(eventFrom),
    lost,
    namesLost,
  };
}

/** A reader that others keep from running may find gaps, or nothing, and looks again. */
const LOOKS = 10;

/** How much is read at a time: an agent that writes millions of events a second has soon written over all of them. */
const PIECE = 2 ** 15;

export function contentsOf(path: string): RingContents {
  let contents = look(path);
  for (let looks = 1; !isGood(contents) && looks < LOOKS; looks++) contents = look(path);
  return contents;
}

function isGood({ hasGaps, events, lost }: RingContents): boolean {
  return !hasGaps && (events.length > 0 || lost === 0);
}

/** Each piece three times, from the end to the beginning: so the names are read after the events that name them. */
function look(path: string): RingContents {
  const looks = attempt(path, () => {
    const fd = openSync(path, "r");
    try {
      const { size } = fstatSync(fd);
      const all = [new Uint8Array(size), new Uint8Array(size), new Uint8Array(size)] as const;
      for (let end = size; end > 0; end -= PIECE) {
        const start = Math.max(0, end - PIECE);
        for (const bytes of all) readPiece(fd, bytes, start, end);
      }
      return all;
    } finally {
      closeSync(fd);
    }
  });
  return readRing(path, looks);
}

function readPiece(fd: number, bytes: Uint8Array, start: number, end: number): void {
  let read = start;
  while (read < end) {
    const got = readSync(fd, bytes, read, end - read, read);
    if (got === 0) break;
    read += got;
  }
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof DmaBufError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DmaBufError(errnoOf(cause) ?? "EIO", `Cannot read the trace ${path}: ${reason}`, { cause });
  }
}
