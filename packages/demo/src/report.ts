import Table from "cli-table3";
import type { Percentiles } from "./latency.js";
import type { HostsResult } from "./hosts-pipeline.js";
import type { Kills } from "./killer.js";
import type { PipelineOptions, PipelineResult } from "./pipeline.js";

export interface Report {
  readonly options: PipelineOptions;
  readonly shared: PipelineResult;
  /** The same with the consumers on a second host, if that was wanted. */
  readonly remote: HostsResult | undefined;
  /** The same over messages, unless it was not wanted. */
  readonly messages: PipelineResult | undefined;
}

/** No colours, and no lines between the rows. */
const PLAIN = {
  style: { head: [], border: [] },
  chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
};

/** The report for programs: one object, times in microseconds, sizes in bytes. */
export function reportAsJson({ options, shared, remote, messages }: Report): object {
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
    ...(remote && { two_hosts: { ...resultAsJson(remote), ...networkAsJson(remote) } }),
    ...(shared.kills && { kills: killsAsJson(shared.kills) }),
    video: { name: video.name, width: video.width, height: video.height, frame_bytes: frameBytes(options), buffers },
  };
}

/** The report for people. */
export function reportAsText(report: Report): string {
  const { remote, shared } = report;
  const parts = [consumersTable(report), comparisonTable(report)];
  if (remote !== undefined) parts.push(networkAsText(remote));
  if (shared.kills !== undefined) parts.push(killsAsText(shared.kills));
  return parts.join("\n");
}

/** What carries the copies, for people. */
export function messagesName({ processes }: PipelineOptions): string {
  return processes ? "process IPC" : "postMessage";
}

function networkAsJson({ lacking }: HostsResult): object {
  return lacking === undefined ? { network: "namespaces" } : { network: "loopback", lacking };
}

function networkAsText({ lacking }: HostsResult): string {
  if (lacking === undefined) return "Each of the two hosts was a network namespace of its own.";
  return `The two hosts were processes on this machine's loopback. ${lacking}.`;
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

function comparisonTable({ options, shared, remote, messages }: Report): string {
  const columns: [string, PipelineResult | undefined][] = [
    ["dmabuf", shared],
    ["two hosts", remote],
    [messagesName(options), messages],
  ];
  const shown = columns.filter((column): column is [string, PipelineResult] => column[1] !== undefined);
  const results = shown.map(([, result]) => result);
  const table = new Table({
    ...PLAIN,
    head: ["the whole", ...shown.map(([name]) => name)],
    colAligns: ["left", "right", "right", "right"],
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
