import { check, checkObject, FUNCTION, isObject, required, type Kind, type Kinds } from "../arguments.js";
import type { PublishedFrame } from "./frame.js";

/** What gives frames, one after the other: a `Consumer`, a `Follower` or a `StreamViewer`. */
export interface FrameSource {
  /** The next frame; `undefined` once there are no more. */
  next(): Promise<PublishedFrame | undefined>;
  /** Leaves, and ends a `next()` that waits. */
  close(): void;
}

const SOURCE: Kind = { wanted: "a Consumer, or what else gives frames by next()", isKind: isObject };
const METHODS: Kinds<FrameSource> = { next: required(FUNCTION), close: required(FUNCTION) };

/** @throws {TypeError} If it is none. */
export function checkSource(call: string, source: FrameSource): void {
  check(call, "source", source, SOURCE);
  checkObject(call, "source", source, METHODS);
}

/** The next frame that has any bytes: a chunk without is the end, or an error, for some streams. */
export async function nextWithBytes(source: FrameSource): Promise<PublishedFrame | undefined> {
  for (;;) {
    const frame = await source.next();
    if (frame === undefined || frame.bytes.length > 0) return frame;
    frame.close();
  }
}
