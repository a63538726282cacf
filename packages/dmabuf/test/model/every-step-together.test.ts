/**
 * An agent on real shared memory dies before each of its steps, in what it does together with another agent, which ends
 * its own part and finds nothing lost, stuck or left over.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { isPinned } from "../../src/buffer/storage-slot.js";
import type { Agent } from "../../src/domain/agent.js";
import { BUFFER, REQUEST_PHASE } from "../../src/domain/layout.js";
import { codeOf } from "../../src/errors.js";
import { rawFormat, type Consumer, type DmaBuf, type ExporterOps, type StorageSegment } from "../../src/index.js";
import { until } from "../agents.js";
import { TwoAgents } from "../two-agents.js";
import { EXPLORES } from "./interleavings.js";

const SIZES = {
  agents: 2,
  buffers: 4,
  timelines: 3,
  oneShots: 8,
  streams: 1,
  requests: 4,
  syncobjs: 1,
  userFences: 1,
  activities: 1,
  copies: 1,
};

/** What the two do, prepared: the mortal's part, and the survivor's. */
interface Parts {
  readonly mortal: () => Promise<unknown>;
  readonly survivor: () => Promise<unknown>;
}

const TASKS: Record<string, (agents: TwoAgents) => Parts> = {
  "asks another agent's exporter for all it can do"({ survivor, mortal }) {
    const exporter = new CountingExporter();
    const exported = survivor.export([page()], { ops: exporter.ops });
    const buffer = mortal.import(structuredClone(exported.handle()));
    return {
      mortal: () => useAll(buffer),
      survivor: () => until(() => survivor.statistics()[0]!.holders.length === 1 && exporter.isIdle),
    };
  },
  "exports a buffer that another agent uses in all ways"({ survivor, mortal }) {
    const exported = mortal.export([page()], { ops: new CountingExporter().ops });
    const buffer = survivor.import(structuredClone(exported.handle()));
    const used = once(() => useAll(buffer).finally(() => buffer.close()));
    return {
      mortal: async () => {
        await used();
        exported.close();
        await until(() => isTableFree(agentOf(survivor)));
      },
      survivor: used,
    };
  },
  "moves a buffer that another agent follows"(agents) {
    const { survivor, mortal } = agents;
    const old = page();
    const exported = mortal.export([old]);
    bytesOf(old)[0] = 1;
    const buffer = survivor.import(structuredClone(exported.handle()));
    return {
      mortal: async () => {
        await exported.move([page()]);
        if (!agents.isDead) bytesOf(old)[0] = 9;
        exported.close();
      },
      survivor: () => follow(buffer),
    };
  },
  "follows a buffer that another agent moves"({ survivor, mortal }) {
    const old = page();
    bytesOf(old)[0] = 1;
    const exported = survivor.export([old]);
    const buffer = mortal.import(structuredClone(exported.handle()));
    const moved = once(() => exported.move([page()]));
    return {
      mortal: () => follow(buffer),
      survivor: () => moved().then(() => readOne(exported)),
    };
  },
  "shares the work on a stream with another agent"(agents) {
    const { survivor, mortal } = agents;
    const stream = survivor.createStream({ format: rawFormat(1), buffers: 2, dataBytes: 0 });
    const [mine, theirs] = [stream, mortal.import(structuredClone(stream.handle()))];
    const done: number[] = [];
    const work = async (consumer: Consumer, says: (frame: number) => void): Promise<void> => {
      for await (using frame of consumer) says(frame.sequence);
    };
    return {
      mortal: async () => {
        const consumer = theirs.frames({ group: "workers" });
        await work(consumer, (frame) => agents.isDead || done.push(frame));
        theirs.close();
      },
      survivor: async () => {
        const working = work(mine.frames({ group: "workers" }), (frame) => done.push(frame));
        for (let frame = 0; frame < 3; frame++) (await stream.loan())!.publish();
        stream.end();
        await working;
        stream.close();
        assert.deepEqual([...new Set(done)].sort(), [0, 1, 2]);
        assert.ok(done.length <= (agents.isDead ? 4 : 3), `frames ${done.join()} were worked on`);
      },
    };
  },
  "submits jobs that read and write buffers which another agent uses"({ survivor, mortal }) {
    const [one, two] = [survivor.allocate(1), survivor.allocate(1)];
    const [a, b] = [one, two].map((buffer) => mortal.import(structuredClone(buffer.handle())));
    const queue = mortal.createQueue({
      run: (job) => void [...job.reads, ...job.writes].map((used) => job.access(used).bytes[0]),
    });
    return {
      mortal: async () => {
        const jobs = [await queue.submit({ reads: [a!], writes: [b!] }), await queue.submit({ writes: [a!, b!] })];
        for (const job of jobs) await job.wait();
        queue.close();
        a!.close();
        b!.close();
      },
      survivor: async () => {
        for (const buffer of [one, two, one]) (await buffer.access("write"))[Symbol.dispose]();
      },
    };
  },
};

