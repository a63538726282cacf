/**
 * Workers do random things with shared buffers and streams, and are terminated in the middle of them again and again.
 *
 * Environment: DMABUF_STRESS_SECONDS (30), DMABUF_STRESS_SEED (random, printed).
 */
import { bufferOf } from "../../../src/substrate/atomic-words.js";
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import {
  Domain,
  rawFormat,
  type DmaBuf,
  type FrameStream,
  type Invitation,
  type StreamHandleData,
} from "../../../src/index.js";
import { deadIn, isLive, slotOf } from "../../../src/domain/agent-slot.js";
import { pause } from "../../agents.js";
import { Orders, SECTIONS, type Section } from "./orders.js";
import { checkPattern, writePattern } from "../../pattern.js";
import { Random } from "../../random.js";
import { domainState } from "../../segment-state.js";
import { BUFFER_BYTES, DEEDS, FRAME_BYTES, type Details, type Message } from "./details.js";
import type { Watched } from "./watchdog.js";

// A worker stops before a chosen atomic operation: that is seen where they are JavaScript's. WebAssembly's are not, and what
// ends between any two of them is in test/process/fast-path.
process.env["DMABUF_WORDS"] = "atomics";

const SECONDS = Number(process.env["DMABUF_STRESS_SECONDS"] ?? 30);
const SEED = Number(process.env["DMABUF_STRESS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const WORKERS = 8;
const BUFFER_SLOTS = 16;
/** How many workers are terminated at least, in the 30 seconds of a whole run. */
const TERMINATIONS = Math.ceil((200 * Math.min(SECONDS, 30)) / 30);
/** A slow machine starts fewer workers: after so many seconds it is enough that one was terminated in each section. */
const PATIENCE = 3 * SECONDS;
/** How many atomic operations or points a section has, about: the worker stops before a random one of them. */
const STEPS: Partial<Record<Section, number>> = { join: 10, leave: 1500, claim: 60, lock: 60, fence: 80, import: 40 };
const FEW_STEPS = 16;
/**
 * After how many more things a worker that does not come to the point that it was ordered to is terminated where it is: two
 * workers may wait for each other's frames. No time is measured, since a busy machine needs seconds to start a worker.
 */
const LONGEST_WAY = 300;

test(
  `${WORKERS} workers on ${BUFFER_SLOTS} buffers, terminated everywhere, leave nothing behind and see nothing half-written`,
  {
    timeout: 270_000,
  },
  async (t) => {
    console.log(`DMABUF_STRESS_SEED=${SEED} DMABUF_STRESS_SECONDS=${SECONDS}`);
    const run = new StressRun();
    // Also after the test's time, which goes by without an error in here.
    t.after(() => run.end());
    await run.work();
    await run.finish();
    for (const line of run.report()) t.diagnostic(line);
  },
);

interface Party {
  readonly index: number;
  worker: Worker | undefined;
  invitation: Invitation | undefined;
  ended: Promise<unknown>;
  hasEnded: boolean;
  /** Whether its worker is about to be terminated. */
  condemned: boolean;
}

class StressRun {
  readonly #random = new Random(SEED);
  readonly #domain = Domain.create({ agents: 16, buffers: 256, timelines: 64, oneShots: 256, streams: 64 });
  readonly #orders = Orders.create(WORKERS);
  readonly #owners = new SharedArrayBuffer(4 * BUFFER_SLOTS);
  readonly #deeds = new SharedArrayBuffer(8 * DEEDS.length);
  readonly #heartbeat = new SharedArrayBuffer(8);
  readonly #buffers: readonly DmaBuf[];
  readonly #stream: FrameStream;
  readonly #never = this.#domain.createTimeline({ name: "never", timeLimit: 0x7fff_ffff });
  readonly #parties: readonly Party[];
  #watchdog: Worker | undefined;
  #control = new SharedArrayBuffer(0);
  readonly #terminated = new Map<Section | "anywhere", number>();
  readonly #start = performance.now();
  #failure: Error | undefined;
  #finishing = false;
  #left = 0;

  constructor() {
    this.#buffers = Array.from({ length: BUFFER_SLOTS }, (_, i) => {
      const buffer = this.#domain.allocate(BUFFER_BYTES, { name: `shared ${i}` });
      using access = buffer.tryAccess("write");
      writePattern(access!.bytes, i, 1, () => {});
      return buffer;
    });
    this.#stream = this.#domain.createStream({ format: rawFormat(FRAME_BYTES), name: "main's" });
    this.#parties = Array.from({ length: WORKERS }, (_, index) => ({
      index,
      worker: undefined,
      invitation: undefined,
      ended: Promise.resolve(),
      hasEnded: false,
      condemned: false,
    }));
  }

  /** Has the workers work, and terminates them one after the other, until it is enough. */
  async work(): Promise<void> {
    for (const party of this.#parties) this.#spawn(party);
    this.#watchdog = startWatchdog({
      control: this.#control,
      orders: this.#orders.buffer,
      heartbeat: this.#heartbeat,
      seed: SEED,
    });
    const producing = this.#produce();
    // If the run fails, that is why.
    producing.catch(() => {});
    let queue: Section[] = [];
    const terminate = async (): Promise<void> => {
      while (!this.#isEnough()) {
        if (queue.length === 0) queue = this.#random.shuffle(SECTIONS);
        await this.#terminateIn(queue.pop()!);
      }
    };
    await Promise.all([terminate(), terminate(), terminate()]);
    this.#finishing = true;
    await producing;
  }

  /** Lets all workers leave, and looks for anything that they have left behind. */
  async finish(): Promise<void> {
    for (const { worker } of this.#parties) worker?.postMessage("finish" satisfies Message);
    await Promise.all(this.#parties.map(({ ended }) => ended));
    this.#check();
    // Handles that no agent imports release their buffers after their limit.
    await this.#wait(() => this.#domain.statistics().every(({ holders }) => holders.length > 0));
    for (const { name, holders, readers, writer, pendingFences } of this.#domain.statistics()) {
      assert.deepEqual([holders, readers, writer, pendingFences], [["main"], [], undefined, 0], name);
    }
    for (const buffer of this.#buffers) {
      using access = buffer.tryAccess("read");
      checkPattern(
        access!.bytes,
        () => {},
        (writer) => !isLive(agentOf(this.#domain), writer),
      );
    }
    assert.deepEqual(this.#domain.agents, ["main"]);
    this.#domain.close();
    assert.deepEqual(domainState(this.#control), []);
  }

  report(): string[] {
    const deeds = new Int32Array(this.#deeds);
    const sections = [...this.#terminated].sort().map(([section, count]) => `${section} ${count}`);
    const done = DEEDS.map((deed, i) => `${deed} ${deeds[i]}`);
    return [`terminated in: ${sections.join(", ")}; ${this.#left} left by themselves`, `done: ${done.join(", ")}`];
  }

  /** Terminates all workers; what still waits in here has failed. */
  async end(): Promise<void> {
    this.#failure ??= new Error("The run has been ended");
    const workers = [this.#watchdog, ...this.#parties.map((party) => party.worker)];
    for (const worker of workers) await worker?.terminate();
    this.#domain.close();
  }

  #isEnough(): boolean {
    this.#check();
    const counts = [...this.#terminated.values()];
    const total = counts.reduce((sum, count) => sum + count, 0);
    const everywhere = SECTIONS.every((section) => this.#terminated.has(section));
    const seconds = (performance.now() - this.#start) / 1_000;
    return everywhere && (total >= TERMINATIONS ? seconds >= SECONDS : seconds >= PATIENCE);
  }

  #check(): void {
    new Int32Array(this.#heartbeat)[0]!++;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #spawn(party: Party, joinSteps?: number): void {
    this.#orders.clear(party.index);
    if (joinSteps !== undefined) this.#orders.order(party.index, "join", joinSteps);
    const invitation = this.#domain.invite({ name: `party ${party.index}` });
    this.#control = bufferOf(invitation.control);
    const details: Details = {
      party: party.index,
      seed: this.#random.below(2 ** 31),
      orders: this.#orders.buffer,
      buffers: this.#buffers.map((buffer) => handleOf(buffer)),
      stream: streamHandleOf(this.#stream),
      owners: this.#owners,
      deeds: this.#deeds,
      never: this.#never.createFence().handle(),
    };
    const worker = new Worker(new URL("./stress-worker.js", import.meta.url), {
      workerData: { invitation, details },
      transferList: [invitation.port],
    });
    worker.on("message", (message: Message | "left") => this.#forward(party, message));
    worker.on("error", (error) => (this.#failure ??= error));
    party.hasEnded = false;
    party.ended = new Promise((resolve) => {
      worker.on("exit", () => {
        if (party.worker === worker) party.hasEnded = true;
        resolve(undefined);
      });
    });
    party.worker = worker;
    party.invitation = invitation;
  }

  #forward(from: Party, message: Message | "left"): void {
    if (message === "left") this.#left++;
    else this.#random.pick(this.#parties.filter((party) => party !== from)).worker?.postMessage(message);
  }

  /** Has one worker stop in a section, terminates it there, and puts another in its place. */
  async #terminateIn(section: Section): Promise<void> {
    const party = this.#random.pick(this.#parties.filter(({ condemned }) => !condemned));
    party.condemned = true;
    try {
      await this.#wait(() => this.#orders.progressOf(party.index) > 0);
      if (section === "join") {
        await this.#end(party, "anywhere");
        this.#spawn(party, this.#random.below(STEPS.join!));
      } else {
        this.#orders.order(party.index, section, this.#random.below(STEPS[section] ?? FEW_STEPS));
      }
      const last = section === "join" ? 0 : this.#orders.progressOf(party.index) + LONGEST_WAY;
      const isOver = (): boolean => party.hasEnded || this.#orders.progressOf(party.index) > last;
      await this.#wait(() => this.#orders.hasStopped(party.index) || isOver());
      await this.#end(party, this.#orders.hasStopped(party.index) ? section : "anywhere");
      this.#spawn(party);
    } finally {
      party.condemned = false;
    }
  }

  async #end(party: Party, where: Section | "anywhere"): Promise<void> {
    const { identity } = party.invitation!;
    await party.worker!.terminate();
    const agent = agentOf(this.#domain);
    await this.#wait(() => !isLive(agent, identity) && deadIn(agent, slotOf(identity)) === 0);
    this.#terminated.set(where, (this.#terminated.get(where) ?? 0) + 1);
  }

  /** Waits for something, and for a failure of any worker. */
  async #wait(ready: () => boolean): Promise<void> {
    for (; !ready(); await pause(1)) this.#check();
  }

  /**
   * Publishes frames for all workers, as fast as those who hold it back allow, but not faster than one a millisecond.
   */
  async #produce(): Promise<void> {
    for (let version = 0; !this.#finishing; version++) {
      const loan = await this.#stream.loan();
      writePattern(loan!.bytes, version, 1, () => {});
      loan!.publish({ data: version });
      await pause(1);
      if (this.#failure !== undefined) return;
    }
  }
}

function startWatchdog(watched: Watched): Worker {
  return new Worker(new URL("./watchdog.js", import.meta.url), { workerData: watched });
}

/** The shared buffers live longer than all workers: their handles need not hold them. */
function handleOf(buffer: DmaBuf): Details["buffers"][number] {
  using handle = buffer.handle();
  return structuredClone(handle);
}

function streamHandleOf(stream: FrameStream): StreamHandleData {
  const handle = stream.handle();
  handle.close();
  return structuredClone(handle);
}
