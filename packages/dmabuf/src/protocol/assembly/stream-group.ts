import { isLive, ringAll } from "./agent-slot";
import { setBit } from "./bits";
import { armHold, leaveReaders, tryRead } from "./hold";
import {
  CLAIM,
  CONSUMER,
  CONSUMER_POLICY,
  FOUND,
  GROUP,
  IDENTITY,
  PLACE_FRAME,
  STREAM,
  STREAM_CONSUMERS,
  STREAM_GROUPS,
  USAGE_LEVEL,
} from "./layout";
import {
  bufferOf,
  frameAt,
  frameIn,
  hasEnded,
  isBefore,
  isReady,
  NONE,
  numberIn,
  placeIn,
  streamAt,
} from "./stream-place";
import { addWord, compareExchange, loadWord, storeWord } from "./words";

/** Consumers of a stream that share the work; see stream/stream-group.ts for the rules. */

/** While it is 0, a producer looks at nothing else here. */
export function groupsUsed(stream: i32): i32 {
  return <i32>min(<u32>loadWord(streamAt(stream) + STREAM.GROUPS_USED), <u32>STREAM_GROUPS);
}

function groupAt(stream: i32, group: i32): i32 {
  return streamAt(stream) + STREAM.SHARING + group * GROUP.WORDS;
}

/** The group of a member, by the first word of its consumer's place. */
function groupOf(consumer: i32): i32 {
  return <i32>min(<u32>loadWord(consumer + CONSUMER.GROUP), <u32>(STREAM_GROUPS - 1));
}

function claimAt(stream: i32, group: i32, place: i32): i32 {
  return groupAt(stream, group) + GROUP.CLAIMS + place;
}

function consumersUsed(stream: i32): i32 {
  return <i32>min(<u32>loadWord(streamAt(stream) + STREAM.CONSUMERS_USED), <u32>STREAM_CONSUMERS);
}

function consumerAt(stream: i32, index: i32): i32 {
  return streamAt(stream) + STREAM.JOINED + index * CONSUMER.WORDS;
}

/**
 * The groups that hold the producer, a bit for each: their policy is so, and they have a live member (stream-group.4).
 *
 * @param membersOf An agent, for the groups that have no other agent's member; or 0 for all.
 */
export function groupsKeeping(stream: i32, membersOf: i32): i32 {
  let keeping = 0;
  let others = 0;
  const used = consumersUsed(stream);
  for (let i = 0; i < used; i++) {
    const word = consumerAt(stream, i);
    if (loadWord(word + CONSUMER.POLICY) != CONSUMER_POLICY.SHARED) continue;
    // SYNC POINT group-before-policy: pairs with joinGroup().
    const group = groupOf(word);
    if (loadWord(groupAt(stream, group) + GROUP.POLICY) != CONSUMER_POLICY.BLOCK) continue;
    const owner = loadWord(word + CONSUMER.OWNER);
    if (!isLive(owner)) continue;
    if (membersOf == 0 || owner == membersOf) keeping |= 1 << group;
    else others |= 1 << group;
  }
  return keeping & ~others;
}

/** Whether one of these groups has not done the frame of a place. */
export function isKept(stream: i32, place: i32, groups: i32): bool {
  for (let rest = groups; rest != 0; rest &= rest - 1) {
    if (loadWord(claimAt(stream, ctz(rest), place)) != CLAIM.DONE) return true;
  }
  return false;
}

/** Makes a place open to all groups, for its next frame; under the write hold of its buffer, when it is empty. */
export function emptyClaims(stream: i32, place: i32): void {
  const groups = groupsUsed(stream);
  for (let group = 0; group < groups; group++) {
    const word = claimAt(stream, group, place);
    if (loadWord(word) != CLAIM.DONE) addWord(groupAt(stream, group) + GROUP.MISSED, 1);
    storeWord(word, CLAIM.OPEN);
  }
}

/**
 * Takes the frame that a group wants most for a member, by a read hold of its buffer and its claim.
 *
 * @param consumer The first word of the member's place.
 * @param reads A bit for each place whose buffer its agent reads already.
 * @param own A bit for each place whose frame this member has.
 * @returns FOUND.
 */
