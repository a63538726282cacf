import { DmaBufError } from "../errors.js";
import { addTo64, isLive, ring, slotOf, type Identity, type Member } from "./agent-slot.js";
import { anyBit, clearBit, setBit } from "./bits.js";
import { BUFFER, BUFFER_STATE, HEADER, hint, type Segment } from "./layout.js";
import { readName, writeName } from "./text.js";

/**
 * Who holds a buffer: one bit for each agent, and the handles in flight.
 *
 * B1. A buffer is live while a bit or a transit stands. STATE holds generation, version and state in one 64-bit word.
 * B2. Whoever adds a bit or a transit then raises the version, and does it only while the buffer is live in the same
 *     generation; otherwise it takes back what it added.
 * B3. Whoever takes one away then looks at all of them, and frees the buffer by exchanging the word it read before
 *     looking: if anything was added meanwhile, the version differs and it looks again.
 * B4. Hence the last reference frees the buffer, once; and a reference moves from a handle to a bit without a gap.
 * B5. A bit belongs to its agent, a transit to its sender: after their death only the reaper takes them away. It looks
 *     at every buffer, for those who died between taking away and looking (B3).
 */

const STATE_BITS = 2n;
const VERSION_MASK = 0xffff_fffcn;
const STATE_MASK = 3n;
const GENERATION_SHIFT = 32n;
const ONE_VERSION = 1n << STATE_BITS;

export interface BufferOptions {
  readonly size: number;
  readonly name: string;
  readonly exporterName: string;
  /** Which operations its exporter has of its own. Default 0: none. */
  readonly flags?: number;
}

/** Which buffer, among all that ever used its slot. */
export interface BufferKey {
  readonly slot: number;
  readonly generation: number;
}

/**
 * Takes a free slot; the calling agent holds the first reference.
 *
 * @throws {DmaBufError} `ENOSPC` if all are taken.
 */
export function claimBuffer(member: Member, options: BufferOptions): BufferKey {
  const { memory, layout } = member;
  const count = layout.sizes.buffers;
  const first = memory.load(hint("buffers"));
  for (let i = 0; i < count; i++) {
    const slot = (first + i) % count;
    const state = layout.buffer(slot) + BUFFER.STATE;
    const free = memory.load64(state);
    if (stateOf(free) !== BUFFER_STATE.FREE) continue;
    const generation = nextGeneration(free);
    const claimed = pack(generation, slotOf(member.identity), BUFFER_STATE.CLAIMED);
    if (memory.compareExchange64(state, free, claimed) !== free) continue;
    memory.store(hint("buffers"), (slot + 1) % count);
    describeBuffer(member, slot, options);
    setBit(memory, layout.buffer(slot) + layout.references, slotOf(member.identity));
    memory.store64(state, pack(generation, 0, BUFFER_STATE.LIVE));
    return { slot, generation };
  }
  throw new DmaBufError("ENOSPC", `Cannot export the buffer: all ${count} are in use (option "buffers")`);
}

function describeBuffer(member: Member, slot: number, options: BufferOptions): void {
  const { memory, layout } = member;
  const base = layout.buffer(slot);
  writePair(member, base + BUFFER.SIZE_LOW, options.size);
  writePair(member, base + BUFFER.INODE_LOW, addTo64(memory, HEADER.INODES, 1) + 1);
  memory.store(base + BUFFER.EXPORTER, member.identity);
  memory.store(base + BUFFER.FLAGS, options.flags ?? 0);
  writeName(memory, base + BUFFER.NAME, options.name);
  writeName(memory, base + BUFFER.EXPORTER_NAME, options.exporterName);
  memory.store(layout.reservation(slot, memory.load(base + BUFFER.PUBLISHED) & 1), 0);
}

export function isBufferLive({ memory, layout }: Segment, key: BufferKey): boolean {
  const word = memory.load64(layout.buffer(key.slot) + BUFFER.STATE);
  return stateOf(word) === BUFFER_STATE.LIVE && Number(word >> GENERATION_SHIFT) === key.generation;
}

/**
 * Takes this agent's reference. The agent holds none on this slot yet (it counts its own uses itself).
 *
 * @returns False if the buffer is gone.
 */
export function addReference(member: Member, key: BufferKey): boolean {
  const { memory, layout } = member;
  setBit(memory, layout.buffer(key.slot) + layout.references, slotOf(member.identity));
  if (raiseVersion(member, key)) return true;
  dropReference(member, key.slot, slotOf(member.identity));
  return false;
}

/** Drops an agent's reference; frees the buffer if it was the last. Returns whether this call freed it. */
export function dropReference(segment: Segment, slot: number, agentSlot: number): boolean {
  const { memory, layout } = segment;
  clearBit(memory, layout.buffer(slot) + layout.references, agentSlot);
  return freeIfUnused(segment, slot);
}

/** A handle in flight: which of the buffer's transits, and the word that stands there while it lasts. */
export interface Transit {
  readonly index: number;
  readonly ticket: number;
}

/**
 * Holds the buffer for a handle that is sent away. The caller holds a reference.
 *
 * @throws {DmaBufError} `EAGAIN` if too many handles to this buffer are in flight.
 */
export function addTransit(member: Member, key: BufferKey): Transit {
  const { memory, layout } = member;
  const transits = layout.buffer(key.slot) + layout.transits;
  // Counted in the whole domain: a late handle of a dead agent must not end one of the agent that took its slot.
  const ticket = (memory.add(HEADER.HANDLES, 1) << TRANSIT_SLOT_BITS) | (slotOf(member.identity) + 1);
  for (let index = 0; index < layout.sizes.agents; index++) {
    if (memory.load(transits + index) !== 0) continue;
    if (memory.compareExchange(transits + index, 0, ticket) !== 0) continue;
    raiseVersion(member, key);
    return { index, ticket };
  }
  throw new DmaBufError(
    "EAGAIN",
    `Cannot make a handle: ${layout.sizes.agents} handles to this buffer are in flight (option "agents")`,
  );
}

