import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Figures } from "./figures.js";
import type { ProcessThroughputParameters } from "./sides/process-throughput.js";
import type { Plan } from "./sides/sampling.js";
import type { WorkersParameters } from "./sides/two-workers.js";

/** Whether the two sides run on two processors or on one. A processor that is not named is the system's choice. */
export type Placement = "apart" | "together";

/** How the C program waits: see its source. */
export type PingpongMode = "spin" | "timed" | "futex" | "eventfd";

/** A run that takes this many milliseconds hangs. */
const RUN_LIMIT = 120_000;

/** Starts what is measured: each run is a process of its own, bound to the processors that it may use. */
export class Children {
  readonly #cpus: readonly number[] | undefined;
  readonly #pingpong: string | undefined;
  readonly #iceoryx: string | undefined;

  /**
   * @param cpus Processors to bind to, if that is possible.
   * @param pingpong The C program, if there is one.
   * @param iceoryx The program for iceoryx, if there is one; its broker runs.
   */
  constructor(cpus: readonly number[] | undefined, pingpong: string | undefined, iceoryx?: string) {
    this.#cpus = cpus;
    this.#pingpong = pingpong;
    this.#iceoryx = iceoryx;
  }

  /** Whether two sides can run at the same time, and where. */
  canPlace(placement: Placement): boolean {
    return this.#cpus === undefined ? placement === "apart" : placement === "together" || this.#cpus.length > 1;
  }

  get hasPingpong(): boolean {
    return this.#pingpong !== undefined;
  }

  get hasIceoryx(): boolean {
    return this.#iceoryx !== undefined;
  }

  /** One thread of Node.js. @param file The side's module, in `sides/`. */
  runSide<Parameters extends { readonly plan: Plan }>(file: string, parameters: Parameters): Figures {
    return this.#node(file, parameters, this.#cpus?.slice(0, 2));
  }

  /** Two workers of one Node.js process; each pins itself. */
  runWorkers<Parameters extends WorkersParameters & { readonly plan: Plan }>(
    file: string,
    placement: Placement,
    parameters: Parameters,
  ): Figures {
    const cpus = this.#place(placement);
    return this.#node(file, { ...parameters, ...(cpus && { cpus }) }, cpus);
  }

  /** Two sides of the C program. */
  runPingpong(sides: "threads" | "processes", mode: PingpongMode, placement: Placement, plan: Plan): Figures {
    const [one, other] = this.#place(placement) ?? [-1, -1];
    return run(this.#pingpong!, [sides, mode, plan.samples, plan.batch, one, other].map(String));
  }

  /** One process that publishes, and others that take each frame. */
  runThroughput(parameters: Omit<ProcessThroughputParameters, "consumers">, consumers: number): Figures {
    const [first, ...others] = this.#spread(consumers);
    const all = { ...parameters, consumers: others };
    return this.#node("process-throughput.js", all, first === null ? undefined : [first!]);
  }

  /** Two processes of iceoryx. */
  runIceoryx(mode: "spin" | "wait", placement: Placement, plan: Plan): Figures {
    const [one, other] = this.#place(placement) ?? [-1, -1];
    return this.#iceoryxRun(iceoryxArguments("lead", mode, plan, one), [iceoryxArguments("follow", mode, plan, other)]);
  }

  /** One process of iceoryx that publishes, and others that take each frame. */
  runIceoryxThroughput(mode: "spin" | "wait", plan: Plan, consumers: number): Figures {
    const [first, ...others] = this.#spread(consumers).map((cpu) => cpu ?? -1);
    return this.#iceoryxRun(
      [...iceoryxArguments("produce", mode, plan, first!), String(consumers)],
      others.map((cpu, i) => [...iceoryxArguments("consume", mode, plan, cpu), String(i)]),
    );
  }

  #iceoryxRun(leading: readonly string[], following: readonly (readonly string[])[]): Figures {
    const others = following.map((all) => spawn(this.#iceoryx!, all, { stdio: "ignore" }));
    try {
      return run(this.#iceoryx!, leading);
    } finally {
      for (const other of others) other.kill("SIGKILL");
    }
  }

  /** The processor of one process, and those of others: they share what the first one leaves. `null` is the system's choice. */
  #spread(others: number): (number | null)[] {
    const cpus = this.#cpus;
    if (cpus === undefined) return Array.from({ length: others + 1 }, () => null);
    const [first, ...rest] = cpus;
    const left = rest.length === 0 ? cpus : rest;
    return [first!, ...Array.from({ length: others }, (_, i) => left[i % left.length]!)];
  }

  #place(placement: Placement): readonly [number, number] | undefined {
    if (this.#cpus === undefined) return undefined;
    const [one, other] = this.#cpus;
    return [one!, placement === "apart" ? other! : one!];
  }

  #node(file: string, parameters: object, cpus: readonly number[] | undefined): Figures {
    const path = fileURLToPath(new URL(`./sides/${file}`, import.meta.url));
    const command = [process.execPath, path, JSON.stringify(parameters)];
    const pin = cpus === undefined ? [] : ["taskset", "-c", [...new Set(cpus)].join(",")];
    const [program, ...rest] = [...pin, ...command];
    return run(program!, rest);
  }
}

function iceoryxArguments(role: string, mode: string, { samples, batch, warm }: Plan, cpu: number): string[] {
  return [role, mode, samples, batch, warm, cpu].map(String);
}

function run(program: string, options: readonly string[]): Figures {
  const { status, signal, stdout, stderr, error } = spawnSync(program, options, {
    encoding: "utf8",
    timeout: RUN_LIMIT,
    killSignal: "SIGKILL",
  });
  // iceoryx says more than it is asked.
  if (status === 0) return JSON.parse(stdout.trim().split("\n").at(-1)!) as Figures;
  const reason = error?.message ?? (signal === null ? `status ${status}` : signal);
  throw new Error(`A run has failed (${reason}): ${program} ${options.join(" ")}\n${stderr}`);
}
