import {
  check,
  checkObject,
  checkOptions,
  integer,
  isObject,
  NAME,
  required,
  TEXT,
  type Kind,
  type Kinds,
} from "../../arguments.js";
import { bufferStatistics, type BufferStatistics } from "../../buffer/statistics.js";
import type { Identity } from "../../domain/agent-slot.js";
import { agentNames } from "../../domain/invitation-slot.js";
import type { Protocol } from "../../protocol/protocol.js";
import { DmaBufError } from "../../errors.js";
import { explainFrom } from "../../explain/explain.js";
import type { Explanation } from "../../explanation.js";
import { checkPlace } from "../joining/join-options.js";
import { bytesOfBuffer, checkBytesOf, type BytesOfOptions } from "./buffer-bytes.js";
import { domainsOf, listenersAt } from "./find-domains.js";
import { ObservedSegment } from "./observed-segment.js";
import { thingsNamed, type ObservedThing } from "./named-things.js";
import {
  agentsIn,
  findAgents,
  HOST,
  lives,
  processesOf,
  rememberProcesses,
  type ObservedAgent,
  type ProcessOf,
} from "./observed-agents.js";
import { snapshotOf, type DomainSnapshot, type SnapshotOptions } from "./domain-snapshot.js";
import { descriptorsOf } from "./processes.js";
import { tracesOf } from "../tracing/observed-traces.js";
import type { TraceFile } from "../tracing/read-trace.js";

/**
 * A domain that this process looks at from outside.
 *
 * domain-observer.1. Nothing of the domain changes: its control segment is mapped for reading alone, and no slot, no lock and
 *      no connection is taken.
 * domain-observer.2. Nothing is asked of its processes: they may hang, be stopped, or be dead.
 * domain-observer.3. Whether an agent lives the kernel is asked at each look, by the lock that it holds (membership.1):
 *      where all have died, no agent has noted it.
 * domain-observer.4. A domain is there from when its first agent has come until its last one has left. What a process just
 *      makes or closes is not seen, and is no error; nor is another domain in the way of the one that is named.
 */

/** Options of `ProcessDomain.observe()`. */
export interface ObserveOptions {
  /** Which domain, where a process is in several: as its handles name it. */
  readonly domain?: string;
}

const OBSERVE: Kinds<ObserveOptions> = {
  domain: {
    wanted: "a domain as its handles name it, by 32 hexadecimal digits",
    isKind: TEXT.isKind,
    isTaken: (domain: string) => /^[0-9a-f]{32}$/.test(domain),
    code: "EINVAL",
  },
};

const PROCESS = integer(1, 0x7fff_ffff);

const WHERE: Kind = {
  wanted: 'the number of a process, a path, or "@" and a name',
  isKind: (where) => typeof where === "number" || typeof where === "string",
};

const THING: Kind = {
  wanted: "an object with the name of a buffer or of a stream",
  isKind: (what) => isObject(what) && ("buffer" in what || "stream" in what),
};
const INODE = required(integer(0));
const BUFFER = required({ ...NAME, wanted: `${NAME.wanted}, or the number of a buffer` });

const SNAPSHOT: Kinds<SnapshotOptions> = { since: integer(0) };

/** Made by `ProcessDomain.observe()`. */
export let observeDomain: (where: string | number, options: ObserveOptions) => DomainObserver;

/**
 * Looks at a domain of other processes, and changes nothing there. It needs no help of these: they may hang, be stopped, or
 * have ended since.
 *
 * @example
 * ```ts
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.listen("@observed-by-example", { name: "camera" });
 * using buffer = domain.allocate(4096, { name: "frame" });
 * using _access = await buffer.access("write");
 * // Mostly in another process:
 * using observer = ProcessDomain.observe("@observed-by-example");
 * console.log(observer.agents); // [{ name: "camera", process: 812, state: "live" }]
 * for (const { name, writer } of observer.statistics()) console.log(name, "is written by", writer);
 * console.log(observer.explain({ buffer: "frame" }).sentence);
 * ```
 */
export class DomainObserver implements Disposable {
  readonly #segment: ObservedSegment;
  readonly #processes: () => ProcessOf;

  private constructor(segment: ObservedSegment) {
    this.#segment = segment;
    this.#processes = rememberProcesses(segment);
  }

