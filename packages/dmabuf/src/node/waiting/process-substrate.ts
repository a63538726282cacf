import { AtomicWords, bufferOf } from "../../substrate/atomic-words.js";
import type { ParkResult, Substrate } from "../../substrate/substrate.js";
import type { WasmMemory } from "../../substrate/wasm-memory.js";
import type { DmaBufError } from "../../errors.js";
import { announceBlocked, announceSleeper, clearSleepers, endBlocked, ringSleepers } from "./pipe-bell.js";
import { PipeWatch } from "./pipe-watch.js";
import { addressOf, futexWait, futexWake, writeDescriptor } from "../system-calls/index.js";

/**
 * The substrate of processes: a mapped memory file, futexes, and a pipe for each doorbell.
 *
 * process-substrate.1. A synchronous park sleeps in slices, each of them a call of a JavaScript function: only there
 *      can a worker be terminated. Between two slices the owner may look whether others are still alive.
 * process-substrate.2. An asynchronous park is possible on doorbells only, which is where the layers above park; see
 *      pipe-bell.ts.
 * process-substrate.3. Any process may ring any doorbell: a process that has the memory has the pipes too.
 */

/** The longest time for which a thread is deaf to `terminate()` and `process.exit()`: half of it, on average. */
export const SLICE_MS = 50;

/** Where the doorbells are: those of slot n at `bell + n * stride` and `sleepers + n * stride`. */
export interface Doorbells {
  readonly slots: number;
  readonly bell: number;
  /** A word beside each doorbell for this substrate alone, 0 at first: who sleeps there. */
  readonly sleepers: number;
  readonly stride: number;
  /** A descriptor of the slot's pipe that can be written and does not block. */
  pipeOf(slot: number): number;
}

export interface ProcessSubstrateOptions {
  /** Where the memory file is mapped, whole, until the substrate is closed. */
  readonly memory: ArrayBuffer | WasmMemory;
  readonly doorbells: Doorbells;
  /** Called between two slices of a park. It may ring the parked agent. */
  readonly onSlice?: () => void;
}

export interface ProcessSubstrate extends Substrate, Disposable {
  /**
   * Calls back from the event loop whenever bytes have come through a doorbell's pipe, also while no agent sleeps
   * there.
   */
  listenAt(slot: number, heard: () => void): void;
  /**
   * Resumes all asynchronous sleepers of this thread. No agent may park on it afterwards.
   *
   * @param rest Memory of the same length in place of the mapped one, which is no longer touched. Without it the
   *     mapping must stay.
   */
  close(rest?: ArrayBufferLike): void;
}

export function createProcessSubstrate(options: ProcessSubstrateOptions): ProcessSubstrate {
  return new MappedWords(options);
}

/** This thread's asynchronous sleepers at one doorbell. */
interface Sleepers {
  readonly watch: PipeWatch;
  wakeUps: (() => void)[];
  heard: () => void;
}

const BYTE = new Uint8Array([1]);

class MappedWords extends AtomicWords implements ProcessSubstrate {
  #address: number;
  readonly #doorbells: Doorbells;
  readonly #onSlice: () => void;
  readonly #sleepers = new Map<number, Sleepers>();
  #isClosed = false;

  constructor({ memory, doorbells, onSlice = nothing }: ProcessSubstrateOptions) {
    super(memory);
    this.#address = addressIn(bufferOf(memory));
    this.#doorbells = doorbells;
    this.#onSlice = onSlice;
  }

  park(word: number, expected: number, timeoutMs: number): ParkResult {
    this.#check(word);
    const slot = this.#slotOf(word);
    if (slot === undefined) return this.#sleep(word, expected, timeoutMs);
    const sleepers = this.#sleepersOf(slot);
    announceBlocked(this, sleepers);
    try {
      return this.#sleep(word, expected, timeoutMs);
    } finally {
      endBlocked(this, sleepers);
    }
  }

