import { readFileSync } from "node:fs";

/** An empty one that threads can share, for a module. It takes addresses, and pages only as it grows. */
export function moduleMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
}

/** Between two looks, in milliseconds. The kernel adds up a process's pages each time. */
const INTERVAL = { process: 50, processes: 250 };

/** How much resident memory grew, at most, since the meter was started. */
export class MemoryMeter implements Disposable {
  readonly #others: (() => readonly number[]) | undefined;
  readonly #start: number;
  #peak: number;
  readonly #timer: NodeJS.Timeout;

  /** @param others Processes to count besides this one; pages that several have are counted once. */
  constructor(others?: () => readonly number[]) {
    this.#others = others;
    this.#start = this.#peak = this.#read();
    this.#timer = setInterval(() => this.#look(), others ? INTERVAL.processes : INTERVAL.process).unref();
  }

  /** In bytes. */
  get growth(): number {
    this.#look();
    return this.#peak - this.#start;
  }

  /** In bytes, of the whole process, or of all of them. */
  get peak(): number {
    this.#look();
    return this.#peak;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#peak = Math.max(this.#peak, this.#read());
  }

  #read(): number {
    if (this.#others === undefined) return process.memoryUsage.rss();
    return [process.pid, ...this.#others()].reduce((sum, pid) => sum + proportionalSize(pid), 0);
  }
}

/** A process's resident memory, of shared pages its share; 0 if it has ended. */
function proportionalSize(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
