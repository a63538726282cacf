/** What another agent can be asked to do with a long-running job. */
import type { LongRunningQueue } from "../../../src/index.js";
import type { Scene } from "./scene.js";

interface Counting {
  readonly queue: LongRunningQueue;
  rounds: number;
  ends: boolean;
  blocks: boolean;
}

/** By the buffer. */
const counting = new Map<string, Counting>();

/** A job adds 1 to the first word of a buffer again and again, with a safe point each time. Returns what the job failed with. */
export async function countLong(
  { domain, buffers, begun }: Scene,
  name: string,
  preemptLimit: number,
): Promise<string | undefined> {
  const buffer = buffers.get(name)!;
  using queue = domain.createQueue({
    longRunning: true,
    name: "counting",
    preemptLimit,
    async run(job) {
      while (!state.ends) {
        const [bytes] = job.access(buffer).segments;
        new DataView(bytes!.buffer, bytes!.byteOffset).setUint32(0, ++state.rounds);
        if (state.rounds === 1) begun();
        // Never to a safe point, and never to the event loop.
        while (state.blocks);
        await job.safePoint(new Promise((resolve) => setTimeout(resolve, 0)));
      }
    },
  });
  const state: Counting = { queue, rounds: 0, ends: false, blocks: false };
  counting.set(name, state);
  using ended = queue.submit({ buffers: [buffer] });
  await ended.wait();
  return queue.error;
}

export function roundsOf(_scene: Scene, name: string): number {
  return counting.get(name)!.rounds;
}

export function endCounting(_scene: Scene, name: string): void {
  counting.get(name)!.ends = true;
}

/** From its next round on the job's thread does nothing else any more. */
export function blockCounting(_scene: Scene, name: string): void {
  counting.get(name)!.blocks = true;
}

/** Moves the buffer to memory of this agent's own, time after time. */
export async function moveUnder({ buffers, createMemory }: Scene, name: string, times: number): Promise<void> {
  const buffer = buffers.get(name)!;
  for (let time = 0; time < times; time++) await buffer.move([createMemory(buffer.size)], { timeout: 30_000 });
}

/** Has the job off its buffer so many times, and looks whether it stays away; returns how often it did not. */
export async function evictOften({ buffers, begun }: Scene, name: string, times: number): Promise<number> {
  let wrong = 0;
  for (let time = 0; time < times; time++) {
    using access = await buffers.get(name)!.access("write", { evict: true, timeout: 30_000 });
    begun();
    const [bytes] = access.segments;
    const word = new DataView(bytes!.buffer, bytes!.byteOffset);
    const before = word.getUint32(0);
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (word.getUint32(0) !== before) wrong++;
  }
  return wrong;
}
