import { readFileSync } from "node:fs";
import type { Crew } from "./crew.js";
import type { JobName } from "./jobs/job.js";
import { percentiles } from "./latency.js";

/** Milliseconds from one kill to the next. */
const EVERY = 1000;
/** Milliseconds after a kill in which the others are watched especially. */
const WATCHED = 500;
/** Milliseconds for which a victim is watched once a frame has been published: after that, the next one. */
const PATIENCE = 20;

/** What killing showed. Times are milliseconds. */
export interface Kills {
  /** How many processes were killed, each while it held a frame. */
  readonly count: number;
  /** How many frames consumers have compared with the decoder's checksums; the first difference would end the demo. */
  readonly checked: number;
  /** Half of those that took over had compared their first frame so long after the kill, and 99 of a hundred. */
  readonly backAfter: { readonly p50: number; readonly p99: number } | undefined;
  /** Frames a second that each of the others took, in the half second after a kill and at other times. */
  readonly pace: { readonly afterKill: number; readonly otherwise: number };
  /** The longest time from one frame to the next for any of the others, likewise. */
  readonly longestPause: { readonly afterKill: number; readonly otherwise: number };
  /** What was left when all consumers had ended, and the decoder had closed the stream and then the domain. */
  readonly left: Leftovers;
}

export interface Leftovers {
  /** Agents in the domain besides the decoder. */
  readonly agents: number;
  /** Buffers in the domain. */
  readonly buffers: number;
  /** Memory files of frames that the decoder still has open or mapped. */
  readonly memoryFiles: number;
}

/** One process's time in a job. */
interface Shift {
  readonly name: JobName;
  /** When it had compared each frame. */
  readonly frames: number[];
}

export interface KillerOptions {
  /** Who is killed, in turn. */
  readonly victims: readonly JobName[];
  readonly crew: Crew;
  /** Names of those who hold a frame just now. */
  readonly readers: () => Iterable<string>;
}

/**
 * Kills one consumer every second in the middle of a frame and has it started again, and watches the others.
 *
 * KI1. A victim is stopped first; it is killed if it holds a frame then, and otherwise goes on until the next one.
 */
export class Killer implements Disposable {
  readonly #options: KillerOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #shifts: Shift[] = [];
  readonly #current = new Map<JobName, Shift>();
  readonly #kills: { readonly name: JobName; readonly time: number }[] = [];
  readonly #replacing = new Set<Promise<void>>();
  #due = false;
  #hunting = false;
  #next = 0;
  #ended = false;

  constructor(options: KillerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => (this.#due = true), EVERY);
  }

  /** A frame has been published. */
  published(): void {
    if (this.#due && !this.#hunting && !this.#ended) this.#hunt(performance.now() + PATIENCE);
  }

  checked(name: JobName): void {
    let shift = this.#current.get(name);
    if (shift === undefined) {
      shift = { name, frames: [] };
      this.#current.set(name, shift);
      this.#shifts.push(shift);
    }
    shift.frames.push(performance.now());
  }

  /** Kills no more; resolves when the last victim's successor has been started. */
  async end(): Promise<void> {
    this[Symbol.dispose]();
    await Promise.all(this.#replacing);
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }

  kills(left: Leftovers): Kills {
    const [after, otherwise] = [new Pace(), new Pace()];
    for (const shift of this.#shifts) {
      const { frames } = shift;
      for (let i = 1; i < frames.length; i++) {
        const [from, to] = [frames[i - 1]!, frames[i]!];
        const isAfter = this.#kills.some(({ time }) => from < time + WATCHED && to > time);
        (isAfter ? after : otherwise).add(to - from);
      }
    }
    const back = this.#kills.flatMap(({ name, time }) => {
      const successor = this.#shifts.find((shift) => shift.name === name && shift.frames[0]! > time);
      return successor === undefined ? [] : [successor.frames[0]! - time];
    });
    return {
      count: this.#kills.length,
      checked: this.#shifts.reduce((sum, { frames }) => sum + frames.length, 0),
      backAfter: percentiles(back),
      pace: { afterKill: after.rate, otherwise: otherwise.rate },
      longestPause: { afterKill: after.longest, otherwise: otherwise.longest },
      left,
    };
  }

  /** Looks at the next victim until it holds a frame. */
  #hunt(until: number): void {
    const { victims, crew } = this.#options;
    const name = victims[this.#next % victims.length] as JobName;
    const pid = crew.processOf(name);
    this.#hunting = !this.#ended && performance.now() < until;
    // One that is not back yet is left out.
    if (pid === undefined) this.#next++;
    if (!this.#hunting || pid === undefined) this.#hunting = false;
    else if (!this.#holds(name)) setImmediate(() => this.#hunt(until));
    else {
      this.#hunting = false;
      if (this.#strike(name, pid)) this.#next++;
    }
  }

  /** KI1. */
  #strike(name: JobName, pid: number): boolean {
    process.kill(pid, "SIGSTOP");
    while (!isStopped(pid));
    if (!this.#holds(name)) {
      process.kill(pid, "SIGCONT");
      return false;
    }
    this.#due = false;
    this.#kills.push({ name, time: performance.now() });
    this.#current.delete(name);
    const replacing = this.#options.crew.replace(name).finally(() => this.#replacing.delete(replacing));
    this.#replacing.add(replacing);
    return true;
  }

  #holds(name: JobName): boolean {
    for (const reader of this.#options.readers()) if (reader === name) return true;
    return false;
  }
}

/** Intervals between frames. */
class Pace {
  longest = 0;
  #sum = 0;
  #count = 0;

  add(interval: number): void {
    this.longest = Math.max(this.longest, interval);
    this.#sum += interval;
    this.#count++;
  }

  get rate(): number {
    return this.#count === 0 ? 0 : (1000 * this.#count) / this.#sum;
  }
}

/** Whether a process is stopped, or has ended. */
function isStopped(pid: number): boolean {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
    return state === "T" || state === "Z";
  } catch {
    return true;
  }
}
