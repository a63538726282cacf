import type { Kind } from "../arguments.js";
import { FrameBytes } from "../stream/frame.js";

/** What an argument `frame` must be. */
export const FRAME: Kind = { wanted: "a frame", isKind: (value) => value instanceof FrameBytes };
