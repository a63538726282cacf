import { isCount } from "../../arguments.js";
import type { HandleMode } from "../../buffer/handle.js";
import type { Sizes } from "../../domain/layout.js";
import { checkStreamHandle, type StreamHandleData } from "../../stream/stream-handle.js";

/** What agents of different processes tell each other. */
export type Message =
  StorageMessage | AskForStorage | NoStorage | StreamMessage | AskForStreams | DescriptorMessage | AskForDescriptor;

/** Which memory: a buffer's after so many moves, and what may be done with it. */
export interface StorageName {
  readonly slot: number;
  readonly generation: number;
  readonly version: number;
  readonly mode: HandleMode;
}

/** The memory of a buffer. Its files come with it as descriptors, in the order of `segments`. */
export interface StorageMessage extends StorageName {
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

/** The answer of an agent that does not have what was asked for. */
export interface NoStorage extends StorageName {
  readonly kind: "no storage";
}

/** The sender produces this stream; any agent may consume it. */
interface StreamMessage {
  readonly kind: "stream";
  readonly handle: StreamHandleData;
}

/** To all: the sender would like to know which streams there are. */
interface AskForStreams {
  readonly kind: "ask for streams";
}

/** What the sender offers by this name, one descriptor. */
interface DescriptorMessage {
  readonly kind: "descriptor";
  readonly name: string;
}

/** To all: the sender would like to have what is offered by this name. */
interface AskForDescriptor {
  readonly kind: "ask for descriptor";
  readonly name: string;
}

/**
 * A message as it came.
 *
 * @param descriptors How many came with it.
 * @param sizes How many buffers and streams the domain can have.
 * @throws {TypeError} Naming what is damaged. @throws {DmaBufError} `EINVAL` for a damaged handle.
 */
export function parseMessage(value: unknown, descriptors: number, sizes: Pick<Sizes, "buffers" | "streams">): Message {
  const message = fieldsOf(value, "it");
  const most = message.kind === "storage" ? Infinity : message.kind === "descriptor" ? 1 : 0;
  if (descriptors > most) throw new TypeError(`it has ${descriptors} descriptors, and is about ${most}`);
  switch (message.kind) {
    case "storage":
      return storageMessage(message, descriptors, sizes.buffers);
    case "ask for storage":
    case "no storage":
      return { kind: message.kind, ...nameOf(message, sizes.buffers) };
    case "stream":
      return { kind: message.kind, handle: streamHandle(message.handle, sizes.streams) };
    case "ask for streams":
      return { kind: message.kind };
    case "descriptor":
      if (descriptors !== 1) throw new TypeError("it has no descriptor");
      return { kind: message.kind, name: textOf(message.name) };
    case "ask for descriptor":
      return { kind: message.kind, name: textOf(message.name) };
    default:
      throw new TypeError(`it is of the kind ${JSON.stringify(message.kind)}, which is not known`);
  }
}

function streamHandle(value: unknown, streams: number): StreamHandleData {
  checkStreamHandle(value, streams);
  return value;
}

function storageMessage(message: Fields, descriptors: number, buffers: number): StorageMessage {
  const { segments } = message;
  if (!Array.isArray(segments) || segments.length === 0 || segments.length !== descriptors) {
    throw new TypeError(`"segments" does not match the ${descriptors} descriptors`);
  }
  const isOwned = message.isOwned === true;
  return { kind: "storage", ...nameOf(message, buffers), isOwned, segments: segments.map(segmentOf) };
}

function segmentOf(value: unknown): FileSegment {
  const { offset, length } = fieldsOf(value, "a segment");
  if (!isCount(offset) || !isCount(length) || length === 0) throw new TypeError("a segment's bounds are damaged");
  return { offset, length };
}

function nameOf({ slot, generation, version, mode }: Fields, buffers: number): StorageName {
  if (!isCount(slot) || slot >= buffers || !isCount(generation)) throw new TypeError("it names no buffer");
  if (!Number.isInteger(version)) throw new TypeError('"version" is damaged');
  if (mode !== "read" && mode !== "read-write") throw new TypeError('"mode" is damaged');
  return { slot, generation, version: version as number, mode };
}

function textOf(name: unknown): string {
  if (typeof name !== "string") throw new TypeError('"name" is damaged');
  return name;
}

/** What a message may have; nothing of it is sure. */
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
  readonly name?: unknown;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} is no object`);
  return value;
}
