import { DmaBufError } from "../errors.js";
import { slotOf, type Identity, type Member } from "./agent-slot.js";
import { anyBit, clearBit, setBit } from "./bits.js";
import { HEADER, INFLIGHT, isIndex, SLOT_PHASE, SLOT_STATE, type Layout, type Segment } from "./layout.js";
import type { RecoveryStep } from "./recovery.js";
import { claimFree, raiseTo, usedSlots } from "./table.js";

/**
 * Which agents hold what many share, a buffer, a syncobj or a user fence: one bit for each agent, and the handles in flight.
 *
 * referenced-table.1. A slot is live while a bit is set or a handle is in flight. STATE holds generation, version and
 *     state in one 64-bit word.
 * referenced-table.2. An agent that adds a bit or a handle in flight then raises the version, and does it only while
 *     the slot is live in the same generation; otherwise it takes back what it added.
 * referenced-table.3. An agent that takes one away then looks at all of them, and frees the slot by exchanging the word
 *     it read before looking: if anything was added in between, the version differs and it looks again.
 * referenced-table.4. Hence the last reference frees the slot, once; and a reference moves from a handle to a bit
 *     without a gap.
 * referenced-table.5. A bit belongs to its agent, a handle in flight to its sender: after their death only the reaper
 *     takes them away. It looks at every slot, for agents that died between taking away and looking
 *     (referenced-table.3).
 */

/** What is in a slot, among all that ever used it. */
export interface SlotKey {
  readonly slot: number;
  readonly generation: number;
}

/** A handle in flight: which of the slot's places it has, and the word that is stored there while it lasts. */
export interface Inflight {
  /** Its place in the slot. */
  readonly index: number;
  /** The word that is stored there. */
  readonly ticket: number;
}

/** Whether what came in a handle can be one in flight. */
export function isInflight({ layout }: Segment, inflight: Inflight | undefined): boolean {
  return isIndex(inflight?.index, layout.sizes.agents) && Number.isInteger(inflight?.ticket) && inflight?.ticket !== 0;
}

/** What a table has to say of itself. */
export interface ReferencedSlots {
  readonly table: "buffers" | "syncobjs" | "userFences";
  /** What one slot holds, and what needs one, for messages. */
  readonly noun: string;
  readonly action: string;
  /** Where a slot is. */
  slot(layout: Layout, slot: number): number;
  /** Where these fields of a slot are. */
  places(layout: Layout): Places;
  /** Reads what must be known after the slot is freed; what it returns runs then. */
  beforeFree?(segment: Segment, slot: number): () => void;
}

type Places = Readonly<Record<"STATE" | "REFERENCES" | "INFLIGHT" | "INFLIGHT_USED", number>>;

/** A table of the control segment whose slots are held by references. */
export class ReferencedTable {
  readonly #of: ReferencedSlots;
  /** What the reaper does with the references and handles of a dead agent, and with a slot that it was about to fill. */
  readonly recovery: RecoveryStep;

