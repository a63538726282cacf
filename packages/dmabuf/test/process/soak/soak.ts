import { agentOf } from "../../../src/domain-base.js";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { claimTimeline } from "../../../src/domain/timeline-slot.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { pause } from "../../agents.js";
import { Random } from "../../random.js";
import { segmentState } from "../../segment-state.js";
import { figures, Rounds, type Figures } from "./rounds.js";

/**
 * Run it with {@link V8_OPTIONS}: what V8 compiles and collects of types would otherwise make the heap grow by
 * megabytes in the first thousand rounds.
 *
 * Two processes that do everything there is in one domain, again and again, while workers that join by themselves are
 * terminated and other processes are killed in the middle of the same. Now and then all rest, and what they have then
 * must be what they had before:
 *
 * soak.1. Each round ends: nothing hangs.
 * soak.2. Descriptors, mappings of memory files and all slots of the domain are as many as at the first rest.
 * soak.3. The heap has not grown by more than HEAP_GROWTH a round, nor the resident memory by more than
 *      RESIDENT_GROWTH.
 */
export const V8_OPTIONS = ["--max-lazy", "--no-opt", "--no-sparkplug", "--no-lazy-feedback-allocation"];

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** What the first process leaves behind in each round. */
  readonly fault?: SoakFault | undefined;
  readonly progress?: (line: string) => void;
}

/** Faults that can be planted: one for each thing that must not grow. */
export const SOAK_FAULTS = {
  heap: "keeps some hundred kilobytes of each round",
  descriptor: "leaves a file open in each round",
  slot: "takes a slot in each round that it does not give back",
  still: "does not come to the end of a round",
} as const;

export type SoakFault = keyof typeof SOAK_FAULTS;

export interface PeerStart {
  readonly place: string;
  readonly seed: number;
}

export type ToPeer = "rest" | "go on" | "end";

interface PeerReport {
  readonly rounds: number;
  readonly figures: Figures;
}

export interface SoakResult {
  readonly rounds: number;
  readonly terminated: number;
  readonly killed: number;
}

/** What is compared at each rest, by process. */
interface Rest {
  readonly rounds: number;
  readonly slots: readonly string[];
  readonly here: Figures;
  readonly there: Figures;
}

const SIZES = {
  agents: 16,
  buffers: 128,
  timelines: 64,
  oneShots: 64,
  streams: 16,
  requests: 16,
  syncobjs: 32,
  userFences: 32,
};
const PEER = new URL("peer.js", import.meta.url);
/** The first rests are not compared: what is made once is made then. */
const WARM_UP = 0.25;
/** Bytes a round. */
const HEAP_GROWTH = 500;
/** Bytes that come and go. */
const HEAP_NOISE = 150_000;
/** Bytes: the memory of ended threads is not given back at once. */
const RESIDENT_GROWTH = 96 << 20;
/** Milliseconds, for what is given back some time later. */
const SETTLING = 20_000;
/** Milliseconds, on a machine that is ten times slower. */
const STANDSTILL = 120_000;

