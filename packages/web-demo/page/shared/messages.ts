import { DmaBufError, type FrameFormat, type StreamHandle, type StreamHandleData } from "dmabuf";

/** What the page and its workers tell each other. Frames are not among it, but in the mode that copies them. */

/** What a worker does. */
export type Role = "source" | "picture" | "motion" | "histogram" | "slow" | "tone" | "recorder";

/** The roles that look at every picture. */
export type LaneRole = "picture" | "motion" | "histogram";

export const LANE_ROLES: readonly LaneRole[] = ["picture", "motion", "histogram"];

/** What a worker gets with its invitation. */
export interface Start {
  readonly role: Role;
  /** Between the page and this worker. */
  readonly port: MessagePort;
  /** What the picture is drawn on. */
  readonly canvas?: OffscreenCanvas;
}

/** Where pictures come from. */
export type Choice =
  | { readonly kind: "pattern" }
  | { readonly kind: "clip" }
  | { readonly kind: "file"; readonly file: File }
  | { readonly kind: "recording" }
  | { readonly kind: "camera" };

/** What happens when a consumer is slower than the producer. */
export type Policy = "block" | "drop-oldest" | "newest";

/** As recorded, or as fast as it goes. */
export type Pace = "recorded" | "fast";

/** How frames reach the lanes. */
export type HandOver = "shared" | "copies";

/** To the source. */
export type SourceOrder =
  | { readonly kind: "play"; readonly choice: Choice; readonly memory: WebAssembly.Memory }
  | { readonly kind: "running"; readonly isRunning: boolean; readonly pace: Pace }
  /** From now on each frame is copied, and the copies are posted to these; with none, they are not. */
  | { readonly kind: "copies"; readonly ports: readonly MessagePort[] };

/** How pictures come into shared memory. */
export type Making = "decoded" | "taken" | "painted" | "read";

/** What a stream shows. */
export interface About {
  /** In words. */
  readonly text: string;
  readonly making: Making;
}

/** From the source. */
export type SourceReport =
  | { readonly kind: "stream"; readonly handle: StreamHandleData; readonly about: About }
  | { readonly kind: "switched"; readonly handOver: HandOver }
  | { readonly kind: "trouble"; readonly trouble: Trouble };

/** To a worker that looks at frames. */
export type LaneOrder =
  | {
      readonly kind: "stream";
      readonly handle: StreamHandle;
      readonly memory: WebAssembly.Memory;
      readonly policy?: Policy;
    }
  | { readonly kind: "copies"; readonly port: MessagePort; readonly format: FrameFormat }
  | { readonly kind: "nothing" }
  /** For the slow one: how long it keeps each frame. */
  | { readonly kind: "delay"; readonly ms: number };

/** From a worker that looks at frames, a few times a second. */
export interface Tick {
  readonly kind: "tick";
  /** Frames so far, of this stream. */
  readonly frames: number;
  readonly missed: number;
  /** How old a frame was when the lane was done with it, in milliseconds, on average since the last tick. */
  readonly age: number;
  /** How long the lane worked on a frame, likewise. */
  readonly work: number;
  /** What there is to draw: motion, levels, or the bins of a histogram. */
  readonly values?: readonly number[];
}

export type LaneReport =
  | Tick
  /** How the lane does its work, in this engine. */
  | { readonly kind: "how"; readonly how: string; readonly missing?: string }
  | { readonly kind: "ended"; readonly code?: string }
  | { readonly kind: "trouble"; readonly trouble: Trouble };

/** One frame of a lane's in the mode that copies. */
export interface PostedFrame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly publishedAt: number;
  readonly sequence: number;
  readonly timestamp: number;
}

/** From the worker that makes the tone. */
export interface ToneReport {
  readonly kind: "stream";
  readonly handle: StreamHandleData;
}

/** To the recorder. */
export interface RecordOrder {
  readonly kind: "record";
  readonly handle: StreamHandle;
  readonly seconds: number;
}

/** From the recorder. */
export type RecordReport =
  | { readonly kind: "recorded"; readonly frames: number; readonly bytes: number }
  /** With the bytes that were recorded until then; without, what was recorded before is there still. */
  | { readonly kind: "trouble"; readonly trouble: Trouble; readonly bytes?: number };

/** What did not work, and what helps. */
export interface Trouble {
  readonly what: string;
  readonly remedy?: string;
}

/** A trouble that an error is. */
export function troubleOf(error: unknown, remedy?: string): Trouble {
  const what = error instanceof DmaBufError ? error.toPlain().message : (error as Error).message;
  return remedy === undefined ? { what: sentence(what) } : { what: sentence(what), remedy: sentence(remedy) };
}

/** `Wait in a worker.` of `wait in a worker`. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return whole === "" || /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
