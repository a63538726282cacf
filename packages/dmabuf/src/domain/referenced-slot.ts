import { DmaBufError } from "../errors.js";
import { slotOf, type Identity, type Member } from "./agent-slot.js";
import { anyBit, clearBit, setBit } from "./bits.js";
import { HEADER, isIndex, SLOT_STATE, type Layout, type Segment } from "./layout.js";
import { claimFree, raiseTo, usedSlots } from "./table.js";

/**
 * Who holds what many agents share, a buffer or a syncobj: one bit for each agent, and the handles in flight.
 *
 * referenced-slot.1. A slot is live while a bit or a transit stands. STATE holds generation, version and state in one
 *      64-bit word.
 * referenced-slot.2. Whoever adds a bit or a transit then raises the version, and does it only while the slot is live
 *     in the same generation; otherwise it takes back what it added.
 * referenced-slot.3. Whoever takes one away then looks at all of them, and frees the slot by exchanging the word it
 *     read before looking: if anything was added meanwhile, the version differs and it looks again.
 * referenced-slot.4. Hence the last reference frees the slot, once; and a reference moves from a handle to a bit
 *      without a gap.
 * referenced-slot.5. A bit belongs to its agent, a transit to its sender: after their death only the reaper takes them
 *     away. It looks at every slot, for those who died between taking away and looking (referenced-slot.3).
 */

const STATE_BITS = 2n;
const VERSION_MASK = 0xffff_fffcn;
const STATE_MASK = 3n;
const GENERATION_SHIFT = 32n;
const ONE_VERSION = 1n << STATE_BITS;

const TRANSIT_SLOT_BITS = 11;

/** What stands in a slot, among all that ever used it. */
export interface SlotKey {
  readonly slot: number;
  readonly generation: number;
}

/** A handle in flight: which of the slot's transits, and the word that stands there while it lasts. */
export interface Transit {
  readonly index: number;
  readonly ticket: number;
}

/** Whether what came in a handle can be a transit. */
export function isTransit({ layout }: Segment, transit: Transit | undefined): boolean {
  return isIndex(transit?.index, layout.sizes.agents) && Number.isInteger(transit?.ticket) && transit?.ticket !== 0;
}

/** A table of the control segment whose slots are held by references. */
export interface ReferencedTable {
  /** The option that gives its number of slots. */
  readonly size: "buffers" | "syncobjs";
  /** What one slot holds, for messages. */
  readonly noun: string;
  /** What needs a slot, for messages. */
  readonly action: string;
  /** Where these words of a slot stand. */
  state(layout: Layout, slot: number): number;
  references(layout: Layout, slot: number): number;
  transits(layout: Layout, slot: number): number;
  transitsUsed(layout: Layout, slot: number): number;
  /** Reads what must be known after the slot is freed; what it returns runs then. */
  beforeFree?(segment: Segment, slot: number): () => void;
}

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @param describe Fills the slot before anybody finds it live.
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimSlot(table: ReferencedTable, member: Member, describe: (slot: number) => void): SlotKey {
  const { memory, layout } = member;
  const { slot, generation } = claimFree(member, table.size, table.action, (slot) => {
    const state = table.state(layout, slot);
    const free = memory.load64(state);
    if (stateOf(free) !== SLOT_STATE.FREE) return undefined;
    const generation = nextGeneration(free);
    const claimed = pack(generation, slotOf(member.identity), SLOT_STATE.CLAIMED);
    return memory.compareExchange64(state, free, claimed) === free ? { slot, generation } : undefined;
  });
  describe(slot);
  setBit(memory, table.references(layout, slot), slotOf(member.identity));
  memory.store64(table.state(layout, slot), pack(generation, 0, SLOT_STATE.LIVE));
  return { slot, generation };
}

export function isSlotLive(table: ReferencedTable, { memory, layout }: Segment, key: SlotKey): boolean {
  const word = memory.load64(table.state(layout, key.slot));
  return stateOf(word) === SLOT_STATE.LIVE && Number(word >> GENERATION_SHIFT) === key.generation;
}

/** The live slots of a table. */
export function* liveSlots(table: ReferencedTable, segment: Segment): Generator<SlotKey> {
  const { memory, layout } = segment;
  const used = usedSlots(segment, table.size);
  for (let slot = 0; slot < used; slot++) {
    const word = memory.load64(table.state(layout, slot));
    if (stateOf(word) === SLOT_STATE.LIVE) yield { slot, generation: Number(word >> GENERATION_SHIFT) };
  }
}

/**
 * Takes this agent's reference. The agent holds none on this slot yet (it counts its own uses itself).
 *
 * @returns False if what the key names is gone.
 */
export function addSlotReference(table: ReferencedTable, member: Member, key: SlotKey): boolean {
  const { memory, layout } = member;
  setBit(memory, table.references(layout, key.slot), slotOf(member.identity));
  if (raiseVersion(table, member, key)) return true;
  dropSlotReference(table, member, key.slot, slotOf(member.identity));
  return false;
}

/** Drops an agent's reference; frees the slot if it was the last. Returns whether this call freed it. */
export function dropSlotReference(table: ReferencedTable, segment: Segment, slot: number, agentSlot: number): boolean {
  const { memory, layout } = segment;
  clearBit(memory, table.references(layout, slot), agentSlot);
  return freeIfUnused(table, segment, slot);
}

