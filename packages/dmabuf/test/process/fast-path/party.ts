/**
 * One of the parties of a fast-path run: hands frames over, signals fences and takes a lock that all want, as fast as it
 * can, until it is killed.
 */
import assert from "node:assert/strict";
import { once, type EventEmitter } from "node:events";
import process from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { agentOf } from "../../../src/domain-base.js";
import { isLive } from "../../../src/domain/agent-slot.js";
import { rawFormat, type BufferHandleData, type DmaBuf, type DmaBufError, type Fence } from "../../../src/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { BOARD, PROCESSES, type Start } from "./board.js";

const FRAME_BYTES = 4096;
const STEPS_A_TURN = 500;
/** Milliseconds; no party is stopped for so long. */
const PATIENCE = 20_000;

class Party {
  readonly #start: Start;
  readonly #domain: ProcessDomain;
  readonly #board: DmaBuf;
  readonly #words: Int32Array;

  constructor(start: Start, domain: ProcessDomain) {
    this.#start = start;
    this.#domain = domain;
    this.#board = domain.import(start.board as BufferHandleData);
    const { bytes } = this.#board.mmap();
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  async run(): Promise<never> {
    const domain = this.#domain;
    const { party } = this.#start;
    const timeline = domain.createTimeline();
    const stream = domain.createStream({ name: `stream ${party}`, format: rawFormat(FRAME_BYTES), buffers: 3 });
    using own = stream.frames();
    // A thread that is terminated while it maps a new stream's buffers would end the whole process.
    const other =
      party < PROCESSES
        ? domain.follow(`stream ${(party + 1) % PROCESSES}`, { policy: "drop-oldest", findTimeout: PATIENCE })
        : undefined;
    for (let step = 1; ; step++) {
      const looks = step % 2 === 0;
      const loan = (looks ? stream.tryLoan() : undefined) ?? stream.loanSync({ timeout: PATIENCE })!;
      this.#write(loan.bytes, step);
      loan.publish();
      using frame = (looks ? own.tryNext() : undefined) ?? own.nextSync({ timeout: PATIENCE })!;
      check(frame.bytes);
      const fence = timeline.createFence();
      this.#lock(fence);
      fence.signal();
      this.#words[BOARD.FIRST_STEPS + party]! += 1;
      if (step % STEPS_A_TURN !== 0) continue;
      if (other !== undefined) {
        using seen = await other.next({ timeout: 1 }).catch(ignoreTimeout);
        if (seen !== undefined) check(seen.bytes);
      }
      await nextTurn();
    }
  }

  #write(bytes: Uint8Array, step: number): void {
    bytes[0] = step;
    if (this.#start.fault !== "torn") bytes[FRAME_BYTES - 1] = step;
  }

  /** Adds a fence to the board, while no other party that lives is at it. */
  #lock(fence: Fence): void {
    const agent = agentOf(this.#domain);
    const { reservation } = this.#board;
    const words = this.#words;
    using lock = reservation.tryLock();
    if (lock === undefined && this.#start.fault !== "unlocked") return;
    const before = words[BOARD.WITHIN]!;
    assert.ok(before === 0 || !isLive(agent, before), "two parties have the lock");
    words[BOARD.WITHIN] = agent.identity;
    if (lock !== undefined) {
      reservation.reserveFences(1);
      reservation.addFence(fence, "bookkeep");
    }
    words[BOARD.LOCKED]! += 1;
    words[BOARD.WITHIN] = 0;
  }
}

function check(bytes: Uint8Array): void {
  assert.equal(bytes[FRAME_BYTES - 1], bytes[0], "a frame is torn");
}

function ignoreTimeout(error: unknown): undefined {
  if (!["ETIMEDOUT", "ESTALE"].includes((error as DmaBufError).code)) throw error;
}

function say(what: unknown): void {
  if (parentPort !== null) parentPort.postMessage(what);
  else process.send!(what);
}

say("ready");
process.on("disconnect", () => process.exit(1));
const [start] = (await once((parentPort as EventEmitter | null) ?? process, "message")) as [Start];
try {
  const domain = await ProcessDomain.connect(start.place, { name: `party ${start.party}`, timeout: PATIENCE });
  say({ identity: agentOf(domain).identity });
  await new Party(start, domain).run();
} catch (error) {
  say({ failed: (error as Error).stack });
}
