import { testEntries } from "./entries";
import { BUFFER, COUNT, PLACE, PLACE_FRAME, START, STREAM, STREAM_BUFFERS, STREAM_END } from "./layout";
import { bufferAt } from "./places";
import { loadWord } from "./words";

/** The places of a stream's ring, and the frames in them. */

/** Instead of a frame's number, or a place. */
export const NONE = -1;

export function streamAt(slot: i32): i32 {
  return START.streams + slot * STREAM.WORDS;
}

export function placeAt(stream: i32, place: i32): i32 {
  return streamAt(stream) + STREAM.PLACES + place * PLACE.WORDS;
}

/** Where a frame is if the ring was filled in order: a search begins there. */
export function firstLook(frame: i32, places: i32): i32 {
  return <i32>(<u32>frame % <u32>places);
}

export function nextLook(place: i32, places: i32): i32 {
  return place + 1 == places ? 0 : place + 1;
}

/** The slot of a place's buffer; some slot, if that is damaged. */
export function bufferOf(stream: i32, place: i32): i32 {
  return <i32>min(<u32>loadWord(placeAt(stream, place) + PLACE.BUFFER), <u32>(COUNT.buffers - 1));
}

/** Of numbers of frames 31 bits count. */
export function distance(from: i32, to: i32): i32 {
  return ((to - from) << 1) >> 1;
}

export function isBefore(frame: i32, other: i32): bool {
  return distance(other, frame) < 0;
}

/** The number of the frame that a place holds, or NONE. For good only under a hold of its buffer (stream-slot.1). */
export function frameIn(stream: i32, place: i32): i32 {
  const frame = loadWord(placeAt(stream, place) + PLACE.FRAME);
  return PLACE_FRAME.full(frame) == 0 ? NONE : PLACE_FRAME.number(frame);
}

export function hasEnded(stream: i32, generation: i32): bool {
  const end = loadWord(streamAt(stream) + STREAM.END);
  return loadWord(streamAt(stream) + STREAM.GENERATION) != generation || STREAM_END.end(end) != 0;
}

/** A frame and its place, in one number. */
export function frameAt(frame: i32, place: i32): f64 {
  return <f64>frame * <f64>STREAM_BUFFERS + <f64>place;
}

export function numberIn(frame: f64): i32 {
  return <i32>(frame / <f64>STREAM_BUFFERS);
}

export function placeIn(frame: f64): i32 {
  return <i32>(frame - <f64>numberIn(frame) * <f64>STREAM_BUFFERS);
}

/** Whether a buffer that is held may be used at once: work up to a level has finished, and its storage was never moved. */
export function isReady(buffer: i32, level: i32): bool {
  return testEntries(buffer, level, true) == 1 && loadWord(bufferAt(buffer) + BUFFER.VERSION) == 0;
}
