import { ERRNO, type ErrorCode } from "../errors.js";

/**
 * What can be traced.
 *
 * A sink is told of an event in numbers: the point, the thing, one number more and a detail of 12 bits. What they mean depends
 * on the point: {@link eventFrom} says it. Names are the same as the channels' (`dmabuf:` before them), and the places in the
 * list are stored in files: a new point comes at the end, or `TRACE_VERSION` is raised.
 */

/**
 * Where something is traced. Each is also a channel of `node:diagnostics_channel`, with `dmabuf:` before it.
 *
 * | point | when | fields beside `point`, `at`, `agent`, `thing` and `name` |
 * |---|---|---|
 * | `fence:init` | a fence is made | `context`, `seqno` |
 * | `fence:emit` | other agents can wait for it from now on: it is sent, or on a buffer | `context`, `seqno` |
 * | `fence:enable` | it will signal by itself from now on | `context`, `seqno` |
 * | `fence:signaled` | it has signaled, and with it those before it in its context | `context`, `seqno`, `error` |
 * | `fence:wait-start` | a call begins to wait for it | `context`, `seqno` |
 * | `fence:wait-end` | the call goes on | `context`, `seqno`, `result` |
 * | `fence:destroy` | it was disposed | `context`, `seqno` |
 * | `buffer:export` | memory has become a buffer | `inode`, `bytes` |
 * | `buffer:import` | this agent has opened the first handle of it | `inode`, `bytes` |
 * | `buffer:attach`, `buffer:detach` | an importer was tied to it, or is no longer | `inode`, `id` |
 * | `buffer:map`, `buffer:unmap` | an importer's mapping begins, and ends | `inode`, `mode`, `id` |
 * | `buffer:access-begin`, `buffer:access-end` | the bytes are this thread's | `inode`, `mode`, `id` |
 * | `buffer:move` | its storage was moved | `inode`, `ns` |
 * | `buffer:release` | the last holder of this agent has closed it | `inode` |
 * | `queue:push` | a job has its number | `context`, `seqno` |
 * | `queue:run` | the executor has it | `context`, `seqno` |
 * | `queue:done` | it has ended | `context`, `seqno`, `error` |
 * | `stream:loan` | the producer may fill a place | `slot`, `generation`, `place` |
 * | `stream:publish` | it has published a frame | `slot`, `generation`, `place`, `frame` |
 * | `stream:take` | a consumer has taken a frame | `slot`, `generation`, `place`, `frame` |
 * | `stream:give-back` | a frame, or a loan that was not published, is given back | `slot`, `generation`, `place` |
 * | `stream:drop` | a consumer has missed frames | `slot`, `generation`, `count` |
 * | `stream:close` | this agent's end of the stream is closed | `slot`, `generation` |
 * | `validator:report` | the validator has reported a mistake | `code`, `text` |
 * | `agent:join`, `agent:leave` | an agent has joined, or leaves | |
 * | `agent:recover` | this agent gives back what a dead one held: `thing` and `name` are the dead one's | |
 */
export type TracePoint =
  | "fence:init"
  | "fence:emit"
  | "fence:enable"
  | "fence:signaled"
  | "fence:wait-start"
  | "fence:wait-end"
  | "fence:destroy"
  | "buffer:export"
  | "buffer:import"
  | "buffer:attach"
  | "buffer:detach"
  | "buffer:map"
  | "buffer:unmap"
  | "buffer:access-begin"
  | "buffer:access-end"
  | "buffer:move"
  | "buffer:release"
  | "queue:push"
  | "queue:run"
  | "queue:done"
  | "stream:loan"
  | "stream:publish"
  | "stream:take"
  | "stream:give-back"
  | "stream:drop"
  | "stream:close"
  | "validator:report"
  | "agent:join"
  | "agent:leave"
  | "agent:recover";

/** The numbers of the points: a literal, whose fields the compiler takes for constants. */
export const POINT = {
  "fence:init": 0,
  "fence:emit": 1,
  "fence:enable": 2,
  "fence:signaled": 3,
  "fence:wait-start": 4,
  "fence:wait-end": 5,
  "fence:destroy": 6,
  "buffer:export": 7,
  "buffer:import": 8,
  "buffer:attach": 9,
  "buffer:detach": 10,
  "buffer:map": 11,
  "buffer:unmap": 12,
  "buffer:access-begin": 13,
  "buffer:access-end": 14,
  "buffer:move": 15,
  "buffer:release": 16,
  "queue:push": 17,
  "queue:run": 18,
  "queue:done": 19,
  "stream:loan": 20,
  "stream:publish": 21,
  "stream:take": 22,
  "stream:give-back": 23,
  "stream:drop": 24,
  "stream:close": 25,
  "validator:report": 26,
  "agent:join": 27,
  "agent:leave": 28,
  "agent:recover": 29,
} as const satisfies Record<TracePoint, number>;

/** The points, in the order of their numbers. */
export const TRACE_POINTS = /* @__PURE__ */ Object.keys(POINT) as TracePoint[];

