import { Layout } from "../../src/domain/layout.js";
import { DmaBufError } from "../../src/index.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { BareDomain } from "../bare-domain.js";
import { Random } from "../random.js";
import { busySegment, memoryOf, SIZES, type BusySegment } from "./busy-segment.js";
import { damage, packedWords } from "./damage.js";
import { GuardedMemory } from "./guarded-memory.js";
import { READERS } from "./segment-readers.js";

/** More than any reader needs on a segment that is whole, many times over. */
const MOST_STEPS = 200_000;

const PACKED = packedWords(new Layout(SIZES));

/** Damages a control segment and lets a newcomer read it, case after case; a seed repeats them. */
export class SegmentFuzzer {
  readonly #segment: BusySegment = busySegment();
  readonly #inUse: readonly number[];
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#inUse = [...this.#segment.words.keys()].filter((word) => this.#segment.words[word] !== 0);
  }

  /**
   * Lets half of the readers, which ones is chance, read a segment that is damaged in this case's own way.
   *
   * @returns What the library does that it may not, one line each; nothing if it copes.
   */
  run(index: number): string[] {
    const random = new Random(Math.imul(this.#seed, 0x9e37_79b1) + index);
    const words = this.#segment.words.slice();
    damage(words, random, this.#inUse, PACKED);
    const chosen = Object.keys(READERS).filter(() => random.oneIn(2));
    return this.#read(words, chosen);
  }

  /** The same for all readers, and a segment on which only this is damaged. */
  runOn(change: (memory: Substrate) => void): string[] {
    const words = this.#segment.words.slice();
    change(memoryOf(words));
    return this.#read(words, Object.keys(READERS));
  }

  #read(words: Int32Array<ArrayBuffer>, readers: readonly string[]): string[] {
    const faults: string[] = [];
    const memory = new GuardedMemory(memoryOf(words), MOST_STEPS);
    const attempt = <Result>(name: string, read: () => Result): Result | undefined => {
      memory.begin();
      try {
        return read();
      } catch (error) {
        if (!(error instanceof DmaBufError)) faults.push(`${name}: ${describe(error)}`);
        return undefined;
      }
    };
    const warn = (message: string): void => {
      if (/(Guard|Range|Type|Syntax)Error/.test(message)) faults.push(`warning: ${message}`);
    };
    const nowNs = (): number => 1e9 + memory.sleptMs * 1e6;
    const domain = attempt("join", () => new BareDomain(memory, "newcomer", { nowNs, warn }));
    if (domain === undefined) return faults;
    for (const name of readers) attempt(name, () => READERS[name]!(domain, this.#segment));
    return faults;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Where it happened: the first line of the library's own.
  const place = error.stack?.split("\n").filter((line) => line.includes("/src/"))[0] ?? "";
  return `${error.name}: ${error.message} ${place.trim()}`;
}