  static {
    observeDomain = (where, options) => {
      check("ProcessDomain.observe()", "where", where, typeof where === "number" ? PROCESS : WHERE);
      if (typeof where === "string") checkPlace("ProcessDomain.observe()", where);
      checkOptions("ProcessDomain.observe()", options, OBSERVE);
      return new DomainObserver(find(where, options));
    };
  }

  /** The domain, as its handles name it. */
  get domain(): string {
    return this.#open().domain;
  }

  /** The agents that have joined and not left, as they are now; the dead ones until another agent has taken their place. */
  get agents(): ObservedAgent[] {
    const segment = this.#open();
    const agents = findAgents(segment, processesOf(segment));
    return agents.map(({ name, process, state }) => ({ name, process, state }));
  }

  /** Whether no agent lives any more. */
  get isEnded(): boolean {
    const segment = this.#open();
    return !agentsIn(segment).some((identity) => lives(segment, identity));
  }

  /** What `statistics()` of the domain gives, as the agents have left it. @throws {DmaBufError} `EBADF` when it is closed. */
  statistics(): BufferStatistics[] {
    return bufferStatistics(this.#open());
  }

  /**
   * The domain as it is just now: its agents, buffers, timelines, fences, streams, what waits, and how full its tables are. It
   * is plain data, in which agents are named by their identities. To follow a domain, take one several times a second.
   *
   * @throws {DmaBufError} `EBADF` when it is closed.
   *
   * @example
   * ```ts
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.listen("@snapshot-of-example", { name: "camera" });
   * using _buffer = domain.allocate(4096, { name: "frame" });
   * // Mostly in another process:
   * using observer = ProcessDomain.observe("@snapshot-of-example");
   * const { agents, buffers } = observer.snapshot();
   * const nameOf = (identity: number) => agents.find((agent) => agent.identity === identity)?.name;
   * for (const { name, holders } of buffers) console.log(name, "is held by", holders.map(nameOf));
   * ```
   */
  snapshot(options: SnapshotOptions = {}): DomainSnapshot {
    checkOptions("DomainObserver.snapshot()", options, SNAPSHOT);
    return snapshotOf(this.#open(), this.#processes(), options.since ?? 0);
  }

  /**
   * A copy of a buffer's bytes, as they are just now: a writer may be in the middle of them. Pages that were never filled are
   * zero.
   *
   * @param inode The buffer's number, as `inode` in its statistics and in a snapshot.
   * @throws {RangeError} If the bytes that are asked for are not in the buffer.
   * @throws {DmaBufError} `ENOENT` if there is no such buffer; `EOPNOTSUPP` if its storage is not one memory file; `ENODATA` if
   *   no process has it open any more; `EACCES` if this process may not look into those that have; `EBADF` when it is closed.
   *
   * @example
   * ```ts
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.listen("@bytes-of-example");
   * using buffer = domain.allocate(4096, { name: "frame" });
   * {
   *   using access = await buffer.access("write");
   *   access.bytes.fill(7);
   * }
   * // Mostly in another process:
   * using observer = ProcessDomain.observe("@bytes-of-example");
   * for (const { inode } of observer.snapshot().buffers) console.log(observer.bytesOf(inode, { length: 4 })); // [7, 7, 7, 7]
   * ```
   */
  bytesOf(inode: number, options: BytesOfOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytesOf(inode, options);
    return bytesOfBuffer(this.#open(), this.#processes(), inode, options);
  }

  /**
   * Says who waits for whom, since when and why, as `explain()` of the domain does it from inside, to the agent at the root.
   *
   * @param what Default: all that waits in the domain.
   * @throws {DmaBufError} `ENOENT` if nothing has that name or number; `EBADF` when it is closed.
   */
  explain(what?: ObservedThing): Explanation {
    if (what !== undefined) checkThing(what);
    const segment = this.#open();
    const things = what === undefined ? undefined : thingsNamed(segment, what);
    if (things?.length === 0) {
      throw new DmaBufError("ENOENT", `Cannot explain why it waits: there is no such thing as ${JSON.stringify(what)}`);
    }
    const { memory, layout } = segment;
    // Others may not have noted yet that an agent has died, and of processes in containers each has its own numbers.
    const isLive = (identity: Identity): number => Number(lives(segment, identity));
    const protocol = Object.create(segment.protocol, { isLive: { value: isLive } }) as Protocol;
    return explainFrom({ memory, layout, protocol, identity: 0, host: HOST, processOf: processesOf(segment) }, things);
  }

  /**
   * What the agents of the domain have traced, those that have died too: it reads their files, as `readTrace()` does.
   *
   * @param options `since`: events before it are left out; monotonic nanoseconds.
   * @returns Nothing if none of them traces: a program does with the environment's `DMABUF_TRACE=1`, or the option `trace`.
   * @throws {DmaBufError} `EPROTO` if a file is damaged; `EBADF` when it is closed.
   * @example
   * ```ts
   * import { ProcessDomain } from "dmabuf/node";
   *
   * using domain = ProcessDomain.listen("@trace-of-example", { name: "camera", trace: true });
   * using timeline = domain.createTimeline({ name: "gpu" });
   * timeline.createFence().signal();
   * // Mostly in another process:
   * using observer = ProcessDomain.observe("@trace-of-example");
   * for (const { events } of observer.trace()) console.log(events.at(-1)); // { point: "fence:signaled", name: "gpu", … }
   * ```
   */
  trace(options: SnapshotOptions = {}): TraceFile[] {
    checkOptions("DomainObserver.trace()", options, SNAPSHOT);
    return tracesOf(this.#open(), options.since ?? 0);
  }

  /** Ends the look. Twice does nothing. */
  close(): void {
    this.#segment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): ObservedSegment {
    if (this.#segment.isClosed) throw new DmaBufError("EBADF", "Cannot look at the domain: the observer is closed");
    return this.#segment;
  }
}

function checkThing(what: ObservedThing): void {
  const call = "DomainObserver.explain()";
  check(call, "what", what, THING);
  if ("buffer" in what) checkObject(call, "what", what, { buffer: typeof what.buffer === "number" ? INODE : BUFFER });
  else checkObject(call, "what", what, { stream: required(NAME) });
}

/** The domain that is meant. */
function find(where: string | number, { domain }: ObserveOptions): ObservedSegment {
  const action = `Cannot observe ${typeof where === "number" ? `process ${where}` : `the domain at ${where}`}`;
  const segments: ObservedSegment[] = [];
  let unreadable: DmaBufError | undefined;
  try {
    for (const each of domainsOf(processesAt(where))) {
      try {
        const segment = ObservedSegment.open(each);
        if (segment !== undefined) segments.push(segment);
      } catch (error) {
        if (!(error instanceof DmaBufError) || error.code !== "EPROTO") throw error;
        unreadable = error;
      }
    }
    const isMeant = (each: ObservedSegment): boolean => each.domain === (domain ?? each.domain);
    const present = segments.filter((each) => agentsIn(each).length > 0);
    const [meant, ...others] = present.filter(isMeant);
    if (meant !== undefined && others.length === 0 && (domain !== undefined || unreadable === undefined)) {
      return segments.splice(segments.indexOf(meant), 1)[0]!;
    }
    if (unreadable !== undefined) throw unreadable;
    // It may have ended since: that is said then.
    if (present.length === 0) processesAt(where).forEach(descriptorsOf);
    throw notFound(action, present, domain);
  } finally {
    for (const other of segments) other.close();
  }
}

/** Several may have the same socket. */
function processesAt(where: string | number): number[] {
  return typeof where === "number" ? [where] : listenersAt(where);
}

function notFound(action: string, segments: readonly ObservedSegment[], domain: string | undefined): DmaBufError {
  if (segments.length === 0) {
    return new DmaBufError(
      "ENOENT",
      `${action}: there is no domain of dmabuf/node. One of threads alone has no file by which it could be found`,
    );
  }
  const list = segments.map(
    (each) =>
      `"${each.domain}", of ${agentNames(each)
        .map((name) => `"${name}"`)
        .join(", ")}`,
  );
  const problem = domain === undefined ? `there are ${segments.length} domains` : "that domain is not there";
  return new DmaBufError("EINVAL", `${action}: ${problem}; option "domain" may be ${list.join("; or ")}`);
}
