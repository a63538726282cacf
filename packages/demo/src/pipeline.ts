import type { VideoDevice } from "dmabuf/linux";
import type { ConsumerReport } from "./consumer.js";
import type { JobName, JobSettings, Note } from "./jobs/job.js";
import type { Percentiles } from "./latency.js";
import { percentiles } from "./latency.js";
import type { Kills } from "./killer.js";
import type { Video } from "./video.js";

/** How frames reach a consumer that is slower than the producer. */
export type Policy = "block" | "newest";

/** The preview shows what is newest; the others must see every frame. */
export function policyOf(name: JobName): Policy {
  return name === "preview" ? "newest" : "block";
}

export interface PipelineOptions {
  readonly ffmpeg: string;
  /** Takes the place of ffmpeg. */
  readonly camera?: VideoDevice | undefined;
  readonly video: Video;
  readonly consumers: readonly JobSettings[];
  /** Each consumer is a process of its own instead of a thread. */
  readonly processes: boolean;
  /** Offer a page that shows the domain, where its domain can be seen from outside. */
  readonly inspect: boolean;
  /** Kill one of those processes every second, and start it again. */
  readonly kill: boolean;
  /** Send each frame's checksum and the time of its publication with it, and compare. Default: where some are killed. */
  readonly withData?: boolean;
  /** Frames that may be under way at a time. */
  readonly buffers: number;
  readonly frames: number | undefined;
  readonly loop: boolean;
  readonly realTime: boolean;
  /** Ends the run with its reason. */
  readonly signal: AbortSignal;
  /** Ends the video here, as if it ended; the run goes on to its report. */
  readonly stop: AbortSignal;
  readonly onNote: (note: Note) => void;
  readonly onUrl: (url: string) => void;
  /** @param url Of the inspector; or why there is none. */
  readonly onInspector: (url: string) => void;
  readonly onFrame: (frames: number) => void;
}

export interface PipelineResult {
  readonly frames: number;
  readonly framesPerSecond: number;
  /** Over all consumers, in microseconds. */
  readonly handoff: Percentiles | undefined;
  readonly bytesCopied: number;
  readonly consumers: readonly ConsumerResult[];
  readonly memory: { readonly growth: number; readonly peak: number };
  /** What killing showed, where some were killed. */
  readonly kills?: Kills;
}

interface ConsumerResult extends Pick<ConsumerReport, "frames" | "bytesCopied" | "findings"> {
  readonly name: JobName;
  readonly policy: Policy;
  readonly missed: number;
  readonly handoff: Percentiles | undefined;
  /** What the job took for a frame. */
  readonly work: Percentiles | undefined;
}

export interface Measured {
  readonly frames: number;
  /** From the first frame's publication to the last consumer's report. */
  readonly microseconds: number;
  /** By the producer. */
  readonly bytesCopied: number;
  readonly reports: ReadonlyMap<JobName, ConsumerReport>;
  readonly memory: PipelineResult["memory"];
  readonly kills?: Kills | undefined;
}

export function summarize({ frames, microseconds, bytesCopied, reports, memory, kills }: Measured): PipelineResult {
  const consumers = [...reports].map(([name, report]) => ({
    name,
    policy: policyOf(name),
    frames: report.frames,
    missed: frames - report.frames,
    bytesCopied: report.bytesCopied,
    handoff: percentiles(report.handoffMicroseconds),
    work: percentiles(report.workMicroseconds),
    findings: report.findings,
  }));
  return {
    frames,
    framesPerSecond: frames / (microseconds / 1e6),
    handoff: percentiles([...reports.values()].flatMap((report) => report.handoffMicroseconds)),
    bytesCopied: consumers.reduce((sum, consumer) => sum + consumer.bytesCopied, bytesCopied),
    consumers,
    memory,
    ...(kills && { kills }),
  };
}
