/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Streams between threads, and fences to wait for: an entry for pages and workers whose bundle must be small.
 *
 * The names are those of `dmabuf`. A domain that this entry makes can be joined with `dmabuf` too, whose other features it
 * then refuses; a domain that `dmabuf` makes cannot be joined with this entry, which could not clean up after its members.
 *
 * @module
 */
export type { InviteOptions } from "./invite-options.js";
export type { WasmMemory } from "./substrate/wasm-memory.js";
export type { StreamDomainOptions as DomainOptions, Invitation } from "./thread-domain.js";
export type { MemberOptions as JoinOptions } from "./domain-base.js";
export { audioFormat, type AudioFormatOptions, type Samples, type SampleType } from "./stream/audio-format.js";
export {
  imageFormat,
  rawFormat,
  tensorFormat,
  type AudioLayout,
  type ElementType,
  type FrameFormat,
  type PixelFormat,
  type PlaneFormat,
  type Tensor,
} from "./stream/format.js";
export type { Consumer, ConsumerOptions } from "./stream/consumer.js";
export type { Loan, Frame, Plane, PublishOptions } from "./stream/frame.js";
export type { FrameStream, StreamOptions } from "./stream/frame-stream.js";
export type { StreamHandle, StreamHandleData } from "./stream/stream-handle.js";
export type { ReadFence, WaitResult } from "./fence/read-fence.js";
export type { PlainFenceHandle } from "./fence/fence-handle.js";
export type { FrameMetadata, JsonValue } from "./stream/metadata.js";
export type { ColorSpace, Picture, VisibleRect } from "./stream/picture.js";
export type { Policy } from "./stream/stream-slot.js";
export { DmaBufError, ERRNO, type ErrorCode, type PlainError } from "./errors.js";

import { PLAIN_BUFFERS } from "./buffer/plain-buffers.js";
import { READ_FENCES } from "./buffer/read-fences.js";
import { sharedMemory } from "./buffer/shared-memory.js";
import type { MemberOptions } from "./domain-base.js";
import type { PlainFenceHandle } from "./fence/fence-handle.js";
import type { ReadFence } from "./fence/read-fence.js";
import { STREAM_WORDS } from "./domain/stream-words.js";
import { STREAMS, type StreamMembers } from "./stream/feature.js";
import type { FrameStream } from "./stream/frame-stream.js";
import type { StreamHandleData } from "./stream/stream-handle.js";
import {
  createThreads,
  joinThreads,
  ThreadDomain,
  type StreamDomainOptions,
  type Invitation,
  type ThreadEntry,
  type ThreadParts,
} from "./thread-domain.js";

const PARTS: ThreadParts = {
  features: [READ_FENCES, PLAIN_BUFFERS, STREAMS],
  words: STREAM_WORDS,
  createCarrier: () => ({ carrier: sharedMemory }),
};

export interface Domain extends StreamMembers {
  /**
   * The stream or the fence that a handle is to, in this thread.
   *
   * @throws {DmaBufError} `EINVAL` if it is no such handle, damaged, or of another domain; `EOPNOTSUPP` if it is to a fence
   *   that is not a plain one, as an array of fences; `ESTALE` if the stream is gone; `EBADF` if this thread has left the
   *   domain.
   */
  import<Handle extends StreamHandleData | PlainFenceHandle>(
    handle: Handle,
  ): Handle extends StreamHandleData ? FrameStream : ReadFence;
}

/**
 * A domain of threads that share streams: it is a third as large as the whole library. Fences are made by members with all
 * of `dmabuf`: those on a frame are waited for, and those that are sent here can be read and waited for.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf/streams";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * using loan = await stream.loan();
 * loan?.publish({ data: "hello" });
 * using frame = await consumer.next();
 * console.log(frame?.data); // "hello"
 * ```
 */
export class Domain extends ThreadDomain {
  private constructor(entry: ThreadEntry) {
    super(entry, PARTS);
  }

  /**
   * Makes a domain, with the calling thread as its first agent.
   *
   * @param options The sizes of its tables, with room enough for most by default.
   * @throws {TypeError | RangeError} Naming the option that is wrong.
   * @throws {DmaBufError} `ENOMEM` if there is not so much memory; `EOPNOTSUPP` in a page that is not cross-origin isolated,
   *   or whose policy forbids WebAssembly, which `dmabuf` does without.
   */
  static create(options: StreamDomainOptions = {}): Domain {
    return new Domain(createThreads(options, PARTS));
  }

  /**
   * Joins the domain that another thread has invited this one to.
   *
   * @throws {DmaBufError} `EPROTO` if the domain's layout has another version, or it has features that are not in this
   *   entry; `ESTALE` if the invitation is void, because it was used before or its inviter has left; `EOPNOTSUPP` as for `create()`.
   * @throws {RangeError} Naming the option that is out of range.
   */
  static join(invitation: Invitation, options: MemberOptions = {}): Domain {
    return new Domain(joinThreads(invitation, options, PARTS));
  }
}
