import type { WaitCondition } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import type { StreamBuffer } from "../buffer/stream-buffer.js";
import type { FrameHold } from "./frame-hold.js";
import type { StreamParts } from "./stream-parts.js";
import { streamEnd } from "./stream-slot.js";

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
  /** The places, as bits, at which work was found overdue. */
  #overdue = 0;

  /** @param holdOf The producer's hold of a place. */
  constructor(parts: StreamParts, holdOf: (place: number) => FrameHold) {
    this.#parts = parts;
    this.#holdOf = holdOf;
  }

  arm(): void {
    const { agent, key, buffers } = this.#parts;
    // The buffers of an ended stream may be closed.
    if (streamEnd(agent, key) !== undefined) return;
    agent.protocol.armProducer(key.slot);
    for (const { holds } of buffers) holds.arm();
  }

  ready(): boolean {
    return (this.isReady = this.#look());
  }

  /** Looks, and gives what was taken if no work is pending there; else goes on by waiting. It is then as new. */
  takeFinished(): FrameHold | undefined {
    if (!this.ready() || !this.isFinished) return undefined;
    const { taken } = this;
    this.taken = undefined;
    this.isFinished = false;
    this.#overdue = 0;
    return taken;
  }

  #look(): boolean {
    const { agent, key, buffers } = this.#parts;
    if (streamEnd(agent, key) !== undefined) return true;
    const { protocol } = agent;
    const keepFrom = protocol.heldBackFrom(key.slot, 0);
    for (let tried = 0; ;) {
      const place = protocol.placeToReuse(key.slot, buffers.length, tried, keepFrom);
      if (place < 0) return false;
      tried |= 1 << place;
      const buffer = buffers[place]!;
      // Looked at before the hold is taken: to give that back would ring this agent, which would never sleep (hold.6).
      if ((this.#overdue & (1 << place)) !== 0 && isOverdue(buffer)) continue;
      const { holds } = buffer;
      if (!holds.tryTake("write")) continue;
      // SYNC POINT hold-then-look: pairs with a consumer that joins, and then takes the hold of its first frame
      // (stream-slot.1).
      if (protocol.mayReuse(key.slot, place) === 0) {
        holds.release("write");
        continue;
      }
      const isFinished = buffer.work.testFinished("read");
      if (!isFinished && isOverdue(buffer)) {
        this.#overdue |= 1 << place;
        holds.release("write");
        continue;
      }
      protocol.emptyPlace(key.slot, place);
      this.taken = this.#holdOf(place);
      this.taken.held.begin();
      this.isFinished = isFinished;
      return true;
    }
  }

  /** @throws {DmaBufError} `EDEADLK` if this thread itself keeps every place: by holds, or by consumers that miss no frame. */
  checkBlocking(): void {
    const { agent, key, buffers, name } = this.#parts;
    const keepFrom = agent.protocol.heldBackFrom(key.slot, agent.identity);
    const isFree = buffers.some(({ holds }, place) => {
      const frame = agent.protocol.frameIn(key.slot, place);
      return !holds.isInOwnWay("write") && (frame < 0 || keepFrom < 0 || ((frame - keepFrom) | 0) < 0);
    });
    if (isFree) return;
    throw new DmaBufError(
      "EDEADLK",
      `Cannot block for a buffer of stream "${name}": this thread itself uses all of them`,
    );
  }

  /** Gives back the place that was taken if its work has become overdue; the next look skips it. */
  setAsideIfOverdue(): boolean {
    const { place, buffer, held } = this.taken!;
    if (!isOverdue(buffer)) return false;
    this.taken = undefined;
    this.#overdue |= 1 << place;
    held.end();
    return true;
  }
}

/** Whether work on a buffer is overdue; the agent is then rung when it no longer is. */
function isOverdue({ work }: StreamBuffer): boolean {
  return work.overdueWork("read")?.armAndLook() ?? false;
}
