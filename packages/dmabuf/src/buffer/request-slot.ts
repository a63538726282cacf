import { isLive, ring, slotOf, type Identity, type Member } from "../domain/agent-slot.js";
import type { BufferKey } from "./buffer-slot.js";
import {
  AGENT,
  HEADER,
  IMPORTER,
  REQUEST,
  REQUEST_PHASE,
  REQUEST_STATE as STATE,
  type Segment,
} from "../domain/layout.js";
import { pairOf } from "../domain/packing.js";
import type { RecoveryStep } from "../domain/recovery.js";
import { claimFree, usedSlots } from "../domain/table.js";
import { readName, writeName } from "../domain/text.js";

/**
 * What one agent asks of an exporter in another, or an exporter of the importers in another (`moveNotify`).
 *
 * request-slot.1. STATE holds generation, requester, phase and answer in one 64-bit word. Each step is one exchange of
 *     it: FREE → CLAIMED → POSTED → TAKEN → DONE → FREE. The generation rises when the slot becomes FREE.
 * request-slot.2. Only the requester writes the other words, while the slot is CLAIMED. An agent that read them and
 *     then exchanged STATE from what it was before has read this request and no other.
 * request-slot.3. A requester that gives up or dies takes the slot back whatever its phase: the exporter's next
 *     exchange fails, and tells it that no agent wants the answer.
 * request-slot.4. A request that wants no answer becomes FREE when it is done. If its exporter dies, only the reaper
 *     frees it.
 * request-slot.5. POSTED is stored before the exporter is rung, and the exporter is looked at after that: if it is
 *     dead, no other agent will take the request back.
 * request-slot.6. ORDER tells which of two requests was made first; an agent that makes one after it has seen a change
 *     in shared memory that followed the first has the higher one.
 */

