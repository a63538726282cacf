import Table from "cli-table3";
import type { Percentiles } from "./latency.js";
import type { Kills } from "./killer.js";
import type { PipelineOptions, PipelineResult } from "./pipeline.js";

export interface Report {
  readonly options: PipelineOptions;
  readonly shared: PipelineResult;
  /** The same over messages, unless it was not wanted. */
  readonly messages: PipelineResult | undefined;
}

/** No colours, and no lines between the rows. */
const PLAIN = {
  style: { head: [], border: [] },
  chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
};

/** The report for programs: one object, times in microseconds, sizes in bytes. */
export function reportAsJson({ options, shared, messages }: Report): object {
  const { video, buffers } = options;
  return {
    ...resultAsJson(shared),
    consumers: shared.consumers.map(({ name, policy, frames, missed, handoff, work, bytesCopied, findings }) => ({
      name,
      policy,
      frames,
      missed,
      handoff_us: rounded(handoff),
      work_us: rounded(work),
      bytes_copied: bytesCopied,
      ...findings.values,
    })),
    [options.processes ? "process_ipc" : "postmessage"]: messages === undefined ? null : resultAsJson(messages),
    ...(shared.kills && { kills: killsAsJson(shared.kills) }),
    video: { name: video.name, width: video.width, height: video.height, frame_bytes: frameBytes(options), buffers },
  };
}

/** The report for people. */
export function reportAsText(report: Report): string {
  const { kills } = report.shared;
  const tables = `${consumersTable(report)}\n${comparisonTable(report)}`;
  return kills === undefined ? tables : `${tables}\n${killsAsText(kills)}`;
}

/** What carries the copies, for people. */
export function messagesName({ processes }: PipelineOptions): string {
  return processes ? "process IPC" : "postMessage";
}

function killsAsJson({ count, decoders, checked, backAfter, pace, longestPause, left }: Kills): object {
  const round = (value: number): number => Number(value.toFixed(1));
  const msOf = (times: Percentiles | undefined): Percentiles | null =>
    times === undefined ? null : { p50: round(times.p50), p99: round(times.p99) };
  return {
    count,
    decoders: { count: decoders.count, back_after_ms: msOf(decoders.backAfter) },
    checked_frames: checked,
    back_after_ms: msOf(backAfter),
    others_fps: { after_kill: round(pace.afterKill), otherwise: round(pace.otherwise) },
    others_longest_pause_ms: { after_kill: round(longestPause.afterKill), otherwise: round(longestPause.otherwise) },
    left: { agents: left.agents, buffers: left.buffers, memory_files: left.memoryFiles },
  };
}

function killsAsText({ count, decoders, checked, backAfter, pace, longestPause, left }: Kills): string {
  const table = new Table({
    ...PLAIN,
    head: [`${count} killed in the middle of a frame`, "after a kill", "otherwise"],
  });
  const rate = (value: number): string => `${value.toFixed(1)}/s`;
  table.push(["the others' pace", rate(pace.afterKill), rate(pace.otherwise)]);
  table.push(["their longest pause", time(longestPause.afterKill * 1000), time(longestPause.otherwise * 1000)]);
  const back = backAfter === undefined ? "" : `; the next one had its first frame ${time(backAfter.p50 * 1000)} later`;
  const frameAfter =
    decoders.backAfter === undefined ? "" : `: the next frame came ${time(decoders.backAfter.p50 * 1000)} later`;
  const decoding = decoders.count === 0 ? [] : [`Of those, ${decoders.count} were decoders${frameAfter}.`];
  const nothing = left.agents + left.buffers + left.memoryFiles === 0;
  const rest = `${left.agents} agents, ${left.buffers} buffers, ${left.memoryFiles} memory files`;
  return [
    table.toString(),
    ...decoding,
    `All ${checked} checksums right${back}.`,
    nothing ? "Everything has come back: agents, buffers, memory files." : `LEFT BEHIND: ${rest}.`,
  ].join("\n");
}

function resultAsJson({ frames, framesPerSecond, handoff, bytesCopied, memory }: PipelineResult) {
  return {
    frames,
    fps: Number(framesPerSecond.toFixed(2)),
    handoff_us: rounded(handoff),
    bytes_copied: bytesCopied,
    memory: { growth: memory.growth, peak: memory.peak },
  };
}

function rounded(handoff: Percentiles | undefined): Percentiles | null {
  return handoff === undefined ? null : { p50: Number(handoff.p50.toFixed(1)), p99: Number(handoff.p99.toFixed(1)) };
}

function consumersTable({ shared }: Report): string {
  const table = new Table({
    ...PLAIN,
    head: ["consumer", "policy", "frames", "missed", "hand-off p50", "p99", "work p50", "copied"],
    colAligns: ["left", "left", "right", "right", "right", "right", "right", "right"],
  });
  for (const { name, policy, frames, missed, handoff, work, bytesCopied } of shared.consumers) {
    table.push([
      name,
      policy,
      frames,
      missed,
      time(handoff?.p50),
      time(handoff?.p99),
      time(work?.p50),
      size(bytesCopied),
    ]);
  }
  const found = shared.consumers.map(({ name, findings }) => `  ${name}: ${findings.summary}`);
  return `${table.toString()}\n${found.join("\n")}`;
}

function comparisonTable({ options, shared, messages }: Report): string {
  const results = messages === undefined ? [shared] : [shared, messages];
  const table = new Table({
    ...PLAIN,
    head: ["the whole", "dmabuf", ...(messages === undefined ? [] : [messagesName(options)])],
    colAligns: ["left", "right", "right"],
  });
  const row = (title: string, value: (result: PipelineResult) => string): void => {
    table.push([title, ...results.map(value)]);
  };
  row("frames", (result) => String(result.frames));
  row("frame rate", (result) => `${result.framesPerSecond.toFixed(1)}/s`);
  row("hand-off p50", (result) => time(result.handoff?.p50));
  row("hand-off p99", (result) => time(result.handoff?.p99));
  row("bytes copied", (result) => size(result.bytesCopied));
  row("copied per frame and consumer", (result) => size(result.bytesCopied / takenFrames(result)));
  row("memory grew by", (result) => size(result.memory.growth));
  row("memory at most", (result) => size(result.memory.peak));
  const ring = `${options.buffers} buffers of ${size(frameBytes(options))} are ${size(options.buffers * frameBytes(options))}`;
  return `${table.toString()}\n${ring}; a copy for each consumer would be ${shared.consumers.length} times that.`;
}

function takenFrames({ consumers }: PipelineResult): number {
  return Math.max(
    1,
    consumers.reduce((sum, consumer) => sum + consumer.frames, 0),
  );
}

function frameBytes({ video }: PipelineOptions): number {
  return (video.width * video.height * 3) / 2;
}

function time(microseconds: number | undefined): string {
  if (microseconds === undefined) return "–";
  return microseconds < 1000 ? `${microseconds.toFixed(0)} µs` : `${(microseconds / 1000).toFixed(2)} ms`;
}

function size(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const [value, unit] = bytes < 1 << 30 ? [bytes / (1 << 20), "MiB"] : [bytes / (1 << 30), "GiB"];
  return `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}