/**
 * Holds the slot for a handle that is sent away. The caller holds a reference.
 *
 * @throws {DmaBufError} `EAGAIN` if too many handles are in flight.
 */
export function addSlotTransit(table: ReferencedTable, member: Member, key: SlotKey): Transit {
  const { memory, layout } = member;
  const transits = table.transits(layout, key.slot);
  // Counted in the whole domain: a late handle of a dead agent must not end one of the agent that took its slot.
  const ticket = (memory.add(HEADER.HANDLES, 1) << TRANSIT_SLOT_BITS) | (slotOf(member.identity) + 1);
  for (let index = 0; index < layout.sizes.agents; index++) {
    if (memory.load(transits + index) !== 0) continue;
    // SYNC POINT used-before-taken: as for a table's slots.
    raiseTo(memory, table.transitsUsed(layout, key.slot), index + 1);
    if (memory.compareExchange(transits + index, 0, ticket) !== 0) continue;
    raiseVersion(table, member, key);
    return { index, ticket };
  }
  throw new DmaBufError(
    "EAGAIN",
    `Cannot make a handle: ${layout.sizes.agents} handles to this ${table.noun} are in flight (option "agents")`,
  );
}

/** Ends a handle's hold on the slot, once; returns whether this call ended it. */
export function endSlotTransit(table: ReferencedTable, segment: Segment, slot: number, transit: Transit): boolean {
  const { memory, layout } = segment;
  const word = table.transits(layout, slot) + transit.index;
  if (memory.compareExchange(word, transit.ticket, 0) !== transit.ticket) return false;
  freeIfUnused(table, segment, slot);
  return true;
}

/** Handles in flight to what a slot holds. */
export function countTransits(table: ReferencedTable, segment: Segment, slot: number): number {
  const { memory, layout } = segment;
  const used = usedTransits(table, segment, slot);
  let count = 0;
  for (let i = 0; i < used; i++) if (memory.load(table.transits(layout, slot) + i) !== 0) count++;
  return count;
}

/** What the reaper does with the references and transits of a dead agent, and with a slot it was about to fill. */
export function sweepSlot(table: ReferencedTable, segment: Segment, slot: number, dead: Identity): void {
  const { memory, layout } = segment;
  const state = table.state(layout, slot);
  const references = table.references(layout, slot);
  const transits = table.transits(layout, slot);
  const word = memory.load64(state);
  if (stateOf(word) === SLOT_STATE.CLAIMED && Number((word & VERSION_MASK) >> STATE_BITS) === slotOf(dead)) {
    clearBit(memory, references, slotOf(dead));
    memory.compareExchange64(state, word, word & ~STATE_MASK);
    return;
  }
  const used = usedTransits(table, segment, slot);
  for (let i = 0; i < used; i++) {
    const ticket = memory.load(transits + i);
    if (ticket !== 0 && (ticket & ((1 << TRANSIT_SLOT_BITS) - 1)) === slotOf(dead) + 1) {
      endSlotTransit(table, segment, slot, { index: i, ticket });
    }
  }
  clearBit(memory, references, slotOf(dead));
  // Even if the dead agent held nothing: it may have dropped the last reference, and died before it looked
  // (referenced-slot.3).
  freeIfUnused(table, segment, slot);
}

function raiseVersion(table: ReferencedTable, { memory, layout }: Segment, key: SlotKey): boolean {
  const state = table.state(layout, key.slot);
  for (;;) {
    const word = memory.load64(state);
    if (stateOf(word) !== SLOT_STATE.LIVE || Number(word >> GENERATION_SHIFT) !== key.generation) return false;
    const raised = (word & ~VERSION_MASK) | ((word + ONE_VERSION) & VERSION_MASK);
    if (memory.compareExchange64(state, word, raised) === word) return true;
  }
}

function freeIfUnused(table: ReferencedTable, segment: Segment, slot: number): boolean {
  const { memory, layout } = segment;
  const state = table.state(layout, slot);
  for (;;) {
    const word = memory.load64(state);
    if (stateOf(word) !== SLOT_STATE.LIVE) return false;
    if (anyBit(memory, table.references(layout, slot), layout.agentWords)) return false;
    if (anyBit(memory, table.transits(layout, slot), usedTransits(table, segment, slot))) return false;
    const afterwards = table.beforeFree?.(segment, slot);
    if (memory.compareExchange64(state, word, word & ~STATE_MASK) !== word) continue;
    afterwards?.();
    return true;
  }
}

/** How many places for handles in flight were ever used: the others are not looked at (table.2). */
function usedTransits(table: ReferencedTable, { memory, layout }: Segment, slot: number): number {
  return Math.min(memory.load(table.transitsUsed(layout, slot)) >>> 0, layout.sizes.agents);
}

function stateOf(word: bigint): number {
  return Number(word & STATE_MASK);
}

function pack(generation: number, version: number, state: number): bigint {
  return (BigInt(generation) << GENERATION_SHIFT) | (BigInt(version) << STATE_BITS) | BigInt(state);
}

function nextGeneration(word: bigint): number {
  return Number(((word >> GENERATION_SHIFT) + 1n) & 0xffff_ffffn) || 1;
}
