import { isUnanswered } from "../buffer/request-slot.js";
import { isLive, liveAgentsIn, type Identity } from "../domain/agent-slot.js";
import { isKeyFinished, keyOwner } from "../domain/fence-slot.js";
import { CONSUMER, ONE_SHOT, REQUEST, REQUEST_STATE, STREAM, TIMELINE } from "../domain/layout.js";
import { loadNumber } from "../domain/record.js";
import { usedSlots } from "../domain/table.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { forEachPlace, producerOf, publishedFrames } from "../stream/stream-slot.js";
import { isOver, type Found } from "./holders.js";
import { awaitedThing, thingId, type Thing } from "./thing.js";

/** What an agent waits for. */
export interface AwaitedThing {
  readonly thing: Thing;
  readonly since?: number;
  readonly place?: string;
  readonly blocks: boolean;
  /** Whether it has said so. Otherwise it only asked to be rung, and may have gone on without that. */
  readonly isSure: boolean;
}

/**
 * What each agent waits for.
 *
 * waits.1. What an agent has told in the table of activities comes first; but what is over by the words is over.
 * waits.2. Of another agent that has told nothing there, as where the table is full, it is what it has asked to be rung for.
 * waits.3. A request that was not answered is always told by its own words.
 */
export function waitsIn(found: Found): ReadonlyMap<Identity, readonly AwaitedThing[]> {
  const waits = new Map<Identity, AwaitedThing[]>();
  const add = (agent: Identity, wait: AwaitedThing): void => {
    const known = waits.get(agent) ?? [];
    const id = thingId(wait.thing);
    if (known.some(({ thing }) => thingId(thing) === id) || isOver(found, wait.thing)) return;
    waits.set(agent, [...known, wait]);
  };
  for (const entry of found.entries) {
    const { owner, blocks, since, place } = entry;
    const thing = awaitedThing(found.layout, entry);
    if (thing !== undefined) add(owner, { thing, since, blocks, isSure: true, ...(place !== "" && { place }) });
  }
  for (const [agent, thing] of requested(found)) add(agent, { thing, blocks: false, isSure: true });
  const telling = new Set([found.identity, ...found.entries.map(({ owner }) => owner)]);
  for (const [agent, thing] of armed(found)) {
    if (!telling.has(agent)) add(agent, { thing, blocks: false, isSure: false });
  }
  return waits;
}

type Asked = readonly [agent: Identity, thing: Thing];

function* requested(found: Found): Generator<Asked> {
  const { memory, layout } = found;
  for (let slot = 0; slot < usedSlots(found, "requests"); slot++) {
    const base = layout.request(slot);
    const word = memory.load64(base + REQUEST.STATE);
    if (!isUnanswered(word)) continue;
    const agent = memory.load(base + REQUEST.REQUESTER);
    const generation = REQUEST_STATE.generation.in(word);
    if (REQUEST_STATE.noAnswer.in(word) === 0 && isLive(found, agent))
      yield [agent, { kind: "answer", slot, generation }];
  }
}

/** What agents are to be rung for. */
function* armed(found: Found): Generator<Asked> {
  const { memory, layout } = found;
  for (const [key, waiters] of pendingFences(found)) {
    const owner = keyOwner(found, key);
    for (const agent of liveAgentsIn(found, waiters)) if (agent !== owner) yield [agent, { kind: "fence", key }];
  }
  for (let slot = 0; slot < usedSlots(found, "streams"); slot++) {
    const base = layout.stream(slot);
    const generation = memory.load(base + STREAM.GENERATION);
    const producer = producerOf(found, slot);
    if (memory.load(base + STREAM.PRODUCER_WAITS) !== 0) yield [producer, { kind: "loan", slot, generation }];
    for (const agent of liveAgentsIn(found, base + layout.STREAM.WAITERS)) {
      if (hasTakenAll(found, slot, agent)) yield [agent, { kind: "frame", slot, generation }];
    }
  }
  for (let slot = 0; slot < usedSlots(found, "buffers"); slot++) {
    const base = layout.buffer(slot);
    for (const agent of liveAgentsIn(found, base + layout.BUFFER.LOCK_WAITERS)) yield [agent, { kind: "lock", slot }];
    for (const agent of liveAgentsIn(found, base + layout.BUFFER.HOLD_WAITERS)) yield [agent, { kind: "write", slot }];
  }
}

function* pendingFences(found: Found): Generator<readonly [key: FenceKey, waiters: number]> {
  const { memory, layout } = found;
  for (let slot = 0; slot < usedSlots(found, "timelines"); slot++) {
    const base = layout.timeline(slot);
    const sequence = loadNumber(memory, base + TIMELINE.AWAITED);
    const key = { slot, generation: memory.load(base + TIMELINE.GENERATION), sequence };
    if (sequence > 0 && !isKeyFinished(found, key)) yield [key, base + layout.TIMELINE.WAITERS];
  }
  for (let index = 0; index < usedSlots(found, "oneShots"); index++) {
    const slot = layout.sizes.timelines + index;
    const base = layout.oneShot(slot);
    const key = { slot, generation: memory.load(base + ONE_SHOT.GENERATION), sequence: 1 };
    if (!isKeyFinished(found, key)) yield [key, base + layout.ONE_SHOT.WAITERS];
  }
}

/** Whether an agent's consumers of a stream have taken all frames there are. */
function hasTakenAll(found: Found, slot: number, agent: Identity): boolean {
  const { memory } = found;
  const published = publishedFrames(found, slot);
  let all = true;
  forEachPlace(found, slot, (word) => {
    if (memory.load(word + CONSUMER.OWNER) === agent) all &&= memory.load(word + CONSUMER.CURSOR) === published;
  });
  return all;
}
