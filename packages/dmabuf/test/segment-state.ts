import { BUFFER_SLOTS } from "../src/buffer/buffer-slot.js";
import { agentName, generationOf, isLive, slotOf } from "../src/domain/agent-slot.js";
import { forEachBit } from "../src/domain/bits.js";
import { isKeyOverdue, isKeySignaled } from "../src/domain/fence-slot.js";
import { readHeader } from "../src/domain/header.js";
import {
  AGENT,
  AGENT_PHASE,
  AGENT_STATE,
  BUFFER,
  COMPLETED,
  SLOT_PHASE,
  SLOT_STATE,
  CONSUMER,
  ONE_SHOT,
  PLACE,
  PLACE_FRAME,
  STREAM,
  STREAM_CONSUMERS,
  TIMELINE,
  type Segment,
} from "../src/domain/layout.js";
import { readName } from "../src/domain/text.js";
import { tryReadEntries } from "../src/reservation/entries.js";
import { holderOf, lockHolder, ticketOf } from "../src/reservation/lock.js";
import { createSharedSubstrate } from "../src/substrate/shared-array.js";
import { segmentOf } from "../src/domain/segment-protocol.js";

/** As {@link segmentState}, of a domain of threads. */
export function domainState(control: SharedArrayBuffer): string[] {
  const memory = createSharedSubstrate(control);
  return segmentState(segmentOf(memory, readHeader(memory)));
}

/** Everything in a domain's control segment that is in use, one line each, as far as an onlooker can see it. */
export function segmentState(segment: Segment): string[] {
  return [...agents(segment), ...timelines(segment), ...oneShots(segment), ...buffers(segment), ...streams(segment)];
}

function* agents(segment: Segment): Generator<string> {
  const { memory, layout } = segment;
  for (let slot = 0; slot < layout.sizes.agents; slot++) {
    const base = layout.agent(slot);
    const state = memory.load(base + AGENT.STATE);
    const reaper = memory.load(base + AGENT.REAPER);
    // A claim that outlives its claimer passes on (recovery.2): it died when it had freed the slot.
    const phase = AGENT_STATE.phase.in(state);
    if (phase === AGENT_PHASE.FREE && !isLive(segment, reaper)) continue;
    const word = ["free", "live", "dead"][phase];
    yield `agent ${slot} "${readName(memory, base + AGENT.NAME)}" generation ${AGENT_STATE.generation.in(state)} is ${word}, its reaper ${reaper}`;
  }
}

function* timelines(segment: Segment): Generator<string> {
  const { memory, layout } = segment;
  for (let slot = 0; slot < layout.sizes.timelines; slot++) {
    const base = layout.timeline(slot);
    const owner = memory.load(base + TIMELINE.OWNER);
    if (owner === 0) continue;
    const { sequence, ended } = COMPLETED;
    const word = memory.load64(base + TIMELINE.COMPLETED);
    yield `timeline ${slot} "${readName(memory, base + TIMELINE.NAME)}" of ${agent(segment, owner)}: completed ${sequence.in(word)}, ended ${ended.in(word)}`;
  }
}

function* oneShots(segment: Segment): Generator<string> {
  const { memory, layout } = segment;
  for (let i = 0; i < layout.sizes.oneShots; i++) {
    const base = layout.oneShot(layout.sizes.timelines + i);
    const owner = memory.load(base + ONE_SHOT.OWNER);
    if (owner !== 0)
      yield `one-shot fence ${i} of ${agent(segment, owner)}: state ${memory.load(base + ONE_SHOT.STATE)}`;
  }
}

function* buffers(segment: Segment): Generator<string> {
  const { memory, layout } = segment;
  for (let slot = 0; slot < layout.sizes.buffers; slot++) {
    const base = layout.buffer(slot);
    const state = SLOT_STATE.phase.in(memory.load64(base + BUFFER.STATE));
    const lock = lockHolder(segment, slot);
    const writer = memory.load(base + BUFFER.WRITER);
    const readers = bits(segment, base + layout.BUFFER.READERS);
    if (state === SLOT_PHASE.FREE && lock === 0n && writer === 0 && readers === "") continue;
    const inflight = BUFFER_SLOTS.countInflight(segment, slot);
    const entries = tryReadEntries(segment, slot);
    const pending = entries?.filter(({ key }) => !isKeySignaled(segment, key));
    const late = entries?.filter(({ key }) => isKeyOverdue(segment, key));
    yield [
      `buffer ${slot} "${readName(memory, base + BUFFER.NAME)}" in state ${state}:`,
      `held by [${bits(segment, base + layout.BUFFER.REFERENCES)}]`,
      `in ${inflight} handles`,
      `read by [${readers}]`,
      `written by ${agent(segment, writer)}`,
      `locked by ${agent(segment, holderOf(lock))} with ticket ${ticketOf(lock)}`,
      `lock awaited by [${bits(segment, base + layout.BUFFER.LOCK_WAITERS)}]`,
      `holds awaited by [${bits(segment, base + layout.BUFFER.HOLD_WAITERS)}]`,
      `pending fences ${JSON.stringify(pending)}`,
      `late ones ${JSON.stringify(late)}`,
    ].join(" ");
  }
}

function* streams(segment: Segment): Generator<string> {
  const { memory, layout } = segment;
  for (let slot = 0; slot < layout.sizes.streams; slot++) {
    const base = layout.stream(slot);
    const owner = memory.load(base + STREAM.OWNER);
    const consumers = Array.from(
      { length: STREAM_CONSUMERS },
      (_, i) => base + layout.STREAM.JOINED + i * CONSUMER.WORDS,
    )
      .filter((word) => memory.load(word + CONSUMER.OWNER) !== 0)
      .map((word) => {
        const [policy, cursor] = [memory.load(word + CONSUMER.POLICY), memory.load(word + CONSUMER.CURSOR)];
        return `${agent(segment, memory.load(word + CONSUMER.OWNER))} policy ${policy} at ${cursor}`;
      });
    if (owner === 0 && consumers.length === 0) continue;
    const places = Array.from({ length: 8 }, (_, i) => base + layout.STREAM.PLACES + i * PLACE.WORDS)
      .map((word) => memory.load(word + PLACE.FRAME))
      .filter((frame) => PLACE_FRAME.full.in(frame) === 1)
      .map((frame) => PLACE_FRAME.number.in(frame));
    const [end, published] = [memory.load(base + STREAM.END), memory.load(base + STREAM.PUBLISHED)];
    yield `stream ${slot} "${readName(memory, base + STREAM.NAME)}" of ${agent(segment, owner)}: end ${end}, published ${published}, holds frames ${places.join()}, consumers ${consumers.join("; ")}`;
  }
}

function agent(segment: Segment, identity: number): string {
  if (identity === 0) return "none";
  return `${agentName(segment, identity)} (${generationOf(identity)}:${slotOf(identity)})`;
}

function bits({ memory, layout }: Segment, array: number): string {
  const slots: number[] = [];
  forEachBit(memory, array, layout.agentWords, (slot) => slots.push(slot));
  return slots.join();
}