const OPERATIONS = [
  "attach",
  "detach",
  "map",
  "unmap",
  "pin",
  "unpin",
  "begin",
  "end",
  "mmap",
  "moveNotify",
  "fault",
  "pinPages",
  "unpinPages",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/**
 * Which operations an exporter has of its own. `CUSTOM` means map and unmap, which every such exporter has. Of a buffer
 * that is `PAGED`, `PINNED` says that all pages are filled, and stay (paged-buffer.4).
 */
export const EXPORTER_FLAG = {
  CUSTOM: 1,
  ATTACH: 2,
  DETACH: 4,
  PIN: 8,
  BEGIN: 16,
  END: 32,
  MMAP: 64,
  PAGED: 128,
  PINNED: 256,
} as const;

export interface RequestFields {
  /** The agent that is asked: the buffer's exporter, except for `moveNotify`. */
  readonly exporter: Identity;
  readonly buffer: BufferKey;
  readonly operation: Operation;
  readonly mode: "read" | "write";
  /** The requester's own numbers. */
  readonly attachment: number;
  readonly mapping: number;
  readonly isDynamic: boolean;
  readonly allowPeerToPeer: boolean;
  readonly name: string;
  /** The requester's lock word, to be taken over for the time of the operation; 0n if no lock is needed. */
  readonly lock: bigint;
  /** What is touched of a paged buffer, in pages of `PAGE_SIZE`. Default: nothing. */
  readonly pages?: Pages;
}

/** Adjacent pages. */
export interface Pages {
  readonly first: number;
  readonly count: number;
}

/** Which use of which slot. */
export interface RequestKey {
  readonly slot: number;
  readonly generation: number;
}

/** A request as the exporter finds it. */
export interface PostedRequest extends RequestFields {
  readonly key: RequestKey;
  readonly requester: Identity;
  readonly order: number;
  readonly wantsAnswer: boolean;
}

export type RequestState =
  | { readonly phase: "posted" | "taken" | "gone" }
  | { readonly phase: "done"; readonly errno: number; readonly value: boolean };

/**
 * Posts a request and rings the exporter.
 *
 * @param wantsAnswer Whether the caller waits, and frees the request afterwards.
 * @returns Nothing if the exporter is dead.
 * @throws {DmaBufError} `ENOSPC` if all places are in use.
 */
export function postRequest(member: Member, fields: RequestFields, wantsAnswer: boolean): RequestKey | undefined {
  const { memory, layout } = member;
  const key = claim(member);
  const base = layout.request(key.slot);
  writeFields(member, base, fields);
  const posted = stateOf(member.identity, key.generation, REQUEST_PHASE.POSTED, wantsAnswer);
  memory.store64(base + REQUEST.STATE, posted);
  // SYNC POINT post-before-look: pairs with sweepRequest() after markDead().
  const exporterSlot = slotOf(fields.exporter);
  if (!isLive(member, fields.exporter)) {
    // If it is not as it was posted, the exporter has taken it before its end, or even answered.
    if (memory.compareExchange64(base + REQUEST.STATE, posted, freed(posted)) === posted) return undefined;
  }
  memory.add(layout.agent(exporterSlot) + AGENT.REQUESTS, 1);
  ring(member, exporterSlot);
  return key;
}

/** How often requests were posted to this agent: while it does not change, there is no new one. */
export function postCount({ memory, layout, identity }: Member): number {
  return memory.load(layout.agent(slotOf(identity)) + AGENT.REQUESTS);
}

/** The requests that wait for this agent, the first made first. */
export function postedRequests(member: Member): PostedRequest[] {
  const { memory, layout, identity } = member;
  const requests: PostedRequest[] = [];
  const used = usedSlots(member, "requests");
  for (let slot = 0; slot < used; slot++) {
    const base = layout.request(slot);
    const word = memory.load64(base + REQUEST.STATE);
    if (STATE.phase.in(word) !== REQUEST_PHASE.POSTED || memory.load(base + REQUEST.EXPORTER) !== identity) continue;
    requests.push(readFields(member, slot, word));
  }
  return requests.sort((a, b) => (a.order - b.order) | 0);
}

/** Takes a request to serve it; false if it was taken back, and what was read of it may be anything. */
export function takeRequest({ memory, layout }: Segment, request: PostedRequest): boolean {
  const posted = wordOf(request, REQUEST_PHASE.POSTED);
  const taken = wordOf(request, REQUEST_PHASE.TAKEN);
  return memory.compareExchange64(layout.request(request.key.slot) + REQUEST.STATE, posted, taken) === posted;
}

/**
 * Answers a request that was taken. The caller rings the requester, after whatever belongs to the answer.
 *
 * @param errno Positive, 0 for success.
 * @returns False if no agent wants the answer any more: what was done for it is to be undone.
 */
export function finishRequest(
  { memory, layout }: Segment,
  request: PostedRequest,
  errno: number,
  value = false,
): boolean {
  const state = layout.request(request.key.slot) + REQUEST.STATE;
  const taken = wordOf(request, REQUEST_PHASE.TAKEN);
  const done = wordOf(request, REQUEST_PHASE.DONE) | STATE.errno.of(errno) | STATE.value.of(value ? 1 : 0);
  return memory.compareExchange64(state, taken, request.wantsAnswer ? done : freed(taken)) === taken;
}

export function requestState({ memory, layout }: Segment, key: RequestKey): RequestState {
  const word = memory.load64(layout.request(key.slot) + REQUEST.STATE);
  if (STATE.generation.in(word) !== key.generation) return { phase: "gone" };
  const phase = STATE.phase.in(word);
  if (phase === REQUEST_PHASE.POSTED) return { phase: "posted" };
  if (phase === REQUEST_PHASE.TAKEN) return { phase: "taken" };
  return { phase: "done", errno: STATE.errno.in(word), value: STATE.value.in(word) === 1 };
}

/** Whether a request with this STATE still waits for its exporter. */
export function isUnanswered(state: bigint): boolean {
  const phase = STATE.phase.in(state);
  return phase === REQUEST_PHASE.POSTED || phase === REQUEST_PHASE.TAKEN;
}

/** Takes a request back that is in this phase; false if it is in another one by now. */
export function takeBack(member: Member, key: RequestKey, phase: "posted" | "taken"): boolean {
  const state = member.layout.request(key.slot) + REQUEST.STATE;
  const number = phase === "posted" ? REQUEST_PHASE.POSTED : REQUEST_PHASE.TAKEN;
  const word = stateOf(member.identity, key.generation, number, true);
  return member.memory.compareExchange64(state, word, freed(word)) === word;
}

/** Gives a request's place back, whatever its phase. Only its requester may call this. */
export function freeRequest({ memory, layout }: Segment, key: RequestKey): void {
  const state = layout.request(key.slot) + REQUEST.STATE;
  for (;;) {
    const word = memory.load64(state);
    if (STATE.generation.in(word) !== key.generation) return;
    if (memory.compareExchange64(state, word, freed(word)) === word) return;
  }
}

/** Tells the agents that wait for an answer of one that has left that none will come; frees what no agent waits for. */
export function abandonRequests(segment: Segment, gone: Identity): void {
  const { memory, layout } = segment;
  const used = usedSlots(segment, "requests");
  for (let slot = 0; slot < used; slot++) {
    sweepRequest(segment, slot, gone);
    const base = layout.request(slot);
    if (memory.load(base + REQUEST.EXPORTER) !== gone) continue;
    const word = memory.load64(base + REQUEST.STATE);
    if (STATE.phase.in(word) !== REQUEST_PHASE.FREE) ring(segment, STATE.requester.in(word));
  }
}

export const REQUEST_RECOVERY: RecoveryStep = { table: "requests", sweep: sweepRequest };

/** Frees a request of a dead agent, and one that it would not have answered. */
function sweepRequest({ memory, layout }: Segment, slot: number, dead: Identity): void {
  const base = layout.request(slot);
  for (;;) {
    const word = memory.load64(base + REQUEST.STATE);
    if (STATE.phase.in(word) === REQUEST_PHASE.FREE) return;
    const isRequester = STATE.requester.in(word) === slotOf(dead);
    const isUnheard = STATE.noAnswer.in(word) === 1 && memory.load(base + REQUEST.EXPORTER) === dead;
    if (!isRequester && !isUnheard) return;
    if (memory.compareExchange64(base + REQUEST.STATE, word, freed(word)) === word) return;
  }
}

function claim(member: Member): RequestKey {
  const { memory, layout } = member;
  return claimFree(member, "requests", "ask the exporter", (slot) => {
    const state = layout.request(slot) + REQUEST.STATE;
    const free = memory.load64(state);
    if (STATE.phase.in(free) !== REQUEST_PHASE.FREE) return undefined;
    const generation = STATE.generation.in(free);
    const claimed = stateOf(member.identity, generation, REQUEST_PHASE.CLAIMED, true);
    return memory.compareExchange64(state, free, claimed) === free ? { slot, generation } : undefined;
  });
}

function writeFields(member: Member, base: number, fields: RequestFields): void {
  const { memory } = member;
  memory.store(base + REQUEST.REQUESTER, member.identity);
  memory.store(base + REQUEST.EXPORTER, fields.exporter);
  memory.store(base + REQUEST.BUFFER, fields.buffer.slot);
  memory.store(base + REQUEST.BUFFER_GENERATION, fields.buffer.generation);
  memory.store(base + REQUEST.OPERATION, OPERATIONS.indexOf(fields.operation));
  memory.store(base + REQUEST.MODE, fields.mode === "write" ? 1 : 0);
  memory.store(base + REQUEST.ATTACHMENT, fields.attachment);
  memory.store(base + REQUEST.MAPPING, fields.mapping);
  const importer =
    IMPORTER.dynamic.of(fields.isDynamic ? 1 : 0) | IMPORTER.peerToPeer.of(fields.allowPeerToPeer ? 1 : 0);
  memory.store(base + REQUEST.IMPORTER, importer);
  memory.store(base + REQUEST.ORDER, memory.add(HEADER.REQUESTS, 1));
  memory.store64(base + REQUEST.LOCK, fields.lock);
  memory.store(base + REQUEST.FIRST_PAGE, fields.pages?.first ?? 0);
  memory.store(base + REQUEST.PAGES, fields.pages?.count ?? 0);
  writeName(memory, base + REQUEST.NAME, fields.name);
}

function readFields({ memory, layout }: Segment, slot: number, word: bigint): PostedRequest {
  const base = layout.request(slot);
  const importer = memory.load(base + REQUEST.IMPORTER);
  return {
    key: { slot, generation: STATE.generation.in(word) },
    requester: memory.load(base + REQUEST.REQUESTER),
    exporter: memory.load(base + REQUEST.EXPORTER),
    buffer: {
      slot: memory.load(base + REQUEST.BUFFER),
      generation: memory.load(base + REQUEST.BUFFER_GENERATION) >>> 0,
    },
    operation: OPERATIONS[memory.load(base + REQUEST.OPERATION)] ?? "end",
    mode: memory.load(base + REQUEST.MODE) === 1 ? "write" : "read",
    attachment: memory.load(base + REQUEST.ATTACHMENT),
    mapping: memory.load(base + REQUEST.MAPPING),
    isDynamic: IMPORTER.dynamic.in(importer) === 1,
    allowPeerToPeer: IMPORTER.peerToPeer.in(importer) === 1,
    name: readName(memory, base + REQUEST.NAME),
    order: memory.load(base + REQUEST.ORDER),
    lock: memory.load64(base + REQUEST.LOCK),
    pages: { first: memory.load(base + REQUEST.FIRST_PAGE) >>> 0, count: memory.load(base + REQUEST.PAGES) >>> 0 },
    wantsAnswer: STATE.noAnswer.in(word) === 0,
  };
}

/** The state of a request that an exporter has found. Once it is done, it no longer matters whether an agent waits. */
function wordOf({ requester, key, wantsAnswer }: PostedRequest, phase: number): bigint {
  return stateOf(requester, key.generation, phase, wantsAnswer);
}

function stateOf(requester: Identity, generation: number, phase: number, wantsAnswer: boolean): bigint {
  const noAnswer = STATE.noAnswer.of(wantsAnswer ? 0 : 1);
  return pairOf(STATE.phase, phase, STATE.generation, generation) | STATE.requester.of(slotOf(requester)) | noAnswer;
}

/** The word of the free slot that follows. */
function freed(word: bigint): bigint {
  return STATE.generation.of(STATE.generation.in(word) + 1);
}
