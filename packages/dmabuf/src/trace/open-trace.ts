import type { Identity } from "../domain/agent-slot.js";
import type { TraceSink } from "./agent-tracer.js";
import { DmaBufError, textOf } from "../errors.js";
import { wantedTrace } from "../host/environment.js";
import type { Host } from "../host/host.js";
import { laterModule } from "../host/modules.js";

/**
 * How an agent gets a file for its last events: the part of the library that can map files makes it, also for domains of
 * threads, which name no module of Node.js. It is loaded when it is needed.
 */

/** A file that is there, and not yet an agent's. */
export interface PreparedTrace {
  /** Nothing fails in it. */
  begin(agent: TracingAgent): TraceSink;
  /** No agent has come of it. */
  abandon(): void;
}

/** Whose events they are. */
export interface TracingAgent {
  readonly domain: string;
  readonly identity: Identity;
  readonly name: string;
  readonly startedAt: number;
}

interface Opener {
  prepareTraceFile(where: true | string): PreparedTrace;
}

const HERE = (import.meta as { readonly url?: string }).url;

/**
 * What can fail comes before the agent takes its place.
 *
 * @param trace The option; by default what the environment says. What that asks for and cannot be had is warned of.
 * @throws {DmaBufError} `EOPNOTSUPP` where there are no files that can be mapped; `EACCES` for a folder that others may write
 *   to; `ENOSPC`, `ENOENT` and others of the file system.
 */
export function prepareTrace(trace: boolean | string | undefined, host: Host): PreparedTrace | undefined {
  const where = trace ?? wantedTrace();
  if (where === false) return undefined;
  try {
    return opener().prepareTraceFile!(where);
  } catch (error) {
    if (trace !== undefined) throw error;
    host.warn(`Cannot trace as DMABUF_TRACE asks for: ${textOf(error)}`);
    return undefined;
  }
}

function opener(): Partial<Opener> {
  const found = HERE === undefined ? undefined : laterModule<Opener>(HERE, "../node/tracing/trace-writer.js");
  if (found?.prepareTraceFile !== undefined) return found;
  throw new DmaBufError(
    "EOPNOTSUPP",
    "Cannot keep a trace: that needs Linux, and dmabuf as a package of its own, not in a bundle",
  );
}
