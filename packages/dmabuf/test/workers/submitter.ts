import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { waitAll, type DmaBuf, type Fence, type JoinedDomain, type BufferHandleData } from "../../src/index.js";

/** What a submitter has done and seen. */
export interface Submitted {
  /** How often it has raised the counter of each buffer. */
  readonly raised: readonly number[];
  /** How many of its jobs saw a buffer change while they ran. */
  readonly torn: number;
  /** The codes of its jobs that failed. */
  readonly errors: readonly string[];
}

/**
 * Submits jobs that raise counters in some buffers and look at others, with its own accesses between them. A counter is
 * raised in two steps with a pause between, so that two who do it at once lose one of them.
 */
export async function submit(
  domain: JoinedDomain,
  handles: readonly BufferHandleData[],
  jobs: number,
  seed: number,
): Promise<Submitted> {
  const buffers = handles.map((handle) => domain.import(handle));
  const raised = buffers.map(() => 0);
  const random = randomNumbers(seed);
  let torn = 0;
  const queue = domain.createQueue<readonly number[]>({
    async run(job) {
      const [reads, writes] = [job.reads, job.writes].map((list) =>
        list.map((buffer) => counter(job.access(buffer).bytes)),
      );
      const [seen, old] = [reads!.map(([value]) => value), writes!.map(([value]) => value!)];
      await sleep(random(2));
      writes!.forEach((word, i) => (word[0] = old[i]! + 1));
      if (reads!.some(([value], i) => value !== seen[i])) torn++;
      for (const i of job.data) raised[i]!++;
    },
  });
  const fences: Fence[] = [];
  for (let n = 0; n < jobs; n++) {
    const order = buffers.map((_, i) => i).sort(() => random(2) - 0.5);
    const writes = order.slice(0, 1 + random(2));
    const reads = order.slice(2, 2 + random(2));
    const pick = (list: readonly number[]): DmaBuf[] => list.map((i) => buffers[i]!);
    fences.push(await queue.submit({ data: writes, reads: pick(reads), writes: pick(writes) }));
    if (n % 5 > 0) continue;
    using access = await pick(order)[0]!.access("write");
    const word = counter(access.bytes);
    const old = word[0]!;
    await sleep(0);
    word[0] = old + 1;
    raised[order[0]!]!++;
  }
  await waitAll(fences);
  return { raised, torn, errors: fences.flatMap(({ error }) => error?.code ?? []) };
}

/** @param isWhole Whether these are all that have submitted: what one that died has raised is unknown. */
export async function checkRaised(
  buffers: readonly DmaBuf[],
  all: readonly Submitted[],
  isWhole: boolean,
): Promise<void> {
  for (const { torn, errors } of all) assert.deepEqual([torn, errors], [0, []]);
  for (const [i, buffer] of buffers.entries()) {
    using access = await buffer.access("read");
    const [value] = counter(access.bytes);
    const raised = all.reduce((sum, each) => sum + each.raised[i]!, 0);
    assert.ok(isWhole ? value === raised : value! >= raised, `buffer ${i}: ${value}, raised ${raised} times`);
    assert.ok(raised > 0);
  }
}

function counter({ buffer, byteOffset }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, 1);
}

/** Integers from 0 to below `limit`, the same in every run. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % limit;
  };
}
