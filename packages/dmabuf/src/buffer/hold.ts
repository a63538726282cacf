import type { Agent } from "../domain/agent.js";
import { isLive, liveAgentsIn, ringAll, slotOf, type Identity } from "../domain/agent-slot.js";
import { clearBit } from "../domain/bits.js";
import { BUFFER, type Segment } from "../domain/layout.js";
import type { RecoveryStep } from "../domain/recovery.js";
import type { AccessMode } from "../reservation/usage.js";

/**
 * Holds: which agents use a buffer's bytes from their own code just now. A hold has no time limit, because user code
 * decides its end; the death of its agent ends it. No fence ever depends on one.
 *
 * hold.1. At any time a buffer has one writer and no readers, or no writer and any number of readers.
 * hold.2. A reader sets its bit and then looks at WRITER; a writer sets WRITER and then looks at the bits. So one of
 *     them sees the other, and gives way. Who sees the other beforehand does not try: giving way rings (hold.3), and a
 *     wait that rang itself at each look would never sleep.
 * hold.3. The agent that takes a bit or WRITER away then rings all that wait for a hold.
 * hold.4. A waiting writer keeps WRITER: new readers wait behind it, and it does not starve.
 * hold.5. The dead are in no one's way. WRITER names its agent with its generation, so anyone may clear a dead one. A
 *     reader's bit counts while the agent that has its slot is live; the reaper takes a dead one's away before the slot
 *     has another agent, and no agent waits for that.
 * hold.6. An agent that sees at first that another is in the way takes nothing, and so has nothing to ring for (hold.3):
 *     otherwise a wait would wake itself by its own looks and never sleep.
 * hold.7. CONTENT rises before WRITER is taken away from an agent that has written, by itself or, after its death, by the
 *     agent that clears it. So what a reader finds has another number than what was there before.
 */
export class Holds {
  readonly agent: Agent;
  /** The buffer's. */
  readonly slot: number;
  /** Uses in this agent: its bit and WRITER are set once for all of them. */
  #readers = 0;
  #writing = false;

  constructor(agent: Agent, bufferSlot: number) {
    this.agent = agent;
    this.slot = bufferSlot;
  }

  /** Takes a hold if no other agent is in the way. @throws {TypeError} if the mode is none. */
  tryTake(mode: AccessMode): boolean {
    return mode === "read" ? this.#tryRead() : this.#tryWrite();
  }

  /** The hold was taken for this agent with other words, in one call. */
  taken(mode: AccessMode): void {
    if (mode === "read") this.#addReader();
    else this.#writing = true;
  }

  /** The same for the end of a write hold. */
  writerLeft(): void {
    this.#writing = false;
  }

  /** Makes sure that this agent is rung when a hold of the buffer ends. */
  arm(): void {
    const { protocol, identity } = this.agent;
    protocol.armHold(this.slot, identity);
  }

  /** Gives a hold back; does nothing if all were given back before. */
  release(mode: AccessMode): void {
    if (mode === "write") {
      if (this.#writing) this.#leaveWriter();
    } else if (this.#readers > 0 && --this.#readers === 0) {
      this.#leaveReaders();
    }
  }

  /** Gives back a hold under which nothing was written. */
  drop(mode: AccessMode): void {
    if (mode === "read") return this.release(mode);
    if (!this.#writing) return;
    const { protocol, identity } = this.agent;
    this.#writing = false;
    protocol.dropWriter(this.slot, identity);
  }

  /** Gives back whatever this agent holds. */
  releaseAll(): void {
    if (this.#writing) this.#leaveWriter();
    if (this.#readers > 0) this.#leaveReaders();
    this.#readers = 0;
  }

  #addReader(): void {
    if (this.#readers++ === 0) this.agent.buffersRead++;
  }

  /** The agents that hold the buffer just now. */
  users(): Identity[] {
    const { writer } = currentHolds(this.agent, this.slot);
    const readers = this.readingAgents();
    return isLive(this.agent, writer) ? [writer, ...readers] : readers;
  }

  /** Whether this agent itself reads. */
  get isReading(): boolean {
    return this.#readers > 0;
  }

  /** Whether this agent itself is in the way of one more hold of its own: if it blocked for that, it would never wake. */
  isInOwnWay(mode: AccessMode): boolean {
    return this.#readers > 0 ? mode === "write" : this.#writing;
  }

  /** The agents that read just now. */
  readingAgents(): Identity[] {
    return liveAgentsIn(this.agent, currentHolds(this.agent, this.slot).readers);
  }

  #tryRead(): boolean {
    if (this.#readers === 0) {
      const { protocol, identity } = this.agent;
      if (this.#writing || protocol.tryRead(this.slot, identity) === 0) return false;
    }
    this.#addReader();
    return true;
  }

  #tryWrite(): boolean {
    const { protocol, identity } = this.agent;
    if (this.#readers > 0 || this.#writing) return false;
    return (this.#writing = protocol.tryWrite(this.slot, identity) !== 0);
  }

  /** Keeps new readers and other writers out; {@link release} ends it. Returns false if there is a writer. */
  claimWriter(): boolean {
    const { protocol, identity } = this.agent;
    if (this.#writing) return false;
    return (this.#writing = protocol.claimWriter(this.slot, identity) !== 0);
  }

  #leaveWriter(): void {
    const { protocol, identity } = this.agent;
    this.#writing = false;
    protocol.leaveWriter(this.slot, identity);
  }

  #leaveReaders(): void {
    const { protocol, identity } = this.agent;
    this.agent.buffersRead--;
    protocol.leaveReaders(this.slot, identity);
  }

  /** Whether any agent reads. */
  anyReader(): boolean {
    return this.agent.protocol.anyReader(this.slot) !== 0;
  }
}

export const HOLD_RECOVERY: RecoveryStep = {
  table: "buffers",
  release(segment, slot, dead) {
    const base = segment.layout.buffer(slot);
    if (segment.memory.load(base + BUFFER.WRITER) !== dead) return;
    // hold.7
    segment.memory.add(base + BUFFER.CONTENT, 1);
    segment.memory.compareExchange(base + BUFFER.WRITER, dead, 0);
    ringAll(segment, base + segment.layout.BUFFER.HOLD_WAITERS);
  },
  // No agent waits for a dead reader's bit.
  sweep({ memory, layout }, slot, dead) {
    clearBit(memory, layout.buffer(slot) + layout.BUFFER.READERS, slotOf(dead));
  },
};

/** Who holds a buffer just now: the agent slots of the readers, and the writer's identity or 0. */
export function currentHolds({ memory, layout }: Segment, bufferSlot: number): { writer: Identity; readers: number } {
  const base = layout.buffer(bufferSlot);
  return { writer: memory.load(base + BUFFER.WRITER), readers: base + layout.BUFFER.READERS };
}