/** Something that has happened. Data alone: it can be sent, and made JSON of. */
export interface TraceEvent {
  /** What has happened. */
  readonly point: TracePoint;
  /** When, in monotonic nanoseconds. */
  readonly at: number;
  /** The agent in which it has happened, as in a snapshot of the domain. */
  readonly agent: number;
  /**
   * What it has happened to: `context:seqno` of a fence or a job, the inode of a buffer, `slot.generation` of a stream, the
   * identity of an agent. The same in all agents of the domain.
   */
  readonly thing: string;
  /** What that is called, for people: of a fence its timeline, of a job its queue. Absent where the file had no room for it. */
  readonly name?: string;
  /** Of a fence or a job. */
  readonly context?: number;
  /** Of a fence or a job. */
  readonly seqno?: number;
  /** Of a buffer. */
  readonly inode?: number;
  /** How large a buffer is. */
  readonly bytes?: number;
  /** What an access or a mapping is for. */
  readonly mode?: "read" | "write";
  /** Joins a begin and its end, within one agent. */
  readonly id?: number;
  /** How long a move took, in nanoseconds. */
  readonly ns?: number;
  /** The place of a stream in its domain. */
  readonly slot?: number;
  /** Which of the streams that were in that place it is. */
  readonly generation?: number;
  /** Which buffer of the stream's ring. */
  readonly place?: number;
  /** The number of a frame. */
  readonly frame?: number;
  /** How many frames were missed. */
  readonly count?: number;
  /** What a fence or a job has failed with: an errno name, or "errno 200"; absent if it was good. */
  readonly error?: string;
  /** How a wait has ended. */
  readonly result?: "signaled" | "timed-out" | "failed";
  /** The code of a report. */
  readonly code?: string;
  /** A report's text. */
  readonly text?: string;
}

/** What a channel of `node:diagnostics_channel` tells. */
export interface TraceMessage extends TraceEvent {
  /** The domain, as its handles name it. */
  readonly domain: string;
}

/** An event in numbers, as a sink is told of it. */
export interface RawEvent {
  readonly point: number;
  /** From 0 to {@link LARGEST_DETAIL}. */
  readonly detail: number;
  readonly thing: number;
  readonly number: number;
  readonly name: string | undefined;
  readonly at: number;
  readonly agent: number;
}

export const LARGEST_DETAIL = 0xfff;

/** The detail of an access or a mapping. */
export const MODE_DETAIL = { read: 1, write: 2 } as const;

/** The detail of a wait's end. */
export const RESULT_DETAIL = { signaled: 0, "timed-out": 1, failed: 2 } as const;

const MODES = [undefined, "read", "write"] as const;
const RESULTS = ["signaled", "timed-out", "failed"] as const;

/** The thing of a stream's event: both numbers in one. */
export function streamThing(slot: number, generation: number): number {
  return (generation >>> 0) * STREAM_SLOTS + slot;
}

/** More than a domain can have. */
const STREAM_SLOTS = 2 ** 16;

/** What the numbers of an event mean. */
export function eventFrom(raw: RawEvent): TraceEvent {
  const { at, agent } = raw;
  const point = TRACE_POINTS[raw.point]!;
  return { point, at, agent, ...meaning(point, raw) };
}

function meaning(
  point: TracePoint,
  { thing, number, detail, name }: RawEvent,
): Omit<TraceEvent, "point" | "at" | "agent"> {
  const named = name === undefined ? {} : { name };
  switch (point.slice(0, point.indexOf(":"))) {
    case "fence":
    case "queue": {
      const fence = { thing: `${thing}:${number}`, ...named, context: thing, seqno: number };
      if (point === "fence:wait-end") return { ...fence, result: RESULTS[detail] ?? "failed" };
      return detail === 0 ? fence : { ...fence, error: errorName(detail) };
    }
    case "buffer": {
      const buffer = { thing: `${thing}`, ...named, inode: thing };
      if (point === "buffer:release") return buffer;
      if (point === "buffer:move") return { ...buffer, ns: number };
      if (point === "buffer:export" || point === "buffer:import") return { ...buffer, bytes: number };
      const mode = MODES[detail];
      return mode === undefined ? { ...buffer, id: number } : { ...buffer, mode, id: number };
    }
    case "stream": {
      const [slot, generation] = [thing % STREAM_SLOTS, Math.floor(thing / STREAM_SLOTS)];
      const stream = { thing: `${slot}.${generation}`, ...named, slot, generation };
      if (point === "stream:close") return stream;
      if (point === "stream:drop") return { ...stream, count: number };
      const frame = point === "stream:publish" || point === "stream:take" ? { frame: number } : {};
      return { ...stream, place: detail, ...frame };
    }
    case "validator": {
      const [code = "", ...text] = (name ?? "").split(": ");
      return { thing: code, code, text: text.join(": ") };
    }
    default:
      return { thing: `${thing}`, ...named };
  }
}

function errorName(errno: number): string {
  return (names[errno] ??=
    (Object.keys(ERRNO) as ErrorCode[]).find((code) => ERRNO[code] === errno) ?? `errno ${errno}`);
}

const names: string[] = [];
