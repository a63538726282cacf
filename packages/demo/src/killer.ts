import { readFileSync } from "node:fs";
import type { JobName } from "./jobs/job.js";
import { percentiles, type Percentiles } from "./latency.js";

/** Milliseconds from one kill to the next. */
const EVERY = 1000;
/** Milliseconds after a kill in which the others are watched especially. */
const WATCHED = 500;
/** Milliseconds for which a victim is watched once a frame has been published: after that, the next one. */
const LONGEST_HUNT = 20;

/** What killing showed. Times are milliseconds. */
export interface Kills {
  /** How many processes were killed, each while it held a frame. */
  readonly count: number;
  /** How many of those were decoders; the next one had published its first frame so long after the kill. */
  readonly decoders: { readonly count: number; readonly backAfter: Percentiles | undefined };
  /** How many frames consumers have compared with the decoder's checksums; the first difference would end the demo. */
  readonly checked: number;
  /** Half of the consumers that took over had compared their first frame so long after the kill, and 99 of a hundred. */
  readonly backAfter: { readonly p50: number; readonly p99: number } | undefined;
  /** Frames a second that each of the others took, in the half second after a consumer's kill and at other times. */
  readonly pace: { readonly afterKill: number; readonly otherwise: number };
  /** The longest time from one frame to the next for any of the others, likewise. */
  readonly longestPause: { readonly afterKill: number; readonly otherwise: number };
  /** What was left when all others had ended, and this process had closed the stream and then the domain. */
  readonly left: Leftovers;
}

export interface Leftovers {
  /** Agents in the domain besides this process. */
  readonly agents: number;
  /** Buffers in the domain. */
  readonly buffers: number;
  /** Memory files of frames that this process still has open or mapped. */
  readonly memoryFiles: number;
}

/** One process's time in a job. */
interface Shift {
  readonly name: JobName;
  /** When it had compared each frame. */
  readonly frames: number[];
}

export interface Victim {
  readonly name: JobName | "decoder";
  /** The process, once it can be replaced. */
  readonly pid: () => number | undefined;
  /** Kills it, and starts another one in its place. */
  readonly replace: () => Promise<void>;
}

/** A time in which there was no decoder, and so no frame. */
interface Outage {
  readonly from: number;
  to: number;
}

/**
 * Kills one process every second in the middle of a frame and has it started again, and watches the others.
 *
 * killer.1. A victim is stopped first; it is killed if it holds a frame then, and otherwise goes on until the next one.
 */
export class Killer implements Disposable {
  readonly #victims: readonly Victim[];
  readonly #holders: () => Iterable<string>;
  readonly #timer: NodeJS.Timeout;
  readonly #shifts: Shift[] = [];
  readonly #current = new Map<JobName, Shift>();
  readonly #kills: { readonly name: JobName; readonly time: number }[] = [];
  readonly #outages: Outage[] = [];
  readonly #replacing = new Set<Promise<void>>();
  #due = false;
  #hunting = false;
  #next = 0;
  #ended = false;

  /** @param victims What is killed, in turn. @param holders Names of those who hold a frame just now. */
  constructor(victims: readonly Victim[], holders: () => Iterable<string>) {
    this.#victims = victims;
    this.#holders = holders;
    this.#timer = setInterval(() => (this.#due = true), EVERY);
  }

  /** A frame has been published. */
  published(): void {
    const outage = this.#outages.at(-1);
    if (outage?.to === Infinity) outage.to = performance.now();
    if (this.#due && !this.#hunting && !this.#ended) this.#hunt(performance.now() + LONGEST_HUNT);
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
        if (this.#outages.some((outage) => from < outage.to && to > outage.from)) continue;
        const isAfter = this.#kills.some(({ time }) => from < time + WATCHED && to > time);
        (isAfter ? after : otherwise).add(to - from);
      }
    }
    const back = this.#kills.flatMap(({ name, time }) => {
      const successor = this.#shifts.find((shift) => shift.name === name && shift.frames[0]! > time);
      return successor === undefined ? [] : [successor.frames[0]! - time];
    });
    return {
      count: this.#kills.length + this.#outages.length,
      decoders: {
        count: this.#outages.length,
        backAfter: percentiles(this.#outages.filter((one) => one.to < Infinity).map((one) => one.to - one.from)),
      },
      checked: this.#shifts.reduce((sum, { frames }) => sum + frames.length, 0),
      backAfter: percentiles(back),
      pace: { afterKill: after.rate, otherwise: otherwise.rate },
      longestPause: { afterKill: after.longest, otherwise: otherwise.longest },
      left,
    };
  }

  /** Looks at the next victim until it holds a frame. */
  #hunt(until: number): void {
    const victim = this.#victims[this.#next % this.#victims.length]!;
    const pid = victim.pid();
    this.#hunting = !this.#ended && performance.now() < until;
    // One that is not back yet is left out.
    if (pid === undefined) this.#next++;
    if (!this.#hunting || pid === undefined) this.#hunting = false;
    else if (!this.#holds(victim)) setImmediate(() => this.#hunt(until));
    else {
      this.#hunting = false;
      if (this.#strike(victim, pid)) this.#next++;
    }
  }

  /** killer.1. */
  #strike(victim: Victim, pid: number): boolean {
    process.kill(pid, "SIGSTOP");
    while (!isStopped(pid));
    if (!this.#holds(victim)) {
      process.kill(pid, "SIGCONT");
      return false;
    }
    this.#due = false;
    const { name } = victim;
    if (name === "decoder") this.#outages.push({ from: performance.now(), to: Infinity });
    else {
      this.#kills.push({ name, time: performance.now() });
      this.#current.delete(name);
    }
    const replacing = victim.replace().finally(() => this.#replacing.delete(replacing));
    this.#replacing.add(replacing);
    return true;
  }

  #holds({ name }: Victim): boolean {
    for (const holder of this.#holders()) if (holder === name) return true;
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
