import { isLive, type Identity, type Member } from "../domain/agent-slot.js";
import {
  CLAIM,
  CONSUMER,
  CONSUMER_POLICY,
  GROUP,
  PLACE,
  PLACE_FRAME,
  STREAM,
  STREAM_BUFFERS,
  STREAM_GROUPS,
  type Segment,
} from "../domain/layout.js";
import { raiseTo } from "../domain/table.js";
import { NAME_WORDS, nameWords } from "../domain/text.js";
import { DmaBufError } from "../errors.js";
import {
  forEachPlace,
  isStream,
  leaveConsumer,
  POLICY_NUMBER,
  ringProducer,
  takeConsumerPlace,
  type Policy,
  type StreamKey,
} from "./stream-slot.js";

/**
 * Consumers of a stream that share the work, in shared words. A group has no cursor: for each place of the ring it has a
 * claim, which says what the group has to do with the frame there.
 *
 * stream-group.1. A claim changes only under a hold of the place's buffer. Under a read hold a member takes it, from OPEN or
 *     from a dead agent to its own agent, by one compare-exchange: so each frame is one member's, and that of a dead one
 *     is open to the others without any reaper's help.
 * stream-group.2. Who has a claim ends it before the hold: it is DONE if the frame was given back, and OPEN again if its
 *     member left without giving it back.
 * stream-group.3. The producer empties the claims of a place under the write hold, when the place is empty and before it is
 *     full again: an agent that dies in between leaves no frame that is done as one that is not.
 * stream-group.4. With policy BLOCK, a producer keeps a frame until each group with a live member has DONE it. It looks
 *     at that again under the write hold (stream-slot.1). A group without a live member is in no one's way, and goes on
 *     where it was when it has one again.
 * stream-group.5. A member takes the lowest number first of what is open, or the highest with policy NEWEST, which then
 *     leaves out what is lower than what was taken (TAKEN).
 * stream-group.6. A stream has ended for a member when its group has done all frames that there are, besides those that the
 *     member itself has: another one may die, or leave. Who gives a frame up rings, and who does one of an ended stream.
 * stream-group.7. A member that begins to wait takes a turn, and keeps it until it has a frame. A member takes a frame if
 *     there are more than members with an earlier turn. If those do not come for TURN_MS, they lose their turns: so one
 *     that is stopped delays one frame by that time, and no further one until it has waited again.
 * stream-group.8. A group is taken by its name, word by word: each word is stored once, none is 0, and who finds another
 *     word there goes on to the next group. So all find the same one, however many look at once. A group stays as long
 *     as its stream, and so does its policy.
 * stream-group.9. GROUP of a member is stored before its POLICY: from then on its group is counted (stream-slot.8).
 */

/** A member's place. */
export interface JoinedGroup {
  readonly word: number;
  /** The number of its group. */
  readonly group: number;
}

/**
 * Takes a free consumer's place for a member of a group.
 *
 * @throws {DmaBufError} `ENOSPC` if there is none, or no group; `ESTALE` if the slot has moved on to another stream;
 *   `EINVAL` if the group has another policy.
 */
export function joinGroup(member: Member, key: StreamKey, name: string, policy: Policy): JoinedGroup {
  const { memory } = member;
  // Its place keeps the stream's slot from being taken again while it finds its group (stream-slot.7).
  const word = takeConsumerPlace(member, key);
  try {
    const group = findGroup(member, key.slot, name);
    checkPolicy(member, groupWord(member, key.slot, group), name, policy);
    memory.store(word + CONSUMER.GROUP, group);
    memory.store(word + CONSUMER.TURN, 0);
    // SYNC POINT group-before-policy (stream-group.9).
    memory.store(word + CONSUMER.POLICY, CONSUMER_POLICY.SHARED);
    ringProducer(member, key.slot);
    return { word, group };
  } catch (error) {
    leaveConsumer(member, key.slot, word);
    throw error;
  }
}

/** The number of a group, by its name (stream-group.8). */
export function findGroup(member: Member, slot: number, name: string): number {
  const { memory, layout } = member;
  const words = nameWords(name, 0xff);
  for (let group = 0; group < STREAM_GROUPS; group++) {
    raiseTo(memory, layout.stream(slot) + STREAM.GROUPS_USED, group + 1);
    const start = groupWord(member, slot, group) + GROUP.NAME;
    let i = 0;
    while (i < NAME_WORDS && [0, words[i]].includes(memory.compareExchange(start + i, 0, words[i]!))) i++;
    if (i === NAME_WORDS) return group;
  }
  throw new DmaBufError("ENOSPC", `Cannot join group "${name}": the stream has had ${STREAM_GROUPS} others`);
}

function checkPolicy({ memory }: Segment, group: number, name: string, policy: Policy): void {
  const number = POLICY_NUMBER[policy];
  const given = memory.compareExchange(group + GROUP.POLICY, 0, number);
  if (given === 0 || given === number) return;
  throw new DmaBufError("EINVAL", `Cannot join group "${name}" with policy "${policy}": it has another`);
}

/** How many frames were dropped before a member of the group had done them. Modulo 2³². */
export function missedByGroup(segment: Segment, slot: number, group: number): number {
  return segment.memory.load(groupWord(segment, slot, group) + GROUP.MISSED);
}

/** Ends a member's wait without a frame: others no longer give way to it. */
export function endTurn({ memory }: Segment, word: number): void {
  memory.store(word + CONSUMER.TURN, 0);
}

/** The agents of the groups that may miss no frame and have not done all: who has a frame, or else who could take it. */
export function slowMembers(segment: Segment, key: StreamKey): Identity[] {
  const { memory, layout } = segment;
  const base = layout.stream(key.slot);
  const slow: Identity[] = [];
  const used = Math.min(memory.load(base + STREAM.GROUPS_USED), STREAM_GROUPS);
  for (let group = 0; group < used; group++) {
    const start = groupWord(segment, key.slot, group);
    if (memory.load(start + GROUP.POLICY) !== CONSUMER_POLICY.BLOCK) continue;
    for (let place = 0; place < STREAM_BUFFERS; place++) {
      const frame = memory.load(base + layout.STREAM.PLACES + place * PLACE.WORDS + PLACE.FRAME);
      const claim = memory.load(start + GROUP.CLAIMS + place);
      if (PLACE_FRAME.full.in(frame) === 0 || claim === CLAIM.DONE) continue;
      if (isLive(segment, claim)) slow.push(claim);
      else slow.push(...membersOf(segment, key.slot, group));
    }
  }
  return isStream(segment, key) ? slow : [];
}

/** The agents of a group's members. */
export function membersOf(segment: Segment, slot: number, group: number): Identity[] {
  const { memory } = segment;
  const members: Identity[] = [];
  forEachPlace(segment, slot, (word) => {
    const owner = memory.load(word + CONSUMER.OWNER);
    if (memory.load(word + CONSUMER.POLICY) !== CONSUMER_POLICY.SHARED) return;
    if (memory.load(word + CONSUMER.GROUP) !== group || memory.load(word + CONSUMER.OWNER) !== owner) return;
    if (isLive(segment, owner)) members.push(owner);
  });
  return members;
}

/** Where a group is. */
export function groupWord({ layout }: Segment, slot: number, group: number): number {
  return layout.stream(slot) + layout.STREAM.SHARING + group * GROUP.WORDS;
}