export function takeShared(
  stream: i32,
  generation: i32,
  consumer: i32,
  places: i32,
  reads: i32,
  own: i32,
  identity: i32,
): i32 {
  // The end is read first: what was published before it is then seen below.
  const isOver = hasEnded(stream, generation);
  const group = groupOf(consumer);
  const policy = loadWord(groupAt(stream, group) + GROUP.POLICY);
  let passed = 0;
  let isBusy = false;
  let frame = wanted(stream, group, policy, places, passed);
  if (frame != NONE && !isItsTurn(stream, consumer, group, policy, places)) return FOUND.NOT_YET;
  while (frame != NONE && !isBusy) {
    const place = placeIn(frame);
    const buffer = bufferOf(stream, place);
    const isHeld = ((reads >>> place) & 1) != 0;
    if (isHeld || tryRead(buffer, identity)) {
      // SYNC POINT hold-before-claim: the frame is still that one, and stays it (stream-group.1).
      if (frameIn(stream, place) == numberIn(frame) && claim(stream, group, policy, place, numberIn(frame), identity)) {
        if (policy == CONSUMER_POLICY.NEWEST) moveOn(groupAt(stream, group) + GROUP.TAKEN, numberIn(frame));
        storeWord(consumer + CONSUMER.TURN, 0);
        return place + (isReady(buffer, USAGE_LEVEL.WRITE) ? FOUND.READY : 0);
      }
      if (!isHeld) leaveReaders(buffer, identity);
    } else {
      isBusy = policy == CONSUMER_POLICY.BLOCK;
    }
    passed |= 1 << place;
    frame = wanted(stream, group, policy, places, passed);
  }
  // stream-group.6
  return isOver && !isOutstanding(stream, consumer, places, own) ? FOUND.ENDED : FOUND.NONE;
}

/**
 * Of the frames that a group has not done, and no live agent has for it, the one that it wants most.
 *
 * @param passed A bit for each place that is not looked at.
 */
function wanted(stream: i32, group: i32, policy: i32, places: i32, passed: i32): f64 {
  // SYNC POINT published-before-places: a place that is filled while we look might be seen without an earlier frame
  // (stream-slot.2).
  const end = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  const isNewest = policy == CONSUMER_POLICY.NEWEST;
  let best = NONE;
  let bestFrame = 0;
  for (let place = 0; place < places; place++) {
    if (((passed >>> place) & 1) != 0) continue;
    const frame = frameIn(stream, place);
    if (frame == NONE || !isBefore(frame, end)) continue;
    if (best != NONE && isBefore(bestFrame, frame) != isNewest) continue;
    if (!isOpen(stream, group, policy, frame, loadWord(claimAt(stream, group, place)))) continue;
    best = place;
    bestFrame = frame;
  }
  return best == NONE ? NONE : frameAt(bestFrame, best);
}

/** Whether a member may take a frame that has this claim. */
function isOpen(stream: i32, group: i32, policy: i32, frame: i32, claim: i32): bool {
  if (claim == CLAIM.DONE) return false;
  if (claim != CLAIM.OPEN) return !isLive(claim);
  if (policy != CONSUMER_POLICY.NEWEST) return true;
  const taken = loadWord(groupAt(stream, group) + GROUP.TAKEN);
  return PLACE_FRAME.full(taken) == 0 || isBefore(PLACE_FRAME.number(taken), frame);
}

/** Claims the frame of a place, under a hold of its buffer. Returns false if another member was quicker. */
function claim(stream: i32, group: i32, policy: i32, place: i32, frame: i32, identity: i32): bool {
  const word = claimAt(stream, group, place);
  const claim = loadWord(word);
  return isOpen(stream, group, policy, frame, claim) && compareExchange(word, claim, identity) == claim;
}

/** Raises the number of the latest frame that was taken. */
function moveOn(word: i32, frame: i32): void {
  const mark = PLACE_FRAME.ofFull(1) | PLACE_FRAME.ofNumber(frame);
  for (;;) {
    const taken = loadWord(word);
    if (PLACE_FRAME.full(taken) != 0 && !isBefore(PLACE_FRAME.number(taken), frame)) return;
    if (compareExchange(word, taken, mark) == taken) return;
  }
}

/** Whether there are more frames than members that come before this one (stream-group.7). */
function isItsTurn(stream: i32, consumer: i32, group: i32, policy: i32, places: i32): bool {
  const before = membersBefore(stream, consumer, false);
  if (before == 0) return true;
  // Who takes the newest frame takes all that are older.
  if (policy == CONSUMER_POLICY.NEWEST) return false;
  const end = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  let open = 0;
  for (let place = 0; place < places; place++) {
    const frame = frameIn(stream, place);
    if (frame == NONE || !isBefore(frame, end)) continue;
    if (isOpen(stream, group, policy, frame, loadWord(claimAt(stream, group, place)))) open++;
  }
  return open > before;
}

