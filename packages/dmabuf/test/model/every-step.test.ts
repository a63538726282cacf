/**
 * An agent on real shared memory dies before each of its steps, in everything that it does by itself, and another one
 * gives back what it held: nothing is lost, stuck or left over.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { rawFormat, type DmaBuf, type FrameStream } from "../../src/index.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import { checkNothingIsLeft } from "../nothing-left.js";
import { BareDomain, createMemory } from "../bare-domain.js";
import { MORTAL_TASKS, type Given } from "../doomed-tasks.js";
import { EXPLORES } from "./interleavings.js";

const SIZES = {
  agents: 4,
  buffers: 12,
  timelines: 6,
  oneShots: 8,
  streams: 3,
  requests: 2,
  syncobjs: 3,
  userFences: 3,
  activities: 8,
  copies: 8,
};

/** An agent that may die, and one that lives on. */
class World {
  readonly survivor: BareDomain;
  readonly mortal: BareDomain;
  readonly steps: SteppedSubstrate;
  readonly given: Given;
  readonly #buffers: readonly DmaBuf[];
  readonly #stream: FrameStream;

  constructor() {
    const memory = createMemory(SIZES);
    this.survivor = new BareDomain(memory, "survivor");
    this.steps = new SteppedSubstrate(memory);
    this.mortal = new BareDomain(this.steps, "mortal");
    this.#buffers = [1, 2, 3].map(() => this.survivor.allocate(1));
    this.#stream = this.survivor.createStream({ format: rawFormat(1), buffers: 2, dataBytes: 0 });
    this.#stream.loanSync()!.publish();
    const [one, two, three] = this.#buffers;
    const pending = this.survivor.createTimeline().createFence().handle();
    this.given = {
      buffers: [this.mortal.import(one!.handle()), this.mortal.import(two!.handle())],
      handle: structuredClone(three!.handle()),
      stream: structuredClone(this.#stream.handle()),
      timeline: this.survivor.createSoftwareTimeline().handle(),
      fence: this.mortal.import(pending),
    };
  }

  /** How many steps a task has. */
  count(task: string): number {
    this.steps.begin({});
    MORTAL_TASKS[task]!(this.mortal, this.given);
    return this.steps.steps;
  }

  killAt(task: string, at: number): void {
    this.steps.begin({ at });
    try {
      MORTAL_TASKS[task]!(this.mortal, this.given);
    } catch (error) {
      if (!this.steps.isDead) throw error;
    }
    assert.ok(this.steps.isDead);
    this.survivor.bury(agentOf(this.mortal).identity);
  }

  /** What the survivor has is as if the other had never been. */
  checkNothingIsLeft(): void {
    const { syncobjs, userFences } = SIZES;
    const free = { agents: 3, buffers: 7, timelines: 4, oneShots: 8, streams: 2, syncobjs, userFences };
    checkNothingIsLeft({ survivor: this.survivor, buffers: this.#buffers, stream: this.#stream, free });
  }
}

for (const task of Object.keys(MORTAL_TASKS)) {
  test(`an agent may die at every step when it ${task}`, EXPLORES, (t) => {
    const steps = new World().count(task);
    assert.ok(steps > 0);
    for (let at = 1; at <= steps; at++) {
      const world = new World();
      world.killAt(task, at);
      try {
        world.checkNothingIsLeft();
      } catch (error) {
        throw new Error(`After a death before step ${at} of ${steps}: ${String(error)}`, { cause: error });
      }
    }
    t.diagnostic(`${steps} steps`);
  });
}
