import type { HandleMode } from "../buffer/handle.js";
import type { StreamHandle } from "../stream/stream-handle.js";

/** What agents of different processes tell each other. */
export type Letter = StorageLetter | AskForStorage | NoStorage | StreamLetter | AskForStreams;

/** Which memory: a buffer's after so many moves, and what may be done with it. */
export interface StorageName {
  readonly slot: number;
  readonly generation: number;
  readonly version: number;
  readonly mode: HandleMode;
}

/** The memory of a buffer. Its files come with it as descriptors, in the order of `segments`. */
export interface StorageLetter extends StorageName {
  readonly kind: "storage";
  /** Whether the memory is the buffer's alone, and goes with it. */
  readonly isOwned: boolean;
  readonly segments: readonly FileSegment[];
}

/** A run of bytes in a file. */
export interface FileSegment {
  readonly offset: number;
  readonly length: number;
}

/** To all: the sender needs memory of this version or a newer one. */
export interface AskForStorage extends StorageName {
  readonly kind: "ask for storage";
}

/** The answer of one who has not what was asked for. */
export interface NoStorage extends StorageName {
  readonly kind: "no storage";
}

/** The sender produces this stream; anybody may consume it. */
export interface StreamLetter {
  readonly kind: "stream";
  readonly handle: StreamHandle;
}

/** To all: the sender would like to know which streams there are. */
export interface AskForStreams {
  readonly kind: "ask for streams";
}

/**
 * A letter as it came.
 *
 * @param descriptors How many came with it.
 * @throws {TypeError} Naming what is damaged.
 */
export function parseLetter(value: unknown, descriptors: number): Letter {
  const letter = fieldsOf(value, "it");
  if (letter.kind !== "storage" && descriptors > 0) throw new TypeError("it has descriptors, and is about no memory");
  switch (letter.kind) {
    case "storage":
      return storageLetter(letter, descriptors);
    case "ask for storage":
    case "no storage":
      return { kind: letter.kind, ...nameOf(letter) };
    case "stream":
      return { kind: letter.kind, handle: fieldsOf(letter.handle, '"handle"') as unknown as StreamHandle };
    case "ask for streams":
      return { kind: letter.kind };
    default:
      throw new TypeError(`it is of the kind ${JSON.stringify(letter.kind)}, which is not known`);
  }
}

function storageLetter(letter: Fields, descriptors: number): StorageLetter {
  const { segments } = letter;
  if (!Array.isArray(segments) || segments.length === 0 || segments.length !== descriptors) {
    throw new TypeError(`"segments" does not match the ${descriptors} descriptors`);
  }
  return { kind: "storage", ...nameOf(letter), isOwned: letter.isOwned === true, segments: segments.map(segmentOf) };
}

function segmentOf(value: unknown): FileSegment {
  const { offset, length } = fieldsOf(value, "a segment");
  if (!isCount(offset) || !isCount(length) || length === 0) throw new TypeError("a segment's bounds are damaged");
  return { offset, length };
}

function nameOf({ slot, generation, version, mode }: Fields): StorageName {
  if (!isCount(slot) || !isCount(generation)) throw new TypeError("it names no buffer");
  if (!Number.isInteger(version)) throw new TypeError('"version" is damaged');
  if (mode !== "read" && mode !== "read-write") throw new TypeError('"mode" is damaged');
  return { slot, generation, version: version as number, mode };
}

/** What a letter may have; nothing of it is sure. */
interface Fields {
  readonly kind?: unknown;
  readonly slot?: unknown;
  readonly generation?: unknown;
  readonly version?: unknown;
  readonly mode?: unknown;
  readonly isOwned?: unknown;
  readonly segments?: unknown;
  readonly offset?: unknown;
  readonly length?: unknown;
  readonly handle?: unknown;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} is no object`);
  return value;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
