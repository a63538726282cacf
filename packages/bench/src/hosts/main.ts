/** `npm run bench:hosts`: a stream between two hosts beside a plain TCP connection, in turn, on networks of the lab. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Lab, missing, startNats } from "dmabuf-host-lab";
import { median } from "../figures.js";
import { OurPair, runTcp, type Run } from "./pairs.js";
import type { Load } from "./side.js";

interface Options {
  readonly quick?: true;
  readonly json?: string;
}

interface Row {
  readonly what: string;
  readonly ours: number;
  readonly tcp?: number;
  /** Ours in terms of the other, pair by pair. */
  readonly ratio?: number;
  readonly unit: string;
  readonly goal?: { readonly bound: "at most" | "at least"; readonly limit: number; readonly figure: number };
}

const options = new Command("npm run bench:hosts --")
  .description(
    "Measures a stream between two hosts beside a plain TCP connection, in turn. Prints a table in Markdown.",
  )
  .option("--quick", "two rounds with fewer frames: a look, not a measurement")
  .option("--json <file>", "write everything to a file, too")
  .parse()
  .opts<Options>();

const HD = { width: 1920, height: 1080 };
const HD_BYTES = (HD.width * HD.height * 3) / 2;
const GIGABIT = 125e6;

await main(options);

async function main({ quick, json }: Options): Promise<void> {
  const lack = missing("network", "loss");
  if (lack !== undefined) return console.error(`Skipped: ${lack}`);
  const rounds = quick ? 2 : 5;
  // The first frames find memory that is not mapped yet, and programs that are not compiled.
  const frames = quick ? 240 : 1_200;
  const measures: (() => Promise<Row[]>)[] = [
    () => throughput(rounds, { ...HD, frames, fps: 0 }),
    () => throughput(rounds, { ...HD, frames: quick ? 30 : 120, fps: 0 }, 1_000),
    () => costOfTls(rounds, { ...HD, frames: frames / 4, fps: 0 }),
    () => latency(rounds, { ...HD, frames: quick ? 30 : 90, fps: 30 }),
    () => consumers(rounds, { ...HD, frames: quick ? 15 : 60, fps: 30 }),
    () => told("a killed producer is told", 200, rounds, (pair) => pair.producer.kill()),
    () => told("a killed agent of the producer's host is told", 200, rounds, (pair) => pair.agents[0]!.kill()),
    () => told("a stopped agent is told, with a limit of 1,000 ms", 1_200, rounds, (pair) => pair.agents[0]!.stop()),
    () => withoutBroker(quick ? 3 : 8),
  ];
  const rows: Row[] = [];
  console.log("| | ours | plain TCP | ratio | wanted | |\n|---|---:|---:|---:|---:|---|");
  for (const measure of measures) {
    const more = await measure();
    for (const row of more) console.log(line(row));
    rows.push(...more);
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ rounds, rows }, undefined, 2)}\n`);
}

/** Ours, on a fresh network. */
async function runOurs(load: Load, consumers = 1, options: object = {}): Promise<Run> {
  using lab = Lab.create(2);
  using pair = await OurPair.start(lab, consumers, options);
  return await pair.run(load);
}

/** Ours and TCP in turn, on a fresh network each. */
async function inTurn(rounds: number, load: Load, mbits?: number): Promise<{ ours: Run[]; tcp: Run[] }> {
  const [ours, tcp]: [Run[], Run[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    using lab = Lab.create(2);
    for (const host of lab.hosts) host.rate(mbits);
    {
      using pair = await OurPair.start(lab, 1);
      ours.push(await pair.run(load));
    }
    tcp.push(await runTcp(lab, load));
  }
  return { ours, tcp };
}

/** Megabytes a second. */
function rate({ received: { frames, took } }: Run): number {
  return ((frames - 1) * HD_BYTES) / 1e3 / took;
}

/** Milliseconds of processor time of both ends, for a gigabyte. */
function cpu({ cpu: used, received: { frames } }: Run): number {
  return used / ((frames * HD_BYTES) / 1e9);
}

async function throughput(rounds: number, load: Load, mbits?: number): Promise<Row[]> {
  const { ours, tcp } = await inTurn(rounds, load, mbits);
  const [own, other] = [median(ours.map(rate)), median(tcp.map(rate))];
  const ratio = medianRatio(ours, tcp, rate);
  if (mbits !== undefined) {
    const share = (own * 1e6) / GIGABIT;
    const goal = { bound: "at least", limit: 0.9, figure: share } as const;
    return [
      {
        what: `throughput at ${mbits / 1_000} Gbit/s (goal: of the line)`,
        ours: own,
        tcp: other,
        ratio,
        unit: "MB/s",
        goal,
      },
    ];
  }
  const cpuRatio = medianRatio(ours, tcp, cpu);
  return [
    {
      what: "throughput",
      ours: own,
      tcp: other,
      ratio,
      unit: "MB/s",
      goal: { bound: "at least", limit: 0.7, figure: ratio },
    },
    {
      what: "processor time of both ends, a GB",
      ours: median(ours.map(cpu)),
      tcp: median(tcp.map(cpu)),
      ratio: cpuRatio,
      unit: "ms",
      goal: { bound: "at most", limit: 2, figure: cpuRatio },
    },
  ];
}

/** Ours with TLS and without, in turn. */
async function costOfTls(rounds: number, load: Load): Promise<Row[]> {
  const [plain, secured]: [Run[], Run[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    plain.push(await runOurs(load));
    secured.push(await runOurs(load, 1, { tls: true }));
  }
  const row = (what: string, figure: (run: Run) => number, unit: string): Row => ({
    what: `${what}; the ratio is to without`,
    ours: median(secured.map(figure)),
    ratio: medianRatio(secured, plain, figure),
    unit,
  });
  return [row("throughput with TLS", rate, "MB/s"), row("processor time with TLS, a GB", cpu, "ms")];
}

async function latency(rounds: number, load: Load): Promise<Row[]> {
  const { ours, tcp } = await inTurn(rounds, load);
  const p50 = ({ received }: Run): number => median([...received.latencies]);
  const [own, other] = [median(ours.map(p50)), median(tcp.map(p50))];
  const goal = { bound: "at most", limit: 1.5 * other + 1, figure: own } as const;
  const row = {
    what: `p50 from ready to there, ${load.fps} frames a second`,
    ours: own,
    tcp: other,
    ratio: medianRatio(ours, tcp, p50),
    unit: "ms",
    goal,
  };
  return [row];
}

/**
 * What goes over the network, by the number of consumers there. It is measured at 30 frames a second: without a pause, TCP's packets are
 * small at times, and their headers more than a hundredth.
 */
async function consumers(rounds: number, load: Load): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of [1, 2, 4]) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { network, received } = await runOurs(load, count);
      if (received.copied !== 0) throw new Error(`${received.copied} bytes were copied`);
      times.push(network / received.frames / HD_BYTES);
    }
    const figure = median(times);
    const goal = { bound: "at most", limit: 1.01, figure } as const;
    const what = `network bytes a frame, in its size, consumers there: ${count}`;
    rows.push({ what, ours: figure, unit: "times", goal });
  }
  return rows;
}

/** How long it takes until a consumer is told that something has ended. */
async function told(
  what: string,
  limit: number,
  rounds: number,
  end: (pair: OurPair) => Promise<void>,
): Promise<Row[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    using lab = Lab.create(2);
    using pair = await OurPair.start(lab, 1);
    const [run] = await pair.begin({ ...HD, frames: 10_000, fps: 30 });
    await pair.consumers[0]!.hear("first");
    await sleep(200);
    const begun = Number(process.hrtime.bigint()) / 1e6;
    await end(pair);
    const { at } = await pair.consumers[0]!.hear<{ at: number }>("failed");
    times.push(at - begun);
    await run;
  }
  const figure = median(times);
  return [{ what, ours: figure, unit: "ms", goal: { bound: "at most", limit, figure } }];
}

/** The longest pause of a stream of 30 frames a second while the broker lives, and while it is dead for 5 s. */
async function withoutBroker(seconds: number): Promise<Row[]> {
  if (missing("nats") !== undefined) return [];
  using lab = Lab.create(3);
  using broker = await startNats(lab.hosts[2]);
  const pauses: number[] = [];
  for (const isDead of [false, true]) {
    using pair = await OurPair.start(lab, 1, { cluster: `bench${isDead}` }, broker);
    const [run] = await pair.begin({ ...HD, frames: seconds * 30, fps: 30 });
    await pair.consumers[0]!.hear("first");
    if (isDead) {
      await broker.kill();
      await sleep(Math.min(5_000, seconds * 700));
      await broker.start();
    }
    const { frames, longestPause } = await run!;
    if (frames !== seconds * 30) throw new Error(`${frames} of ${seconds * 30} frames came`);
    pauses.push(longestPause);
  }
  return [
    { what: "longest pause at 30 frames a second", ours: pauses[0]!, unit: "ms" },
    { what: "the same while the broker is dead; no frame is lost", ours: pauses[1]!, unit: "ms" },
  ];
}

function medianRatio(runs: readonly Run[], others: readonly Run[], figure: (run: Run) => number): number {
  return median(runs.map((run, i) => figure(run) / figure(others[i]!)));
}

function line({ what, ours, tcp, ratio, unit, goal }: Row): string {
  const isMet = goal && (goal.bound === "at most" ? goal.figure <= goal.limit : goal.figure >= goal.limit);
  const wanted = goal === undefined ? "" : `${goal.bound} ${inDigits(goal.limit)}`;
  const verdict = isMet === undefined ? "" : isMet ? "met" : `**missed**: ${inDigits(goal!.figure)}`;
  return `| ${what} | ${inDigits(ours)} ${unit} | ${inDigits(tcp)} | ${inDigits(ratio)} | ${wanted} | ${verdict} |`;
}

function inDigits(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