  /** process-substrate.1. */
  #sleep(word: number, expected: number, timeoutMs: number): ParkResult {
    const address = this.#address + 4 * word;
    const isLimited = timeoutMs !== Infinity;
    const end = isLimited && timeoutMs > SLICE_MS ? performance.now() + timeoutMs : Infinity;
    for (let left = timeoutMs; ; left = isLimited ? end - performance.now() : Infinity) {
      const isLast = left <= SLICE_MS;
      const result = futexWait(address, expected, isLast ? left : SLICE_MS);
      if (result !== "timed-out" || isLast) return result;
      this.#onSlice();
    }
  }

  parkAsync(word: number, expected: number): Promise<void> | undefined {
    const slot = this.#slotOf(word);
    if (slot === undefined) throw new RangeError(`Cannot sleep at word ${word} from an event loop: it is no doorbell`);
    const sleepers = this.#watch(slot);
    if (!announceSleeper(this, word, this.#sleepersOf(slot), expected)) return undefined;
    return new Promise((resolve) => sleepers.wakeUps.push(resolve));
  }

  wake(word: number): number {
    this.#check(word);
    const address = this.#address + 4 * word;
    const slot = this.#slotOf(word);
    if (slot === undefined) return futexWake(address);
    const wakeBlocked = (): number => futexWake(address);
    const writeByte = (): void => {
      // The pipes go with the domain: their numbers may be other files' by now.
      if (!this.#isClosed) ring(this.#doorbells.pipeOf(slot));
    };
    return ringSleepers(this, this.#sleepersOf(slot), wakeBlocked, writeByte);
  }

  listenAt(slot: number, heard: () => void): void {
    this.#watch(slot).heard = heard;
  }

  close(rest?: ArrayBufferLike): void {
    if (rest !== undefined) {
      this.moveTo(rest);
      this.#address = addressIn(rest);
    }
    this.#isClosed = true;
    for (const [slot, sleepers] of this.#sleepers) {
      sleepers.watch.close();
      sleepers.heard = nothing;
      this.#letGo(slot, sleepers);
    }
    this.#sleepers.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The sleepers of a slot; the first that sleeps there opens its pipe. */
  #watch(slot: number): Sleepers {
    const before = this.#sleepers.get(slot);
    if (before !== undefined) return before;
    const watch = new PipeWatch(this.#doorbells.pipeOf(slot), () => this.#letGo(slot, sleepers));
    const sleepers: Sleepers = { watch, wakeUps: [], heard: nothing };
    this.#sleepers.set(slot, sleepers);
    // The agent that had the slot before may have died in its sleep.
    clearSleepers(this, this.#sleepersOf(slot));
    return sleepers;
  }

  #letGo(slot: number, sleepers: Sleepers): void {
    clearSleepers(this, this.#sleepersOf(slot));
    const { wakeUps } = sleepers;
    sleepers.wakeUps = [];
    for (const wakeUp of wakeUps) wakeUp();
    sleepers.heard();
  }

  #slotOf(word: number): number | undefined {
    const { bell, stride, slots } = this.#doorbells;
    const slot = (word - bell) / stride;
    return Number.isInteger(slot) && slot >= 0 && slot < slots ? slot : undefined;
  }

  /** The word that says who sleeps at a slot's doorbell. */
  #sleepersOf(slot: number): number {
    return this.#doorbells.sleepers + slot * this.#doorbells.stride;
  }

  /** The kernel would look at an address outside the segment; this refuses the word. */
  #check(word: number): void {
    this.load(word);
  }
}

function addressIn(memory: ArrayBufferLike): number {
  return Number(addressOf(new Uint8Array(memory)));
}

function ring(pipe: number): void {
  try {
    writeDescriptor(pipe, BYTE);
  } catch (error) {
    // No process reads: the agent that slept there is gone.
    if ((error as DmaBufError).code !== "EPIPE") throw error;
  }
}

function nothing(): void {}
