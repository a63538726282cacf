import { parentPort, workerData } from "node:worker_threads";
import { joinSegment } from "../process-segment.js";

/**
 * One party of a shared segment, in a process (which has inherited the memory file as descriptor 3 and the pipes after
 * it) or in a worker: `node substrate-party.js ROLE SLOTS`.
 */

export interface PartyData {
  readonly role: string;
  readonly fd: number;
  readonly pipes: readonly number[];
}

/** Words of the segment beside the doorbells 0 to 3 and their counts, 8 to 11. */
export const WORDS = 16;
export const SLOTS = 4;
export const AT = { UP: 4, SLICES: 5, TURN: 6, ROUNDS: 7, DONE: 12 } as const;

const data = (workerData ?? fromArguments()) as PartyData;
const memory = joinSegment(data.fd, data.pipes, { words: WORDS, slots: SLOTS, onSlice });

const ROLES: Record<string, () => void | Promise<void>> = {
  /** Says when it is up, and rings doorbell 0 a moment later. */
  ringer() {
    memory.store(AT.UP, 1);
    setTimeout(() => {
      memory.add(0, 1);
      memory.store(AT.DONE, memory.wake(0));
    }, 100);
  },
  /** Sleeps at doorbell 1 from its event loop, three times at once. */
  async asynchronousSleeper() {
    const keepAlive = setInterval(() => {}, 1_000);
    const sleeps = [0, 0, 0].flatMap((expected) => memory.parkAsync(1, expected) ?? []);
    memory.store(AT.UP, 1);
    await Promise.all(sleeps);
    memory.store(AT.DONE, 1);
    clearInterval(keepAlive);
  },
  /** Blocks at doorbell 1. */
  sleeper() {
    memory.store(AT.UP, 1);
    memory.park(1, 0, Infinity);
    memory.store(AT.DONE, 1);
  },
  /** Answers at doorbell 1 each ring of its own, with one at doorbell 0; it waits in one way and in the other. */
  async echo() {
    const keepAlive = setInterval(() => {}, 1_000);
    const rounds = memory.load(AT.ROUNDS);
    memory.store(AT.UP, 1);
    for (let round = 0; round < rounds; round++) {
      await untilTurn(1, round, round % 3 === 0);
      pass(0);
    }
    clearInterval(keepAlive);
  },
};

void ROLES[data.role]!();
parentPort?.on("message", () => {});

/** Waits at the doorbell until the turn is `2 * round + 1`, as the layers above wait: read, look, park. */
async function untilTurn(bell: number, round: number, blocks: boolean): Promise<void> {
  for (;;) {
    const rung = memory.load(bell);
    if (memory.load(AT.TURN) === 2 * round + 1) return;
    if (blocks) memory.park(bell, rung, Infinity);
    else await memory.parkAsync(bell, rung);
  }
}

function pass(bell: number): void {
  memory.add(AT.TURN, 1);
  memory.add(bell, 1);
  memory.wake(bell);
}

function onSlice(): void {
  memory.add(AT.SLICES, 1);
}

function fromArguments(): PartyData {
  const pipes = Array.from({ length: SLOTS }, (_, slot) => 4 + slot);
  return { role: process.argv[2]!, fd: 3, pipes };
}
