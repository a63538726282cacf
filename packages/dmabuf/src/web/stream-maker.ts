import type { FrameStream, StreamOptions } from "../stream/frame-stream.js";
import { having } from "./method-kind.js";

/** A domain, of `dmabuf` or of `dmabuf/streams`: what of it makes streams. */
export interface StreamMaker {
  /** Makes a stream that this thread produces. */
  createStream(options: StreamOptions): FrameStream;
}

export const STREAM_MAKER = /* @__PURE__ */ having("createStream", "a Domain");
