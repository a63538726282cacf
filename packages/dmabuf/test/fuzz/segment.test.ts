/** A newcomer to a domain whose control segment is damaged: every index is checked, and every loop ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AGENT_PHASE,
  AGENT_STATE,
  BUFFER,
  COMPLETED,
  HEADER,
  IDENTITY,
  Layout,
  RETIRED_KEPT,
  RETIRED,
  ONE_SHOT,
  ONE_SHOT_STATE,
  REQUEST,
  STREAM,
  TABLE_NAMES,
  TIMELINE,
} from "../../src/domain/layout.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { SIZE_NAMES } from "../../src/domain/sizes.js";
import { SIZES } from "./busy-segment.js";
import { SegmentFuzzer } from "./segment-fuzzer.js";

const LIMIT = { timeout: 100_000 };
const SEED = 1;
const CASES = 400;

const layout = new Layout(SIZES);
const TABLES = TABLE_NAMES.length;
/** No such agent: the table has fewer slots. */
const UNKNOWN = IDENTITY.generation.of(1) | IDENTITY.slot.of(1023);
const everyBuffer = Array.from({ length: SIZES.buffers }, (_, slot) => layout.buffer(slot));
const everyTimeline = Array.from({ length: SIZES.timelines }, (_, slot) => layout.timeline(slot));
const everyOneShot = Array.from({ length: SIZES.oneShots }, (_, slot) => layout.oneShot(SIZES.timelines + slot));

/** Damages that have once done harm, or are near to one that has. */
const DAMAGES: Record<string, (memory: Substrate) => void> = {
  "no damage at all": () => {},
  "a size of 0": (memory) => memory.store(HEADER.SIZES + 2, 0),
  "sizes for which no memory would do": (memory) => {
    for (let size = 0; size < SIZE_NAMES.length; size++) memory.store(HEADER.SIZES + size, 1000);
  },
  "searches that begin before or behind their tables": (memory) => {
    for (let table = 0; table < TABLES; table++) memory.store(HEADER.HINTS + table, table % 2 === 0 ? -64 : 1 << 30);
  },
  "holders that no agent can be": (memory) => {
    for (const buffer of everyBuffer) {
      memory.store(buffer + BUFFER.WRITER, UNKNOWN);
      memory.store(buffer + BUFFER.EXPORTER, UNKNOWN);
      memory.store64(buffer + BUFFER.LOCK, BigInt(UNKNOWN));
    }
  },
  "bits of agents that cannot be": (memory) => {
    for (const buffer of everyBuffer) {
      for (const array of [
        layout.BUFFER.REFERENCES,
        layout.BUFFER.READERS,
        layout.BUFFER.LOCK_WAITERS,
        layout.BUFFER.HOLD_WAITERS,
      ]) {
        memory.store(buffer + array, -1);
      }
    }
    for (const timeline of everyTimeline) memory.store(timeline + layout.TIMELINE.WAITERS, -1);
    for (const oneShot of everyOneShot) memory.store(oneShot + layout.ONE_SHOT.WAITERS, -1);
    memory.store(layout.stream(0) + layout.STREAM.WAITERS, -1);
  },
  "owners that no agent can be": (memory) => {
    for (const timeline of everyTimeline) memory.store(timeline + TIMELINE.OWNER, UNKNOWN);
    for (const oneShot of everyOneShot) memory.store(oneShot + ONE_SHOT.OWNER, UNKNOWN);
    memory.store(layout.stream(0) + STREAM.OWNER, UNKNOWN);
    memory.store(layout.request(0) + REQUEST.REQUESTER, UNKNOWN);
  },
  "as many importers as a word can say": (memory) => {
    for (const buffer of everyBuffer) {
      for (let slot = 0; slot < SIZES.agents; slot++) memory.store(buffer + layout.BUFFER.ATTACHMENTS + slot, -1);
    }
  },
  "numbers of another generation": (memory) => {
    for (const timeline of everyTimeline)
      memory.store64(timeline + TIMELINE.COMPLETED, COMPLETED.generation.of(0x7777));
    for (const oneShot of everyOneShot) memory.store(oneShot + ONE_SHOT.STATE, ONE_SHOT_STATE.generation.of(0x7777));
  },
  "retired failures that no agent finishes": (memory) => {
    for (let index = 0; index < RETIRED_KEPT; index++) memory.store(layout.retired(index) + RETIRED.TAG, -1);
    for (const oneShot of everyOneShot) memory.store(oneShot + ONE_SHOT.STATE, 5);
  },
  "retired failures of slots that cannot be": (memory) => {
    for (let index = 0; index < RETIRED_KEPT; index++) {
      memory.store(layout.retired(index) + RETIRED.TAG, index + 1);
      memory.store(layout.retired(index) + RETIRED.SLOT, 1 << 28);
    }
    for (const oneShot of everyOneShot) memory.store(oneShot + ONE_SHOT.STATE, 5);
  },
  "more failures than can be counted": (memory) => {
    for (const timeline of everyTimeline) memory.store(timeline + TIMELINE.FAILURES, -7);
  },
  "reservations longer than their tables": (memory) => {
    for (let slot = 0; slot < SIZES.buffers; slot++) {
      for (const copy of [0, 1]) memory.store(layout.reservation(slot, copy), 0x7fff_ffff);
    }
  },
  "consumers beyond their table": (memory) => memory.store(layout.stream(0) + STREAM.CONSUMERS_USED, 0x7fff_ffff),
  "every agent dead": (memory) => {
    for (let slot = 0; slot < SIZES.agents; slot++)
      memory.store(layout.agent(slot), AGENT_STATE.generation.of(7) | AGENT_STATE.phase.of(AGENT_PHASE.DEAD));
  },
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`a newcomer copes with ${name}`, LIMIT, () => {
    assert.deepEqual(new SegmentFuzzer(SEED).runOn(damage), []);
  });
}

test(`a newcomer copes with ${CASES} segments that are damaged at random (agent-slot.5)`, LIMIT, () => {
  const fuzzer = new SegmentFuzzer(SEED);
  for (let index = 0; index < CASES; index++) assert.deepEqual(fuzzer.run(index), [], `case ${index}`);
});
