import type { Colour } from "../video.js";
import type { Picture } from "../picture.js";

/** What one consumer does with the frames. The same code runs over the frame stream and over `postMessage`. */
export interface Job {
  /** Of its module, if it has one: pictures may be in it. */
  readonly memory?: WebAssembly.Memory;
  /** Before the first frame; what comes back goes to the program that started the consumer. */
  start?(): Promise<Started>;
  /**
   * Looks at one frame, which is lent until this returns; a promise then says when the job wants the next one.
   */
  look(picture: Picture): Promise<void> | undefined;
  /** News of this and other jobs, for a job that shows them. */
  hear?(note: Note): void;
  /** The latest news of this job, a few times a second. */
  note?(): Note | undefined;
  /** After the last frame. */
  finish(): Promise<Findings>;
}

export interface Started {
  /** Where a person can watch. */
  readonly url?: string;
}

/** What a job found, for the report. */
export interface Findings {
  /** For people, in a few words. */
  readonly summary: string;
  /** For programs. */
  readonly values: Readonly<Record<string, number | string>>;
}

/** Small news, sent between consumers and to the preview's page as JSON. */
export type Note = MotionNote | HistogramNote | ThumbnailNote;

export interface MotionNote {
  readonly kind: "motion";
  readonly sequence: number;
  /** Share of the picture that moves, 0 to 1. */
  readonly area: number;
  /** In pixels; absent when nothing moves. */
  readonly box?: Box;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface HistogramNote {
  readonly kind: "histogram";
  /** Mean luma, 0 to 255. */
  readonly mean: number;
  /** Pixels in each of 64 equal ranges of luma. */
  readonly bins: readonly number[];
}

export interface ThumbnailNote {
  readonly kind: "thumbnails";
  /** File names in the output directory, newest last; a few. */
  readonly latest: readonly string[];
  readonly count: number;
}

/** What a consumer is told of its job. */
export interface JobSettings {
  readonly name: JobName;
  readonly width: number;
  readonly height: number;
  readonly colour: Colour;
  /** Where thumbnails go. */
  readonly output: string;
  /** A thumbnail for every so many frames. */
  readonly every: number;
  /** The port for the preview's page, 0 for a free one; without it the preview has no page. */
  readonly port?: number;
  /** Where the checksums go; without it they are computed only. */
  readonly checksums?: string;
}

export type JobName = "motion" | "motion-simd" | "histogram" | "thumbnails" | "preview" | "checksums";
