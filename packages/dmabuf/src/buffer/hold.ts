import type { Agent } from "../domain/agent.js";
import {
  anyLiveAgentIn,
  isLive,
  liveAgentsIn,
  ringAll,
  slotOf,
  type Identity,
  type Member,
} from "../domain/agent-slot.js";
import { clearBit, setBit } from "../domain/bits.js";
import { BUFFER } from "../domain/layout.js";
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
 */
export class Holds {
  readonly #agent: Agent;
  readonly #slot: number;
  /** Where these words of the buffer are. */
  readonly #writer: number;
  readonly #readerBits: number;
  readonly #waiters: number;
  /** Uses in this agent: its bit and WRITER are set once for all of them. */
  #readers = 0;
  #writing = false;

  constructor(agent: Agent, bufferSlot: number) {
    const { layout } = agent;
    const base = layout.buffer(bufferSlot);
    this.#agent = agent;
    this.#slot = bufferSlot;
    this.#writer = base + BUFFER.WRITER;
    this.#readerBits = base + layout.BUFFER.READERS;
    this.#waiters = base + layout.BUFFER.HOLD_WAITERS;
  }

  /** Takes a hold if no other agent is in the way. @throws {TypeError} if the mode is none. */
  tryTake(mode: AccessMode): boolean {
    return mode === "read" ? this.#tryRead() : this.#tryWrite();
  }

  /** Makes sure that this agent is rung when a hold of the buffer ends. */
  arm(): void {
    setBit(this.#agent.memory, this.#waiters, slotOf(this.#agent.identity));
  }

  /** Gives a hold back; does nothing if all were given back before. */
  release(mode: AccessMode): void {
    if (mode === "write") {
      if (this.#writing) this.#leaveWriter();
    } else if (this.#readers > 0 && --this.#readers === 0) {
      this.#leaveReaders();
    }
  }

  /** Gives back whatever this agent holds. */
  releaseAll(): void {
    if (this.#writing) this.#leaveWriter();
    if (this.#readers > 0) this.#leaveReaders();
    this.#readers = 0;
  }

  /** The agents that hold the buffer just now. */
  users(): Identity[] {
    const { writer } = currentHolds(this.#agent, this.#slot);
    const readers = this.readingAgents();
    return isLive(this.#agent, writer) ? [writer, ...readers] : readers;
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
    return liveAgentsIn(this.#agent, currentHolds(this.#agent, this.#slot).readers);
  }

  #tryRead(): boolean {
    if (this.#readers === 0) {
      if (this.#writing || this.#writerStands()) return false;
      setBit(this.#agent.memory, this.#readerBits, slotOf(this.#agent.identity));
      // SYNC POINT hold-then-look: pairs with claimWriter() followed by anyReader().
      if (this.#writerStands()) {
        this.#leaveReaders();
        return false;
      }
    }
    this.#readers++;
    return true;
  }

  #tryWrite(): boolean {
    if (this.#readers > 0 || this.anyReader() || !this.claimWriter()) return false;
    // SYNC POINT hold-then-look.
    if (!this.anyReader()) return true;
    this.#leaveWriter();
    return false;
  }

  /** Keeps new readers and other writers out; {@link release} ends it. Returns false if there is a writer. */
  claimWriter(): boolean {
    const { memory, identity } = this.#agent;
    if (this.#writing) return false;
    for (;;) {
      const writer = memory.compareExchange(this.#writer, 0, identity);
      if (writer === 0) break;
      if (isLive(this.#agent, writer)) return false;
      memory.compareExchange(this.#writer, writer, 0);
    }
    this.#writing = true;
    return true;
  }

  #leaveWriter(): void {
    this.#writing = false;
    this.#agent.memory.compareExchange(this.#writer, this.#agent.identity, 0);
    ringAll(this.#agent, this.#waiters);
  }

  #leaveReaders(): void {
    clearBit(this.#agent.memory, this.#readerBits, slotOf(this.#agent.identity));
    ringAll(this.#agent, this.#waiters);
  }

  #writerStands(): boolean {
    const writer = this.#agent.memory.load(this.#writer);
    return writer !== 0 && isLive(this.#agent, writer);
  }

  /** Whether any agent reads. */
  anyReader(): boolean {
    return anyLiveAgentIn(this.#agent, this.#readerBits);
  }
}

export const HOLD_RECOVERY: RecoveryStep = {
  table: "buffers",
  release(segment, slot, dead) {
    const base = segment.layout.buffer(slot);
    if (segment.memory.load(base + BUFFER.WRITER) !== dead) return;
    segment.memory.compareExchange(base + BUFFER.WRITER, dead, 0);
    ringAll(segment, base + segment.layout.BUFFER.HOLD_WAITERS);
  },
  // No agent waits for a dead reader's bit.
  sweep({ memory, layout }, slot, dead) {
    clearBit(memory, layout.buffer(slot) + layout.BUFFER.READERS, slotOf(dead));
  },
};

/** Who holds a buffer just now: the agent slots of the readers, and the writer's identity or 0. */
export function currentHolds(member: Member, bufferSlot: number): { writer: Identity; readers: number } {
  const base = member.layout.buffer(bufferSlot);
  return { writer: member.memory.load(base + BUFFER.WRITER), readers: base + member.layout.BUFFER.READERS };
}