/** @throws {Error} That names what has grown, or hangs. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const soak = await Soak.begin(options);
  try {
    return await soak.run();
  } finally {
    await soak.end();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #random: Random;
  readonly #folder: string;
  readonly #domain: ProcessDomain;
  readonly #rounds: Rounds;
  readonly #peer: ChildProcess;
  readonly #leaks: Uint8Array[] = [];
  readonly #reports: ((report: PeerReport) => void)[] = [];
  #terminated = 0;
  #killed = 0;
  #failure: Error | undefined;

  private constructor(options: SoakOptions, folder: string, domain: ProcessDomain, rounds: Rounds) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#folder = folder;
    this.#domain = domain;
    this.#rounds = rounds;
    this.#peer = this.#fork();
    this.#peer.on("message", (report: PeerReport) => this.#reports.splice(0).forEach((hear) => hear(report)));
    this.#peer.on("exit", (code, signal) => (this.#failure ??= new Error(`the peer has ended with ${code ?? signal}`)));
  }

  static async begin(options: SoakOptions): Promise<Soak> {
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-soak-"));
    const place = join(folder, "place");
    const domain = ProcessDomain.listen(place, { ...SIZES, name: "soak" });
    return new Soak(options, folder, domain, await Rounds.at(place, new Random(options.seed), domain));
  }

  async run(): Promise<SoakResult> {
    const { seconds, progress } = this.#options;
    const start = performance.now();
    const end = start + seconds * 1000;
    const warm = start + seconds * 1000 * WARM_UP;
    let first: Rest | undefined;
    for (let now = start; now < end || first === undefined; now = performance.now()) {
      await this.#work(Math.min(end, now + (seconds * 1000) / 12));
      const rest = await this.#rest();
      progress?.(describe(rest));
      if (first !== undefined) await this.#compare(first, rest);
      else if (performance.now() > warm) first = rest;
    }
    return { rounds: this.#rounds.done, terminated: this.#terminated, killed: this.#killed };
  }

  async end(): Promise<void> {
    this.#peer.removeAllListeners("exit");
    this.#peer.kill("SIGKILL");
    this.#rounds[Symbol.dispose]();
    this.#domain.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Rounds of both processes, and some that do not live to their end. */
  async #work(until: number): Promise<void> {
    this.#tell("go on");
    do {
      this.#leave();
      const doomed = this.#random.oneIn(2) ? this.#terminate() : this.#kill();
      await this.#inTime(this.#rounds.run(), () => `does not get on with ${this.#rounds.call}`);
      await this.#inTime(doomed, () => "what was ended is not given back");
    } while (performance.now() < until);
  }

  /** A worker that has joined by itself. */
  async #terminate(): Promise<void> {
    const worker = new Worker(PEER, { workerData: this.#peerStart() });
    const failed = once(worker, "error").then(([error]) => (this.#failure ??= error as Error));
    await Promise.race([once(worker, "message"), failed]);
    await pause(this.#random.below(300));
    await worker.terminate();
    this.#terminated++;
  }

  async #kill(): Promise<void> {
    const child = this.#fork();
    child.on("exit", (code) => code !== null && (this.#failure ??= new Error(`a process has ended with ${code}`)));
    await pause(50 + this.#random.below(500));
    child.kill("SIGKILL");
    if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
    this.#killed++;
  }

  async #rest(): Promise<Rest> {
    const heard = new Promise<PeerReport>((resolve) => this.#reports.push(resolve));
    this.#tell("rest");
    const { figures: there } = await this.#inTime(heard, () => "the peer does not come to rest");
    const slots = (): string[] =>
      segmentState(agentOf(this.#domain)).map((line) => line.replace(/generation \d+ /, ""));
    // Four agents live; what the dead had is given back first.
    const isQuiet = async (): Promise<void> => {
      while (this.#domain.agents.length > 4) await pause(5);
    };
    await this.#inTime(isQuiet(), () => `the dead are still there: ${slots().join("; ")}`);
    return { rounds: this.#rounds.done, slots: slots(), here: await figures(), there };
  }

  /** soak.2 and soak.3: what has not been given back yet gets some time. */
  async #compare(first: Rest, last: Rest): Promise<void> {
    for (const end = Date.now() + SETTLING; ; last = await this.#rest()) {
      const grown = growth(first, last);
      if (grown.length === 0) return;
      if (Date.now() > end) throw new Error(`After ${last.rounds - first.rounds} rounds: ${grown.join("; ")}`);
      await pause(500);
    }
  }

  #tell(order: ToPeer): void {
    this.#peer.send(order);
  }

  #fork(): ChildProcess {
    return fork(PEER, [JSON.stringify(this.#peerStart())], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  #peerStart(): PeerStart {
    return { place: join(this.#folder, "place"), seed: this.#random.below(2 ** 31) };
  }

  /** Plants what this round leaves behind. */
  #leave(): void {
    const { fault } = this.#options;
    const agent = agentOf(this.#domain);
    if (fault === "heap") this.#leaks.push(...Array.from({ length: 1000 }, () => new Uint8Array(32)));
    if (fault === "descriptor") openSync("/dev/zero", "r");
    if (fault === "slot") claimTimeline(agent, { name: "leaked", driverName: "", timeLimit: 60_000 });
  }

  /** soak.1 */
  async #inTime<T>(work: Promise<T>, what: () => string): Promise<T> {
    const limit = this.#options.fault === "still" ? 1 : STANDSTILL;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure ?? new Error(`${limit} ms: ${what()}`)), limit);
    });
    const result = await Promise.race([work, late]).finally(() => clearTimeout(timer));
    if (this.#failure !== undefined) throw this.#failure;
    return result;
  }
}

/** What there is more of. */
function growth(first: Rest, last: Rest): string[] {
  const rounds = last.rounds - first.rounds;
  const grown: string[] = [];
  if (first.slots.join("\n") !== last.slots.join("\n")) grown.push(`slots:\n${last.slots.join("\n")}`);
  for (const where of ["here", "there"] as const) {
    const [before, after] = [first[where], last[where]];
    const files = after.files.filter((line) => !before.files.includes(line));
    if (files.length > 0) grown.push(`descriptors ${where}: ${before.files.join(", ")}, then ${files.join(", ")}`);
    if (after.mappings > before.mappings) grown.push(`mappings ${where}: ${before.mappings}, then ${after.mappings}`);
    const heap = after.heap - before.heap;
    if (heap > HEAP_NOISE && heap > rounds * HEAP_GROWTH)
      grown.push(`heap ${where}: ${heap} bytes in ${rounds} rounds`);
    const resident = after.resident - before.resident;
    if (resident > RESIDENT_GROWTH) grown.push(`resident memory ${where}: ${resident} bytes in ${rounds} rounds`);
  }
  return grown;
}

function describe({ rounds, slots, here, there }: Rest): string {
  const words = ({ heap, resident, files, mappings }: Figures): string =>
    `${(heap / 1e6).toFixed(2)} MB heap, ${(resident / 1e6).toFixed(0)} MB resident, ${mappings} mappings, ${files.join(", ")}`;
  return `${rounds} rounds: ${slots.length} slots; here ${words(here)}; there ${words(there)}`;
}