for (const [task, prepare] of Object.entries(TASKS)) {
  test(`an agent may die at every step when it ${task}`, EXPLORES, async (t) => {
    let steps = 0;
    for (let isOver = false; !isOver; steps++) {
      const agents = new TwoAgents(SIZES);
      try {
        isOver = !(await killAt(agents, prepare(agents), steps + 1));
      } catch (error) {
        throw new Error(`After a death before step ${steps + 1}: ${String(error)}`, { cause: error });
      }
    }
    assert.ok(steps > 50);
    t.diagnostic(`${steps} steps`);
  });
}

/** @returns False if the agent had ended its part before that step. */
async function killAt(agents: TwoAgents, { mortal, survivor }: Parts, at: number): Promise<boolean> {
  const death = agents.killAt(at);
  const surviving = survivor().catch((error: unknown) => assert.equal(codeOf(error), "ESRCH", String(error)));
  const ending = mortal();
  // What it meets after its death is its own affair.
  await Promise.race([death, ending.catch((error: unknown) => assert.ok(agents.isDead, String(error)))]);
  if (agents.isDead) agents.survivor.bury(agentOf(agents.mortal).identity);
  else agents.spare();
  await surviving;
  // The agent that lives hears in its event loop of what it is told.
  await until(() => isTableFree(agentOf(agents.survivor)));
  checkNothingIsLeft(agents);
  agents.survivor.close();
  return agents.isDead;
}

function checkNothingIsLeft({ survivor, isDead }: TwoAgents): void {
  const agent = agentOf(survivor);
  if (isDead) assert.deepEqual(survivor.agents, ["survivor"]);
  for (const { holders, readers, writer, attachments, pendingFences } of survivor.statistics()) {
    assert.deepEqual(
      { holders, readers, writer, attachments, pendingFences },
      { holders: ["survivor"], readers: [], writer: undefined, attachments: 0, pendingFences: 0 },
    );
  }
  for (let slot = 0; slot < SIZES.buffers; slot++) {
    assert.equal(isPinned(agent, slot), false);
    assert.equal(agent.memory.load64(agent.layout.buffer(slot) + BUFFER.LOCK), 0n, "a lock is held");
  }
}

/** Whether no request is left. */
function isTableFree({ memory, layout }: Agent): boolean {
  for (let slot = 0; slot < SIZES.requests; slot++) {
    if ((memory.load64(layout.request(slot)) & 7n) !== BigInt(REQUEST_PHASE.FREE)) return false;
  }
  return true;
}

/** Everything that can be asked of an exporter. */
async function useAll(buffer: DmaBuf): Promise<void> {
  {
    using attachment = await buffer.attach({ name: "importer", moveNotify() {} });
    using _mapping = await attachment.map("write");
    using _lock = await buffer.reservation.lock();
    await attachment.pin();
    attachment.unpin();
  }
  (await buffer.access("write"))[Symbol.dispose]();
  buffer.close();
}

/** Is told of moves, and reads what must be there before and after each. */
async function follow(buffer: DmaBuf): Promise<void> {
  {
    using attachment = await buffer.attach({ name: "follower", moveNotify() {} });
    for (let i = 0; i < 3; i++) {
      using _mapping = await attachment.map();
      await readOne(buffer);
    }
  }
  buffer.close();
}

async function readOne(buffer: DmaBuf): Promise<void> {
  using access = await buffer.access("read");
  assert.equal(access.bytes[0], 1);
}

/** Counts what importers have begun and not ended. */
class CountingExporter {
  readonly #begun = { attachments: 0, mappings: 0, pins: 0, accesses: 0 };

  get isIdle(): boolean {
    return Object.values(this.#begun).every((count) => count === 0);
  }

  get ops(): ExporterOps {
    const begun = this.#begun;
    return {
      attach: () => void begun.attachments++,
      detach: () => void begun.attachments--,
      map: () => {
        begun.mappings++;
        return [page()];
      },
      unmap: () => void begun.mappings--,
      pin: () => void begun.pins++,
      unpin: () => void begun.pins--,
      beginCpuAccess: () => void begun.accesses++,
      endCpuAccess: () => void begun.accesses--,
      release() {},
    };
  }
}

function page(): StorageSegment {
  return { memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 };
}

function bytesOf({ memory, offset, length }: StorageSegment): Uint8Array {
  return new Uint8Array(memory, offset, length);
}

/** Begins at the first call; later ones get the same promise. */
function once<Result>(begin: () => Promise<Result>): () => Promise<Result> {
  let promise: Promise<Result> | undefined;
  return () => (promise ??= begin());
}