  constructor(of: ReferencedSlots) {
    this.#of = of;
    this.recovery = { table: of.table, sweep: (segment, slot, dead) => this.#sweep(segment, slot, dead) };
  }

  /**
   * Takes a free slot; the calling agent holds the first reference.
   *
   * @param describe Fills the slot before any agent finds it live.
   * @throws {DmaBufError} `ENOSPC` if all are taken.
   */
  claim(member: Member, describe: (slot: number) => void): SlotKey {
    const { memory, identity } = member;
    const { table, action } = this.#of;
    const key = claimFree(member, table, action, (slot) => {
      const state = this.#state(member, slot);
      const free = memory.load64(state);
      if (SLOT_STATE.phase.in(free) !== SLOT_PHASE.FREE) return undefined;
      const generation = (SLOT_STATE.generation.in(free) + 1) >>> 0 || 1;
      const claimed = stateOf(generation, slotOf(identity), SLOT_PHASE.CLAIMED);
      return memory.compareExchange64(state, free, claimed) === free ? { slot, generation } : undefined;
    });
    describe(key.slot);
    setBit(memory, this.#references(member, key.slot), slotOf(identity));
    memory.store64(this.#state(member, key.slot), stateOf(key.generation, 0, SLOT_PHASE.LIVE));
    return key;
  }

  isLive(segment: Segment, { slot, generation }: SlotKey): boolean {
    return isLiveIn(segment.memory.load64(this.#state(segment, slot)), generation);
  }

  /** The slots that are live. */
  *live(segment: Segment): Generator<SlotKey> {
    const used = usedSlots(segment, this.#of.table);
    for (let slot = 0; slot < used; slot++) {
      const word = segment.memory.load64(this.#state(segment, slot));
      if (SLOT_STATE.phase.in(word) === SLOT_PHASE.LIVE) yield { slot, generation: SLOT_STATE.generation.in(word) };
    }
  }

  /**
   * Takes this agent's reference. The agent holds none on this slot yet (it counts its own uses itself).
   *
   * @returns False if what the key names is gone.
   */
  addReference(member: Member, key: SlotKey): boolean {
    setBit(member.memory, this.#references(member, key.slot), slotOf(member.identity));
    if (this.#raiseVersion(member, key)) return true;
    this.dropReference(member, key.slot);
    return false;
  }

  /** Drops this agent's reference; frees the slot if it was the last. Returns whether this call freed it. */
  dropReference(member: Member, slot: number): boolean {
    clearBit(member.memory, this.#references(member, slot), slotOf(member.identity));
    return this.#freeIfUnused(member, slot);
  }

  /**
   * Holds the slot for a handle that is sent away. The caller holds a reference.
   *
   * @throws {DmaBufError} `EAGAIN` if too many handles are in flight.
   */
  addInflight(member: Member, key: SlotKey): Inflight {
    const { memory, layout, identity } = member;
    const first = this.#inflight(member, key.slot);
    // Counted in the whole domain: an old handle of a dead agent must not end one of the agent that took its slot.
    const ticket = INFLIGHT.number.of(memory.add(HEADER.HANDLES, 1)) | INFLIGHT.sender.of(slotOf(identity) + 1);
    for (let index = 0; index < layout.sizes.agents; index++) {
      if (memory.load(first + index) !== 0) continue;
      // SYNC POINT used-before-taken: as for a table's slots.
      raiseTo(memory, this.#inflightUsed(member, key.slot), index + 1);
      if (memory.compareExchange(first + index, 0, ticket) !== 0) continue;
      this.#raiseVersion(member, key);
      return { index, ticket };
    }
    throw new DmaBufError(
      "EAGAIN",
      `Cannot make a handle: ${layout.sizes.agents} handles to this ${this.#of.noun} are in flight (option "agents")`,
    );
  }

  /** Ends a handle's hold on the slot, once; returns whether this call ended it. */
  endInflight(segment: Segment, slot: number, { index, ticket }: Inflight): boolean {
    const word = this.#inflight(segment, slot) + index;
    if (segment.memory.compareExchange(word, ticket, 0) !== ticket) return false;
    this.#freeIfUnused(segment, slot);
    return true;
  }

  /** How many handles to what a slot holds are in flight. */
  countInflight(segment: Segment, slot: number): number {
    const first = this.#inflight(segment, slot);
    const used = this.#usedInflight(segment, slot);
    let count = 0;
    for (let i = 0; i < used; i++) if (segment.memory.load(first + i) !== 0) count++;
    return count;
  }

  #sweep(segment: Segment, slot: number, dead: Identity): void {
    const { memory } = segment;
    const state = this.#state(segment, slot);
    const references = this.#references(segment, slot);
    const word = memory.load64(state);
    if (SLOT_STATE.phase.in(word) === SLOT_PHASE.CLAIMED && SLOT_STATE.version.in(word) === slotOf(dead)) {
      clearBit(memory, references, slotOf(dead));
      memory.compareExchange64(state, word, freed(word));
      return;
    }
    const used = this.#usedInflight(segment, slot);
    for (let index = 0; index < used; index++) {
      const ticket = memory.load(this.#inflight(segment, slot) + index);
      if (INFLIGHT.sender.in(ticket) === slotOf(dead) + 1) this.endInflight(segment, slot, { index, ticket });
    }
    clearBit(memory, references, slotOf(dead));
    // Even if the dead agent held nothing: it may have dropped the last reference, and died before it looked
    // (referenced-table.3).
    this.#freeIfUnused(segment, slot);
  }

  #raiseVersion(segment: Segment, { slot, generation }: SlotKey): boolean {
    const { memory } = segment;
    const state = this.#state(segment, slot);
    for (;;) {
      const word = memory.load64(state);
      if (!isLiveIn(word, generation)) return false;
      const raised = stateOf(generation, SLOT_STATE.version.in(word) + 1, SLOT_PHASE.LIVE);
      if (memory.compareExchange64(state, word, raised) === word) return true;
    }
  }

  #freeIfUnused(segment: Segment, slot: number): boolean {
    const { memory, layout } = segment;
    const state = this.#state(segment, slot);
    for (;;) {
      const word = memory.load64(state);
      if (SLOT_STATE.phase.in(word) !== SLOT_PHASE.LIVE) return false;
      if (anyBit(memory, this.#references(segment, slot), layout.agentWords)) return false;
      if (anyBit(memory, this.#inflight(segment, slot), this.#usedInflight(segment, slot))) return false;
      const afterwards = this.#of.beforeFree?.(segment, slot);
      if (memory.compareExchange64(state, word, freed(word)) !== word) continue;
      afterwards?.();
      return true;
    }
  }

  /** How many places for handles in flight were ever used: the others are not looked at (table.2). */
  #usedInflight(segment: Segment, slot: number): number {
    return Math.min(segment.memory.load(this.#inflightUsed(segment, slot)) >>> 0, segment.layout.sizes.agents);
  }

  #state({ layout }: Segment, slot: number): number {
    return this.#of.slot(layout, slot) + this.#of.places(layout).STATE;
  }

  #references({ layout }: Segment, slot: number): number {
    return this.#of.slot(layout, slot) + this.#of.places(layout).REFERENCES;
  }

  #inflight({ layout }: Segment, slot: number): number {
    return this.#of.slot(layout, slot) + this.#of.places(layout).INFLIGHT;
  }

  #inflightUsed({ layout }: Segment, slot: number): number {
    return this.#of.slot(layout, slot) + this.#of.places(layout).INFLIGHT_USED;
  }
}

function isLiveIn(word: bigint, generation: number): boolean {
  return SLOT_STATE.phase.in(word) === SLOT_PHASE.LIVE && SLOT_STATE.generation.in(word) === generation;
}

function stateOf(generation: number, version: number, phase: number): bigint {
  return SLOT_STATE.generation.of(generation) | SLOT_STATE.version.of(version) | SLOT_STATE.phase.of(phase);
}

/** The word of the free slot that follows. */
function freed(word: bigint): bigint {
  return word & ~SLOT_STATE.phase.mask;
}
