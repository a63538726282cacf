import { BUFFER, COUNT, ONE_SHOT, START, TIMELINE } from "./layout";

/** Where the slots of the tables are that several protocols look at. */

export function bufferAt(slot: i32): i32 {
  return START.buffers + slot * BUFFER.WORDS;
}

/** Fence slots are numbered through: the timelines first, then the one-shots. */
export function isTimeline(slot: i32): bool {
  return slot < COUNT.timelines;
}

export function timelineAt(slot: i32): i32 {
  return START.timelines + slot * TIMELINE.WORDS;
}

export function oneShotAt(slot: i32): i32 {
  return START.oneShots + (slot - COUNT.timelines) * ONE_SHOT.WORDS;
}