const TRANSIT_SLOT_BITS = 11;

/** Ends a handle's hold on the buffer, once; returns whether this call ended it. */
export function endTransit(segment: Segment, slot: number, transit: Transit): boolean {
  const { memory, layout } = segment;
  const word = layout.buffer(slot) + layout.transits + transit.index;
  if (memory.compareExchange(word, transit.ticket, 0) !== transit.ticket) return false;
  freeIfUnused(segment, slot);
  return true;
}

/** What the reaper does with the references and transits of a dead agent, and with a slot it was about to fill. */
export function sweepBuffer(segment: Segment, slot: number, dead: Identity): void {
  const { memory, layout } = segment;
  const base = layout.buffer(slot);
  const word = memory.load64(base + BUFFER.STATE);
  if (stateOf(word) === BUFFER_STATE.CLAIMED && Number((word & VERSION_MASK) >> STATE_BITS) === slotOf(dead)) {
    clearBit(memory, base + layout.references, slotOf(dead));
    memory.compareExchange64(base + BUFFER.STATE, word, word & ~STATE_MASK);
    return;
  }
  for (let i = 0; i < layout.sizes.agents; i++) {
    const ticket = memory.load(base + layout.transits + i);
    if (ticket !== 0 && (ticket & ((1 << TRANSIT_SLOT_BITS) - 1)) === slotOf(dead) + 1) {
      endTransit(segment, slot, { index: i, ticket });
    }
  }
  clearBit(memory, base + layout.references, slotOf(dead));
  // Even if the dead agent held nothing: it may have dropped the last reference, and died before it looked (B3).
  freeIfUnused(segment, slot);
}

function raiseVersion({ memory, layout }: Segment, key: BufferKey): boolean {
  const state = layout.buffer(key.slot) + BUFFER.STATE;
  for (;;) {
    const word = memory.load64(state);
    if (stateOf(word) !== BUFFER_STATE.LIVE || Number(word >> GENERATION_SHIFT) !== key.generation) return false;
    const raised = (word & ~VERSION_MASK) | ((word + ONE_VERSION) & VERSION_MASK);
    if (memory.compareExchange64(state, word, raised) === word) return true;
  }
}

function freeIfUnused(segment: Segment, slot: number): boolean {
  const { memory, layout } = segment;
  const base = layout.buffer(slot);
  for (;;) {
    const word = memory.load64(base + BUFFER.STATE);
    if (stateOf(word) !== BUFFER_STATE.LIVE) return false;
    if (anyBit(memory, base + layout.references, layout.agentWords)) return false;
    if (anyBit(memory, base + layout.transits, layout.sizes.agents)) return false;
    // Read before the slot is free: the next buffer there has another exporter.
    const exporter = memory.load(base + BUFFER.EXPORTER);
    if (memory.compareExchange64(base + BUFFER.STATE, word, word & ~STATE_MASK) !== word) continue;
    // It may have something to release.
    ring(segment, slotOf(exporter));
    return true;
  }
}

/** The live buffers of a domain. */
export function* liveBuffers({ memory, layout }: Segment): Generator<BufferKey> {
  for (let slot = 0; slot < layout.sizes.buffers; slot++) {
    const word = memory.load64(layout.buffer(slot) + BUFFER.STATE);
    if (stateOf(word) === BUFFER_STATE.LIVE) yield { slot, generation: Number(word >> GENERATION_SHIFT) };
  }
}

export function bufferSize(segment: Segment, slot: number): number {
  return readPair(segment, segment.layout.buffer(slot) + BUFFER.SIZE_LOW);
}

export function bufferInode(segment: Segment, slot: number): number {
  return readPair(segment, segment.layout.buffer(slot) + BUFFER.INODE_LOW);
}

export function bufferName({ memory, layout }: Segment, slot: number): string {
  return readName(memory, layout.buffer(slot) + BUFFER.NAME);
}

/** @throws {DmaBufError} `EINVAL` if the name has more than 31 bytes of UTF-8. */
export function renameBuffer({ memory, layout }: Segment, slot: number, name: string): void {
  const bytes = encodeURIComponent(name).replace(/%../g, "-").length;
  if (bytes > 31) {
    throw new DmaBufError("EINVAL", `Cannot name the buffer: "${name}" has ${bytes} bytes, 31 are allowed`);
  }
  writeName(memory, layout.buffer(slot) + BUFFER.NAME, name);
}

export function exporterName({ memory, layout }: Segment, slot: number): string {
  return readName(memory, layout.buffer(slot) + BUFFER.EXPORTER_NAME);
}

/** Which operations the exporter has of its own; 0 for plain data. */
export function exporterFlags({ memory, layout }: Segment, slot: number): number {
  return memory.load(layout.buffer(slot) + BUFFER.FLAGS);
}

export function exporterOf({ memory, layout }: Segment, slot: number): Identity {
  return memory.load(layout.buffer(slot) + BUFFER.EXPORTER);
}

/** Whether the agent that exported the buffer is still joined. */
export function isExporterLive(segment: Segment, slot: number): boolean {
  return isLive(segment, exporterOf(segment, slot));
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

function writePair({ memory }: Segment, word: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  memory.store(word, (value - high * 2 ** 32) | 0);
  memory.store(word + 1, high);
}

function readPair({ memory }: Segment, word: number): number {
  return (memory.load(word + 1) >>> 0) * 2 ** 32 + (memory.load(word) >>> 0);
}
