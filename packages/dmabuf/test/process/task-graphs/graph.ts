import fc from "fast-check";

/**
 * Random graphs of tasks, and what a run of one must leave in its buffers.
 *
 * Each task adds an entry to all buffers that it writes: its own number, and a hash of all that it reads and writes, as it has
 * found that. So the entries of a buffer tell in which order tasks wrote there, and what each of them saw.
 *
 * graph.1. A run equals the sequential one, in the order in which the tasks were submitted, but for the tasks of the dead: each of
 *     these is done in some of its buffers, and not in others.
 * graph.2. Which these are is seen in the buffers. What later tasks have seen must agree with that.
 * graph.3. A task that has succeeded is done in all of its buffers.
 */

/** How an agent ends: before its task, between the two writes of an entry, after the task, or whenever it is killed from outside. */
const ENDS = ["before", "within", "after", "outside"] as const;
export type End = (typeof ENDS)[number];

/** One task: its number is its place in the graph. */
export interface Task {
  /** Which agent's queue it is for. */
  readonly line: number;
  /**
   * Whether it is a long-running one: its end is a user fence, and others that need its buffers are submitted when that has
   * signaled; it makes way for agents that evict them.
   */
  readonly isLong?: boolean;
  /** What it does with each buffer. */
  readonly uses: readonly Use[];
  /** So many tasks before it is one that it waits for besides. */
  readonly after: readonly number[];
  /** Milliseconds between its look and its writes. */
  readonly lasts: number;
  readonly dies?: End;
  /** The buffer that long-running tasks are evicted from when it has been submitted. */
  readonly evicts?: number | undefined;
}

export type Use = "none" | "read" | "write";

export const BUFFERS = 4;

/** @param lines How many agents there are. */
export function graphs(lines: number): fc.Arbitrary<Task[]> {
  const use = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Use>("none") },
    { weight: 2, arbitrary: fc.constant<Use>("read") },
    { weight: 2, arbitrary: fc.constant<Use>("write") },
  );
  const task = fc.record({
    line: fc.nat(lines - 1),
    uses: fc.array(use, { minLength: BUFFERS, maxLength: BUFFERS }),
    after: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 2 }),
    lasts: fc.nat(3),
    isLong: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    evicts: fc.option(fc.nat(BUFFERS - 1), { freq: 2, nil: undefined }),
  });
  const mortal = fc.tuple(task, fc.constantFrom(...ENDS)).map(([rest, dies]): Task => ({ ...rest, dies }));
  const some = fc.oneof({ weight: 15, arbitrary: task }, { weight: 1, arbitrary: mortal });
  return fc.array(some, { minLength: 1, maxLength: 40, size: "max" });
}

/** The buffers that a task uses so. */
export function buffersOf({ uses }: Task, use: Use): number[] {
  return uses.flatMap((each, buffer) => (each === use ? [buffer] : []));
}

/** The tasks that a task waits for besides. */
export function tasksBefore({ after }: Task, id: number): number[] {
  return [...new Set(after.map((distance) => id - distance))].filter((other) => other >= 0);
}

/** Whether two tasks need the same buffer, and not both only read it. */
export function conflict(one: Task, other: Task): boolean {
  return one.uses.some(
    (use, i) => use !== "none" && other.uses[i] !== "none" && [use, other.uses[i]].includes("write"),
  );
}

/** What a buffer holds: the numbers and hashes of the tasks that have written it. */
export type Log = readonly Entry[];

export interface Entry {
  readonly task: number;
  readonly hash: number;
}

/** Where the entries are in a buffer's words: their count, and two words each. */
export function logIn(words: Uint32Array): Entry[] {
  return Array.from({ length: words[0]! }, (_, i) => ({ task: words[1 + 2 * i]!, hash: words[2 + 2 * i]! }));
}

/** FNV-1a over all that a task finds. */
export function hashOf(task: number, logs: readonly Log[]): number {
  let hash = 0x811c9dc5;
  const add = (word: number): void => void (hash = Math.imul(hash ^ word, 0x01000193));
  add(task);
  for (const log of logs) {
    add(log.length);
    for (const entry of log) {
      add(entry.task);
      add(entry.hash);
    }
  }
  return hash >>> 0;
}

/** What is known of a task after the run. */
export type Outcome = "done" | "failed";

/** @returns What the sequential run leaves, with the tasks of the dead as far as `found` has them (graph.2). */
export function sequential(graph: readonly Task[], outcomes: readonly Outcome[], found: readonly Log[]): Log[] {
  const logs = found.map((): Entry[] => []);
  for (const [id, task] of graph.entries()) {
    const hash = hashOf(id, inputsOf(task, logs));
    for (const buffer of buffersOf(task, "write")) {
      const isDone = outcomes[id] === "done" || found[buffer]!.some((entry) => entry.task === id);
      if (isDone) logs[buffer]!.push({ task: id, hash });
    }
  }
  return logs;
}

/** What a task finds: first what it only reads, then what it writes, as jobs have them. */
function inputsOf(task: Task, logs: readonly Log[]): Log[] {
  return [...buffersOf(task, "read"), ...buffersOf(task, "write")].map((buffer) => [...logs[buffer]!]);
}
