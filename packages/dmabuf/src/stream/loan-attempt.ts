import type { Activity } from "../domain/activity.js";
import type { WaitCondition } from "../domain/agent.js";
import { FOUND } from "../domain/layout.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { FrameHold } from "./frame-hold.js";
import type { StreamParts } from "./stream-parts.js";

/**
 * A wait for a place that may be filled; ready without one once the stream has ended. It skips places where work is
 * overdue, and those that an agent holds.
 */
export class LoanAttempt implements WaitCondition {
  /** The hold of a buffer that the producer may fill. */
  taken: FrameHold | undefined;
  /** What the last look has found. */
  isReady = false;
  /** Whether no work was pending on the buffer that was taken. */
  isFinished = false;
  readonly #parts: StreamParts;
  readonly #holdOf: (place: number) => FrameHold;
  readonly #kept: (() => number) | undefined;
  /** The places, as bits, at which work was found overdue. */
  #overdue = 0;

  /**
   * @param holdOf The producer's hold of a place.
   * @param kept The places, as bits, that are not to be had now.
   */
  constructor(parts: StreamParts, holdOf: (place: number) => FrameHold, kept?: () => number) {
    this.#parts = parts;
    this.#holdOf = holdOf;
    this.#kept = kept;
  }

  activity(): Activity {
    return { does: "awaits-loan", ...this.#parts.key };
  }

  arm(): void {
    const { agent, key, buffers } = this.#parts;
    agent.protocol.armLoan(key.slot, key.generation, buffers.length, agent.identity);
  }

  ready(): boolean {
    return this.look();
  }

  /** @param found What a first look has found. */
  look(found?: number): boolean {
    return (this.isReady = this.#look(found));
  }

  spin(looks: number): boolean {
    const { agent, key, buffers } = this.#parts;
    agent.protocol.spinLoan(key.slot, key.generation, buffers.length, looks);
    return this.ready();
  }

  /** Takes a place without pending work, if there is one. What is in the others stays. @param found As for {@link look}. */
  tryFinished(found: number): FrameHold | undefined {
    const { agent, key, buffers } = this.#parts;
    for (let tried = 0; found < FOUND.NONE || found >= FOUND.READY;) {
      const hold = this.#holdOf(found % FOUND.READY);
      hold.taken();
      if (found >= FOUND.READY) return hold;
      if (hold.buffer.work.testFinished("read")) {
        agent.protocol.emptyPlace(key.slot, hold.place);
        return hold;
      }
      tried |= 1 << hold.place;
      hold.end();
      found = agent.protocol.loan(key.slot, key.generation, buffers.length, tried, agent.identity);
    }
    return undefined;
  }

  #look(first?: number): boolean {
    const { agent, key, buffers } = this.#parts;
    // Looked at before a hold is taken: to give that back would ring this agent, which would never sleep (hold.6).
    let tried = this.#kept?.() ?? 0;
    tried |= this.#overdue === 0 ? 0 : placesOf(buffers, (buffer, i) => isIn(this.#overdue, i) && isOverdue(buffer));
    for (let found = first; ; found = undefined) {
      found ??= agent.protocol.loan(key.slot, key.generation, buffers.length, tried, agent.identity);
      if (found === FOUND.NONE) return false;
      if (found === FOUND.ENDED) return true;
      const place = found % FOUND.READY;
      tried |= 1 << place;
      const hold = this.#holdOf(place);
      const { buffer } = hold;
      hold.taken();
      const isReady = found >= FOUND.READY;
      const isFinished = isReady || buffer.work.testFinished("read");
      if (!isFinished && isOverdue(buffer)) {
        this.#overdue |= 1 << place;
        hold.end();
        continue;
      }
      if (!isReady) agent.protocol.emptyPlace(key.slot, place);
      this.taken = hold;
      this.isFinished = isFinished;
      return true;
    }
  }

  /** @throws {DmaBufError} `EDEADLK` if this thread itself keeps every place: by holds, or by consumers that miss no frame. */
  checkBlocking(): void {
    const { agent, key, buffers, name } = this.#parts;
    const inUse = placesOf(buffers, ({ holds }) => holds.isInOwnWay("write"));
    if (agent.protocol.mayLoan(key.slot, buffers.length, inUse, agent.identity) !== 0) return;
    throw agent.blocksItself(
      "deadlock",
      `Cannot block for a buffer of stream "${name}": this thread itself uses all of them`,
    );
  }

  /** Gives back the place that was taken if its work has become overdue; the next look skips it. */
  setAsideIfOverdue(): boolean {
    const hold = this.taken!;
    if (!isOverdue(hold.buffer)) return false;
    this.taken = undefined;
    this.#overdue |= 1 << hold.place;
    hold.end();
    return true;
  }
}

/** A bit for each place of the ring whose buffer is as asked for. */
function placesOf(buffers: readonly StreamBuffer[], isOne: (buffer: StreamBuffer, place: number) => boolean): number {
  return buffers.reduce((bits, buffer, place) => (isOne(buffer, place) ? bits | (1 << place) : bits), 0);
}

function isIn(places: number, place: number): boolean {
  return ((places >>> place) & 1) !== 0;
}

/** Whether work on a buffer is overdue; the agent is then rung when it no longer is. */
function isOverdue({ work }: StreamBuffer): boolean {
  return work.overdueWork("read")?.armAndLook() ?? false;
}
