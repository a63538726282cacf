import { check, handleTo, isHandle, isName } from "../arguments.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { BufferHandle } from "../buffer/handle.js";
import { STREAM_BUFFERS } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import type { FrameFormat } from "./format.js";
import { metadataOffset, metadataSize } from "./metadata.js";
import { formatDamage } from "./received-format.js";

/** A stream as a thing to send to another agent; it carries the storage of its buffers. */
export interface StreamHandle {
  readonly domain: string;
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
  readonly format: FrameFormat;
  readonly dataBytes: number;
  readonly buffers: readonly BufferHandle[];
}

/** Bytes of a stream's buffers: the frame, and its metadata behind it. */
export function frameBufferSize(format: FrameFormat, dataBytes: number): number {
  return metadataOffset(format.size) + metadataSize(dataBytes);
}

/** @throws {DmaBufError} `EINVAL` unless the frames, with their metadata, lie in one piece of the buffer. */
export function checkFrameBuffer({ storage }: DmaBuf, { format, dataBytes }: StreamHandle): void {
  const least = frameBufferSize(format, dataBytes);
  const { segments } = storage;
  if (segments.length === 1 && segments[0]!.length >= least) return;
  const lengths = segments.map(({ length }) => length).join(" + ");
  refuse(`a buffer has ${lengths} bytes, a frame needs ${least} in one piece`);
}

const HANDLE = handleTo("a stream", "handle() of the FrameStream", isHandle);

/**
 * A handle comes from user code or from another process. Its buffers' own handles are checked when they are
 * imported, and the buffers by {@link checkFrameBuffer}.
 *
 * @param streams How many slots the domain has for streams.
 * @throws {DmaBufError} `EINVAL` naming the field that is damaged.
 */
export function checkStreamHandle(handle: unknown, streams: number): asserts handle is StreamHandle {
  check("Domain.openStream()", "handle", handle, HANDLE);
  const { domain, slot, generation, name, format, dataBytes, buffers } = handle as Partial<StreamHandle>;
  const damage = formatDamage(format);
  const fields = {
    domain: typeof domain === "string",
    slot: isCount(slot) && slot < streams,
    generation: Number.isSafeInteger(generation),
    name: typeof name === "string" && isName(name),
    dataBytes: isCount(dataBytes),
    buffers: Array.isArray(buffers) && buffers.length >= 1 && buffers.length <= STREAM_BUFFERS,
  };
  for (const [field, intact] of Object.entries(fields)) if (!intact) refuse(`"${field}" of its handle is damaged`);
  if (damage !== undefined) refuse(`its format is damaged: ${damage}`);
}

function refuse(reason: string): never {
  throw new DmaBufError("EINVAL", `Cannot open the stream: ${reason}`);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
