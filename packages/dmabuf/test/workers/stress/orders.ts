/**
 * How the main thread has a worker stop inside a section of its work, to terminate it there.
 *
 * Each worker is a party, with a line of shared words. The main thread orders "stop in this section, after so
 * many steps"; a step is an atomic operation of the library, or a point in the worker's own code. A stopped worker says
 * so and never goes on.
 */

export const SECTIONS = [
  "join",
  "import",
  "claim",
  "block",
  "read",
  "write",
  "lock",
  "fence",
  "signal",
  "publish",
  "fill",
  "take",
  "frame",
  "wait",
  "leave",
] as const;

export type Section = (typeof SECTIONS)[number];

const PARTY = {
  WANTED: 0, // 1 + index of the section to stop in, 0 for none
  STEPS: 1, // how many steps there still are until then
  STOPPED: 2, // 1 once the worker has stopped
  SECTION: 3, // 1 + index of the section that the worker is in
  PROGRESS: 4, // what the worker has done, counted
  SPAWNED: 5, // how many workers this party has had
  WORDS: 16,
} as const;

export class Orders {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  static create(parties: number): Orders {
    return new Orders(new SharedArrayBuffer(4 * PARTY.WORDS * parties));
  }

  get parties(): number {
    return this.#words.length / PARTY.WORDS;
  }

  /** For the main thread: makes a party ready for the next worker. */
  clear(party: number): void {
    const spawned = this.#words[party * PARTY.WORDS + PARTY.SPAWNED]!;
    this.#words.fill(0, party * PARTY.WORDS, (party + 1) * PARTY.WORDS);
    this.#words[party * PARTY.WORDS + PARTY.SPAWNED] = spawned + 1;
  }

  order(party: number, section: Section, steps: number): void {
    this.#words[party * PARTY.WORDS + PARTY.STEPS] = steps;
    this.#words[party * PARTY.WORDS + PARTY.WANTED] = 1 + SECTIONS.indexOf(section);
  }

  hasStopped(party: number): boolean {
    return this.#words[party * PARTY.WORDS + PARTY.STOPPED] !== 0;
  }

  /** How many things the party's worker has done. */
  progressOf(party: number): number {
    return this.#words[party * PARTY.WORDS + PARTY.PROGRESS]!;
  }

  /** A party's words for people, and to see whether anything happens there. */
  describe(party: number): string {
    const words = this.#words.subarray(party * PARTY.WORDS);
    const name = (word: number): string => SECTIONS[words[word]! - 1] ?? "none";
    return (
      `worker ${words[PARTY.SPAWNED]}, in section ${name(PARTY.SECTION)}, ${words[PARTY.PROGRESS]} things done, ` +
      `wanted in ${name(PARTY.WANTED)} in ${words[PARTY.STEPS]} steps, stopped: ${words[PARTY.STOPPED]}`
    );
  }
}

/** The worker's side: counts its steps. */
export class Obedience {
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #sleep: (words: Int32Array, word: number, value: number) => unknown;
  #section = 0;

  constructor(orders: SharedArrayBuffer, party: number) {
    this.#words = new Int32Array(orders);
    this.#base = party * PARTY.WORDS;
    this.#sleep = countAtomics(() => this.step());
  }

  /** Runs a part of the work in which the worker may be ordered to stop. */
  within<T>(section: Section, run: () => T): T {
    const before = this.#section;
    this.#enter(1 + SECTIONS.indexOf(section));
    const result = run();
    if (result instanceof Promise) return result.finally(() => this.#enter(before)) as T;
    this.#enter(before);
    return result;
  }

  isWanted(section: Section): boolean {
    return this.#words[this.#base + PARTY.WANTED] === 1 + SECTIONS.indexOf(section);
  }

  /** A place to stop at in the worker's own code. */
  step(): void {
    if (this.#section === 0 || this.#words[this.#base + PARTY.WANTED] !== this.#section) return;
    if (this.#words[this.#base + PARTY.STEPS]!-- > 0) return;
    this.sayStopped();
    for (;;) this.#sleep(this.#words, this.#base + PARTY.STOPPED, 1);
  }

  sayStopped(): void {
    this.#words[this.#base + PARTY.STOPPED] = 1;
  }

  progress(): void {
    this.#words[this.#base + PARTY.PROGRESS]!++;
  }

  #enter(section: number): void {
    this.#section = section;
    this.#words[this.#base + PARTY.SECTION] = section;
  }
}

/* eslint-disable no-restricted-globals -- the steps are counted below the substrate, so that the library runs as it is */

/** Has `step` called before every atomic operation of this thread; returns the uncounted wait. */
function countAtomics(step: () => void): (words: Int32Array, word: number, value: number) => unknown {
  const { wait } = Atomics;
  const table = Atomics as unknown as Record<string, (...operands: unknown[]) => unknown>;
  for (const name of [
    "load",
    "store",
    "add",
    "or",
    "and",
    "exchange",
    "compareExchange",
    "notify",
    "wait",
    "waitAsync",
  ]) {
    const operation = table[name]!;
    table[name] = (...operands) => {
      step();
      return operation(...operands);
    };
  }
  return wait;
}
/* eslint-enable no-restricted-globals -- nothing follows */
