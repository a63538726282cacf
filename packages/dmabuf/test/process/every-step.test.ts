/**
 * A process is killed before each of its steps, in everything that it does in a domain, and another one finds nothing
 * lost, stuck or left over.
 *
 * Environment: DMABUF_STEPS, how many steps of each protocol (default 3; "all" for all 6,400, which take 20 minutes and
 * more); DMABUF_SEED, which ones (random, printed).
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deadIn, otherAgents } from "../../src/domain/agent-slot.js";
import { rawFormat, type DmaBuf, type FrameStream } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { checkNothingIsLeft } from "../nothing-left.js";
import { until } from "../agents.js";
import { MORTAL_TASKS } from "../doomed-tasks.js";
import { Random } from "../random.js";
import { Barracks } from "./process-pool.js";
import { JOINING_TASKS, type Errand } from "./child-task.js";

const STEPS = process.env["DMABUF_STEPS"] === "all" ? Infinity : Number(process.env["DMABUF_STEPS"] ?? 3);
const SEED = Number(process.env["DMABUF_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const LIMIT = { timeout: STEPS === Infinity ? 3_600_000 : 240_000, concurrency: 1 };
const SIZES = {
  agents: 4,
  buffers: 12,
  timelines: 6,
  oneShots: 8,
  streams: 3,
  requests: 2,
  syncobjs: 3,
  userFences: 3,
};

/** A domain with an agent that lives on, for one death. */
class World implements Disposable {
  readonly #domain: ProcessDomain;
  readonly #place: string;
  readonly #buffers: readonly DmaBuf[];
  readonly #stream: FrameStream;

  constructor(place: string) {
    this.#place = place;
    this.#domain = ProcessDomain.listen(place, { ...SIZES, name: "survivor" });
    this.#buffers = [1, 2, 3].map(() => this.#domain.allocate(1));
    this.#stream = this.#domain.createStream({ name: "frames", format: rawFormat(1), buffers: 2, dataBytes: 0 });
    this.#stream.loanSync()!.publish();
  }

  /** @returns How many steps the task has, if it came to its end. */
  async send(child: ChildProcess, task: string, at: number): Promise<number | undefined> {
    const domain = this.#domain;
    const [one, two, three] = this.#buffers as [DmaBuf, DmaBuf, DmaBuf];
    const errand: Errand = {
      place: this.#place,
      task,
      at,
      buffers: [one.handle(), two.handle()],
      handle: three.handle(),
      stream: this.#stream.handle(),
      streamName: "frames",
      timeline: domain.createSoftwareTimeline().handle(),
      fence: domain.createTimeline().createFence().handle(),
    };
    let steps: number | undefined;
    child.once("message", (message) => (steps = message as number));
    child.send(errand);
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    assert.deepEqual([code, signal], [null, "SIGKILL"]);
    return steps;
  }

  /** Waits until the dead have been recovered. */
  async burial(): Promise<void> {
    const agent = agentOf(this.#domain);
    const slots = [...Array(SIZES.agents).keys()];
    await until(() => [...otherAgents(agent)].length === 0 && slots.every((slot) => deadIn(agent, slot) === 0));
  }

  checkNothingIsLeft(): void {
    const { syncobjs, userFences } = SIZES;
    const free = { agents: 3, buffers: 7, timelines: 4, oneShots: 8, streams: 2, syncobjs, userFences };
    checkNothingIsLeft({ survivor: this.#domain, buffers: this.#buffers, stream: this.#stream, free });
  }

  [Symbol.dispose](): void {
    this.#domain.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
const barracks = new Barracks(new URL("doomed-agent.js", import.meta.url));
const random = new Random(SEED);

test.after(() => {
  barracks.close();
  rmSync(folder, { recursive: true });
});

async function killAt(task: string, at: number): Promise<number | undefined> {
  const child = await barracks.take();
  using world = new World(join(folder, "socket"));
  const steps = await world.send(child, task, at);
  await world.burial();
  world.checkNothingIsLeft();
  return steps;
}

for (const task of [...Object.keys(JOINING_TASKS), ...Object.keys(MORTAL_TASKS)]) {
  test(`a process may be killed at every step when it ${task}`, LIMIT, async (t) => {
    const steps = (await killAt(task, 0))!;
    assert.ok(steps > 0);
    const descriptors = countDescriptors();
    const chosen = chooseSteps(steps);
    for (const at of chosen) {
      try {
        await killAt(task, at);
      } catch (error) {
        throw new Error(`After a kill before step ${at} of ${steps}: ${String(error)}`, { cause: error });
      }
    }
    await until(() => countDescriptors() <= descriptors);
    t.diagnostic(`killed at ${chosen.length} of ${steps} steps`);
  });
}

/** One from each part of the protocol, all parts of the same length. */
function chooseSteps(steps: number): number[] {
  const parts = Math.min(STEPS, steps);
  const start = (part: number): number => Math.floor((part * steps) / parts);
  return Array.from({ length: parts }, (_, i) => 1 + start(i) + random.below(start(i + 1) - start(i)));
}

/** Those of the processes that wait for an errand come and go. */
function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

console.log(`DMABUF_SEED=${SEED}`);
