import type { Host } from "./host.js";
import { canBlock, sleep } from "../substrate/shared-array.js";

/**
 * The surroundings of a thread in Node.js, Bun, Deno or a browser, found out at run time: no module of any of them is
 * imported, so that one build serves all.
 */
export function threadsHost(): Host {
  return (host ??= createHost());
}

let host: Host | undefined;

/** The same, with another limit for spinning, in milliseconds. */
export function hostWith(spin: number | undefined): Host {
  if (spin === undefined) return threadsHost();
  return { ...threadsHost(), spinNs: spin * 1e6 };
}

/** An object in Node.js, a number in browsers. */
interface Timer {
  ref?(): unknown;
  unref?(): unknown;
}

type HighResolutionTime = () => [seconds: number, nanoseconds: number];

/** The globals that are used where they exist: an AudioWorklet has neither `performance` nor timers. */
interface Surroundings {
  readonly process?: {
    readonly hrtime?: HighResolutionTime;
    readonly pid?: number;
    emitWarning?(message: string, type: string): void;
    emit?(event: "warning", warning: Error): void;
  };
  readonly performance?: { readonly timeOrigin: number; now(): number };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly console?: { warn(message: string): void };
  setTimeout?(callback: () => void, ms: number): Timer;
  clearTimeout?(timer: Timer): void;
  setInterval?(callback: () => void, ms: number): Timer;
}

const surroundings = globalThis as unknown as Surroundings;

/** Longer than a hand-over between two running threads takes, shorter than a sleep and its wake-up. */
const SPIN_NS = 50_000;
const WARNING = "DmaBufWarning";
const LONGEST_TIMER = 0x7fff_ffff;

function createHost(): Host {
  const { process, navigator } = surroundings;
  return {
    nowNs: monotonicClock(process?.hrtime),
    mayBlock: canBlock(),
    spinNs: (navigator?.hardwareConcurrency ?? 2) > 1 ? SPIN_NS : 0,
    after: surroundings.setTimeout === undefined ? afterParked : afterTimer,
    keepAlive: keepAliveCounter(),
    processId: process?.pid,
    warn(message, isBlocked = false) {
      if (process?.emit && isBlocked) emitNow(process.emit.bind(process), message);
      else if (process?.emitWarning) process.emitWarning(message, WARNING);
      else surroundings.console?.warn(`dmabuf: ${message}`);
    },
  };
}

/** What `emitWarning` does in a later turn of the event loop. */
function emitNow(emit: (event: "warning", warning: Error) => void, message: string): void {
  const warning = new Error(message);
  warning.name = WARNING;
  try {
    emit("warning", warning);
  } catch {
    // A listener of the program's own: the wait goes on.
  }
}

function afterTimer(ms: number, callback: () => void): () => void {
  const timer = surroundings.setTimeout!(callback, Math.min(ms, LONGEST_TIMER));
  timer.unref?.();
  return () => surroundings.clearTimeout!(timer);
}

/** Without timers: a wait for what never comes still ends in time. */
function afterParked(ms: number, callback: () => void): () => void {
  let isCancelled = false;
  void sleep(Math.min(ms, LONGEST_TIMER)).then(() => {
    if (!isCancelled) callback();
  });
  return () => {
    isCancelled = true;
  };
}

/** CLOCK_MONOTONIC in Node.js; elsewhere the page's clock, which agents of one origin share as closely as it allows. */
function monotonicClock(hrtime: HighResolutionTime | undefined): () => number {
  if (hrtime !== undefined) {
    // `hrtime.bigint()` takes a quarter longer.
    return () => {
      const [seconds, nanoseconds] = hrtime();
      return seconds * 1e9 + nanoseconds;
    };
  }
  // A worklet has only the time of day.
  const clock: { readonly timeOrigin?: number; now(): number } = surroundings.performance ?? Date;
  // WebKit derives it from two clocks at each look: it is later by as long as the thread had to wait between them.
  const origin = Math.min(clock.timeOrigin ?? 0, clock.timeOrigin ?? 0);
  // Should the time of day be set back, this clock stops until then.
  let latest = 0;
  return () => (latest = Math.max(latest, (origin + clock.now()) * 1e6));
}

/** One timer, referenced while any wait needs the process: creating one for each wait would cost more than the wait. */
function keepAliveCounter(): () => () => void {
  let timer: Timer | undefined;
  let needed = 0;
  return () => {
    timer ??= surroundings.setInterval?.(() => {}, LONGEST_TIMER);
    if (needed++ === 0) timer?.ref?.();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (--needed === 0) timer?.unref?.();
    };
  };
}
