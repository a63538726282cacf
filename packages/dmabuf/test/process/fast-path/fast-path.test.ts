/**
 * Parties do nothing but the hot protocols, and are killed and terminated at random moments: so a kill comes between any
 * two instructions, where one at a word of the stepped substrate comes only at words.
 *
 * Environment: DMABUF_FAST_PATH_SECONDS (6).
 */
import assert from "node:assert/strict";
import { once, type EventEmitter } from "node:events";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { agentOf } from "../../../src/domain-base.js";
import { deadIn, isLive, slotOf, type Identity } from "../../../src/domain/agent-slot.js";
import type { DmaBuf, MemoryMap } from "../../../src/index.js";
import type { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import { segmentState } from "../../segment-state.js";
import { listen } from "../holder-process.js";
import { Barracks } from "../process-pool.js";
import { BOARD, FAULTS, PARTIES, PROCESSES, type Fault, type Start } from "./board.js";

const SECONDS = Number(process.env["DMABUF_FAST_PATH_SECONDS"] ?? 6);
const LIMITED = { timeout: 60_000 + 2_000 * SECONDS };
const PROGRAM = new URL("party.js", import.meta.url);
/** Milliseconds for a death to be noticed and everything to be given back. */
const RECOVERY = 10_000;
/** Milliseconds for a party to join and to begin. */
const START = 20_000;
/** Milliseconds for which the parties may do nothing. */
const SILENCE = 10_000;
/** So many steps after its start a party is compiled. */
const WARM = 2_000;

class Run {
  readonly #domain: ProcessDomain;
  readonly #place: string;
  readonly #fault: Fault | undefined;
  readonly #board: DmaBuf;
  readonly #map: MemoryMap;
  readonly #words: Int32Array;
  readonly #barracks = new Barracks(PROGRAM);
  #end = 0;
  #failure: Error | undefined;
  #deaths = 0;

  constructor(t: TestContext, fault?: Fault) {
    const { domain, place } = listen(t, { agents: 16, buffers: 256, timelines: 32, streams: 16 });
    this.#domain = domain;
    this.#place = place;
    this.#fault = fault;
    this.#board = domain.allocate(4096, { name: "board" });
    this.#map = this.#board.mmap();
    const { bytes } = this.#map;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    t.after(() => this.#barracks.close());
  }

  /** @returns How many parties have died, and how far all have come before that. */
  async run(seconds: number): Promise<{ readonly deaths: number; readonly steps: number }> {
    this.#end = Date.now() + 1_000 * seconds;
    // All of them end their parties.
    await Promise.allSettled(Array.from({ length: PARTIES }, (_, party) => this.#keepKilling(party)));
    if (this.#failure !== undefined) throw this.#failure;
    const steps = this.#words.subarray(BOARD.FIRST_STEPS, BOARD.FIRST_STEPS + PARTIES).reduce((sum, of) => sum + of, 0);
    this.#map.close();
    this.#board.close();
    await this.#until(() => segmentState(agentOf(this.#domain)).length === 1, RECOVERY, "all slots to be free");
    return { deaths: this.#deaths, steps };
  }

  async #keepKilling(party: number): Promise<void> {
    while (Date.now() < this.#end) {
      const life = party < PROCESSES ? await this.#barracks.take() : new Worker(PROGRAM);
      if (life instanceof Worker) await once(life, "message");
      await this.#liveAndDie(party, life, () => (life instanceof Worker ? life.terminate() : life.kill("SIGKILL")));
    }
  }

  async #liveAndDie(party: number, life: EventEmitter, kill: () => unknown): Promise<void> {
    const ended = once(life, "exit");
    const steps = BOARD.FIRST_STEPS + party;
    const begun = this.#words[steps]!;
    const stepsDone = (): number => this.#words[steps]! - begun;
    let identity = 0;
    let hasFailed = false;
    life.on("message", (said: { readonly identity?: Identity; readonly failed?: string }) => {
      hasFailed = said.failed !== undefined;
      if (hasFailed) this.#failure ??= new Error(`party ${party} has failed: ${said.failed}`);
      else identity = said.identity!;
    });
    try {
      this.#begin(party, life);
      await this.#until(() => stepsDone() > WARM, START, `party ${party} to do anything`);
      await pause(Math.random() * 20);
      const locked = this.#words[BOARD.LOCKED];
      void kill();
      await ended;
      this.#deaths += 1;
      await this.#until(() => this.#isRecovered(identity), RECOVERY, `what party ${party} held to be given back`);
      const goesOn = (): boolean => this.#words[BOARD.LOCKED] !== locked || Date.now() > this.#end;
      await this.#until(goesOn, SILENCE, "another party to get the lock");
    } finally {
      // A thread that is terminated while it makes a view, of any buffer, would end this process, too.
      for (const end = Date.now() + START; stepsDone() < WARM && !hasFailed && Date.now() < end;) await pause(1);
      void kill();
      await ended;
    }
  }

  #begin(party: number, life: EventEmitter): void {
    using handle = this.#board.handle();
    const start: Start = { place: this.#place, party, board: structuredClone(handle), fault: this.#fault };
    if (life instanceof Worker) life.postMessage(start);
    else (life as EventEmitter & { send(start: Start): void }).send(start);
  }

  #isRecovered(identity: Identity): boolean {
    const agent = agentOf(this.#domain);
    return !isLive(agent, identity) && deadIn(agent, slotOf(identity)) !== identity;
  }

  async #until(ready: () => boolean, limit: number, what: string): Promise<void> {
    for (const end = Date.now() + limit; !ready(); await pause(1)) {
      if (Date.now() > end) {
        const state = segmentState(agentOf(this.#domain)).join("\n");
        this.#failure ??= new Error(`Waited ${limit} ms for ${what}\n${state}`);
      }
      if (this.#failure !== undefined) throw this.#failure;
    }
  }
}

test(
  "parties that are killed anywhere in the hot protocols tear nothing, and leave nothing behind",
  LIMITED,
  async (t) => {
    const { deaths, steps } = await new Run(t).run(SECONDS);
    t.diagnostic(`${deaths} deaths, ${steps} steps`);
    assert.ok(deaths >= PARTIES);
  },
);

const FOUND: Record<Fault, RegExp> = {
  torn: /a frame is torn/,
  unlocked: /two parties have the lock/,
};

for (const fault of FAULTS) {
  test(`a run on the hot protocols finds the fault that is planted in its parties: ${fault}`, LIMITED, async (t) => {
    await assert.rejects(new Run(t, fault).run(20), FOUND[fault]);
  });
}