/**
 * How many members of its group wait for longer than this one.
 *
 * @param passOver Whether they lose their turn by that.
 */
function membersBefore(stream: i32, consumer: i32, passOver: bool): i32 {
  const group = groupOf(consumer);
  const turn = loadWord(consumer + CONSUMER.TURN);
  const used = consumersUsed(stream);
  let before = 0;
  for (let i = 0; i < used; i++) {
    const word = consumerAt(stream, i);
    if (word == consumer || loadWord(word + CONSUMER.POLICY) != CONSUMER_POLICY.SHARED) continue;
    if (groupOf(word) != group) continue;
    const other = loadWord(word + CONSUMER.TURN);
    if (other == 0 || (turn != 0 && turn - other < 0) || !isLive(loadWord(word + CONSUMER.OWNER))) continue;
    if (passOver) compareExchange(word + CONSUMER.TURN, other, 0);
    before++;
  }
  return before;
}

/** Takes the turns of those that wait for longer than a member, and have not come. */
export function passOver(stream: i32, consumer: i32): void {
  membersBefore(stream, consumer, true);
}

/** Begins to wait, unless the member waits already. */
function takeTurn(stream: i32, consumer: i32): void {
  if (loadWord(consumer + CONSUMER.TURN) != 0) return;
  const turns = groupAt(stream, groupOf(consumer)) + GROUP.TURNS;
  let turn = addWord(turns, 1) + 1;
  if (turn == 0) turn = addWord(turns, 1) + 1;
  storeWord(consumer + CONSUMER.TURN, turn);
}

/** Makes sure that a member is rung when there may be a frame for it. */
export function armShared(stream: i32, consumer: i32, places: i32, identity: i32): void {
  setBit(streamAt(stream) + STREAM.WAITERS, IDENTITY.slot(identity));
  takeTurn(stream, consumer);
  const group = groupOf(consumer);
  const policy = loadWord(groupAt(stream, group) + GROUP.POLICY);
  let passed = 0;
  let frame = wanted(stream, group, policy, places, passed);
  while (frame != NONE) {
    armHold(bufferOf(stream, placeIn(frame)), identity);
    passed |= 1 << placeIn(frame);
    frame = wanted(stream, group, policy, places, passed);
  }
}

/** Looks up to so many times whether there may be a frame for a member, or the stream has ended. */
export function spinShared(stream: i32, generation: i32, consumer: i32, places: i32, looks: i32): void {
  takeTurn(stream, consumer);
  const group = groupOf(consumer);
  const policy = loadWord(groupAt(stream, group) + GROUP.POLICY);
  for (; looks > 0; looks--) {
    if (wanted(stream, group, policy, places, 0) != NONE || hasEnded(stream, generation)) return;
  }
}

/** Whether there is a frame that the group of a member has not done, besides those that the member itself has. */
export function isOutstanding(stream: i32, consumer: i32, places: i32, own: i32): bool {
  const group = groupOf(consumer);
  const policy = loadWord(groupAt(stream, group) + GROUP.POLICY);
  // What a producer that has died had not announced, no member gets.
  const end = loadWord(streamAt(stream) + STREAM.PUBLISHED);
  for (let place = 0; place < places; place++) {
    const frame = frameIn(stream, place);
    if (frame == NONE || !isBefore(frame, end) || ((own >>> place) & 1) != 0) continue;
    const claim = loadWord(claimAt(stream, group, place));
    if (claim == CLAIM.DONE) continue;
    if (claim != CLAIM.OPEN || isOpen(stream, group, policy, frame, claim)) return true;
  }
  return false;
}

/**
 * Ends the claim of a frame that an agent has for a group, before it ends the hold.
 *
 * @param isDone Whether the frame is done; if not, another member gets it.
 */
export function endClaim(stream: i32, generation: i32, group: i32, place: i32, isDone: bool, identity: i32): void {
  // The slot may be another stream's by now, of which the agent is a member, too.
  if (loadWord(streamAt(stream) + STREAM.GENERATION) != generation) return;
  compareExchange(claimAt(stream, group, place), identity, isDone ? CLAIM.DONE : CLAIM.OPEN);
  // stream-group.6
  if (!isDone || hasEnded(stream, generation)) ringAll(streamAt(stream) + STREAM.WAITERS);
}
