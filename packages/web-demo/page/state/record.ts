import { signal } from "@preact/signals";
import type { RecordOrder, RecordReport } from "../shared/messages.js";
import { Member } from "./member.js";
import { choose, feed } from "./session.js";
import { clear, say, sayError } from "./troubles.js";
import { able } from "./world.js";

export const SECONDS = 5;

export type RecordState = "none" | "recording" | "recorded";

export const recordState = signal<RecordState>("none");
/** What the file has; the frames of one that was cut short are not counted. */
export interface Recording {
  readonly frames?: number;
  readonly bytes: number;
}

export const recording = signal<Recording | undefined>(undefined);

const recorder = new Member<RecordReport>("recorder", {
  onReport: (report) => {
    if (report.kind === "trouble") {
      const { bytes } = report;
      if (bytes !== undefined) recording.value = bytes > 0 ? { bytes } : undefined;
      recordState.value = recording.peek() === undefined ? "none" : "recorded";
      return say("record", report.trouble);
    }
    recording.value = { frames: report.frames, bytes: report.bytes };
    recordState.value = "recorded";
  },
  onJoined: tell,
  onFailed: (error) => {
    recordState.value = "none";
    sayError("record", error);
  },
});

export function record(): void {
  clear("record");
  const { has, reason, remedy } = able.opfs;
  if (!has) return sayError("record", new Error(reason ?? "This browser has no file system of pages (OPFS)."), remedy);
  if (feed.peek() === undefined) return sayError("record", new Error("There are no pictures yet."), "Play first.");
  recordState.value = "recording";
  if (recorder.isRunning) tell();
  else void recorder.start();
}

export function replay(): void {
  choose({ kind: "recording" });
}

function tell(): void {
  const stream = feed.peek()?.stream;
  if (stream === undefined || stream.isClosed) return;
  const order: RecordOrder = { kind: "record", handle: stream.handle(), seconds: SECONDS };
  recorder.order(order);
}
