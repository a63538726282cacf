import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, readdirSync, renameSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { allOrNothing } from "../../all-or-nothing.js";
import { DmaBufError, errnoOf } from "../../errors.js";
import type { TraceSink } from "../../trace/agent-tracer.js";
import type { PreparedTrace, TracingAgent } from "../../trace/open-trace.js";
import { ringBytes, TraceRing } from "../../trace/trace-ring.js";
import { processHost } from "../host.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { reservePages, viewOf } from "../system-calls/index.js";
import { ENDING } from "./read-trace.js";
import { ownFolder, traceFolder } from "./trace-folder.js";

/**
 * The file that an agent writes its last events to.
 *
 * trace-writer.1. The file is mapped as it is: what was written is in it when the writer is killed, and no call writes it.
 * trace-writer.2. Its pages are reserved before the agent begins: a file system that is full later ends no program.
 * trace-writer.3. It has a name that readers look for once its header is there.
 * trace-writer.4. Only its user may read it, in a folder that only its user may write to.
 * trace-writer.5. It stays when the agent leaves. In the folder of the user, the oldest of processes that have ended go when
 *     there are more than {@link KEPT}.
 */

/** How many files the folder of the user keeps. */
const KEPT = 64;

/** @param where A folder, or true for that of the user. @throws {DmaBufError} `EACCES` and others. */
export function prepareTraceFile(where: true | string): PreparedTrace {
  const folder = where === true ? traceFolder() : where;
  ownFolder(folder, where === true);
  if (where === true) removeOldest(folder);
  const hidden = join(folder, `.${process.pid}-${randomUUID()}`);
  const ledger = threadLedger();
  const mapped = allOrNothing((orUndo) => {
    const fd = attempt(hidden, () => openSync(hidden, CREATE, 0o600));
    try {
      orUndo(() => unlinkSync(hidden));
      reservePages(fd, 0, ringBytes());
      return ledger.map({ fd, length: ringBytes(), isWritable: true });
    } finally {
      closeSync(fd);
    }
  });
  return {
    begin: (agent) => new TraceFileWriter(ledger, mapped, agent, hidden, folder),
    abandon() {
      ledger.unmap(mapped);
      unlinkSync(hidden);
    },
  };
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

class TraceFileWriter implements TraceSink {
  readonly #ledger: ResourceLedger;
  readonly #mapped: LedgerEntry;
  readonly #ring: TraceRing;

  constructor(ledger: ResourceLedger, mapped: LedgerEntry, agent: TracingAgent, hidden: string, folder: string) {
    const { domain, identity, name, startedAt } = agent;
    this.#ledger = ledger;
    this.#mapped = mapped;
    this.#ring = new TraceRing(viewOf(ledger.addressOf(mapped), ringBytes()), {
      domain,
      agent: identity >>> 0,
      agentName: name,
      process: process.pid,
      startedAt,
      wallClock: Date.now(),
    });
    const safe = name.replace(/[^\w.-]/g, "_");
    const path = join(folder, `${domain}-${safe}-${process.pid}-${identity >>> 0}${ENDING}`);
    try {
      renameSync(hidden, path);
    } catch (error) {
      processHost().warn(`Cannot name the trace ${hidden}: ${String(error)}`);
    }
  }

  write(point: number, detail: number, thing: number, number: number, name: string | undefined, at: number): void {
    this.#ring.write(point, detail, thing, number, name, at);
  }

  close(): void {
    this.#ring.leave();
    this.#ledger.unmap(this.#mapped);
  }
}

/** trace-writer.5. Others may do the same at this moment. */
function removeOldest(folder: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(ENDING))
    .flatMap((name) => {
      const path = join(folder, name);
      const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      return changed === undefined ? [] : [{ path, changed }];
    })
    .sort((a, b) => b.changed - a.changed);
  for (const { path } of files.slice(KEPT - 1)) {
    try {
      if (!isAlive(processOf(path))) unlinkSync(path);
    } catch {
      // It is gone already.
    }
  }
}

function processOf(path: string): number {
  return Number(/-(\d+)-\d+\.dmatrace$/.exec(path)?.[1] ?? 0);
}

function isAlive(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined;
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DmaBufError(errnoOf(cause) ?? "EIO", `Cannot make the trace ${path}: ${reason}`, { cause });
  }
}
