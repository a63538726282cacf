import { BUFFER_SLOTS, bufferInode } from "../../buffer/buffer-slot.js";
import { bufferName } from "../../domain/buffer-name.js";
import { STREAM, type Segment } from "../../domain/layout.js";
import { usedSlots } from "../../domain/table.js";
import { readName } from "../../domain/text.js";
import type { Thing } from "../../explain/thing.js";
import { hasProducer } from "../../stream/stream-slot.js";

/** What is asked about from outside, where there are no objects of a domain: by its name, or by a buffer's number. */
export type ObservedThing =
  | {
      /** The name of a buffer, or its number, which is `inode` in its statistics. */
      readonly buffer: string | number;
    }
  | {
      /** The name of a stream. */
      readonly stream: string;
    };

/** All that are meant; several things may have the same name. */
export function thingsNamed(segment: Segment, what: ObservedThing): Thing[] {
  return "buffer" in what ? buffersNamed(segment, what.buffer) : streamsNamed(segment, what.stream);
}

function buffersNamed(segment: Segment, wanted: string | number): Thing[] {
  const nameOf = typeof wanted === "number" ? bufferInode : bufferName;
  const slots = [...BUFFER_SLOTS.live(segment)].map(({ slot }) => slot);
  return slots.filter((slot) => nameOf(segment, slot) === wanted).map((slot) => ({ kind: "buffer", slot }));
}

/** What its producer waits for, and what its consumers do. */
function streamsNamed(segment: Segment, wanted: string): Thing[] {
  const { memory, layout } = segment;
  const keys = Array.from({ length: usedSlots(segment, "streams") }, (_, slot) => ({
    slot,
    generation: memory.load(layout.stream(slot) + STREAM.GENERATION),
  }));
  return keys
    .filter((key) => hasProducer(segment, key) && readName(memory, layout.stream(key.slot) + STREAM.NAME) === wanted)
    .flatMap((key): Thing[] => [
      { kind: "loan", ...key },
      { kind: "frame", ...key },
    ]);
}
