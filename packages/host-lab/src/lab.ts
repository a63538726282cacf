/**
 * Hosts in network namespaces of their own, and a network between them.
 *
 * lab.1. The hosts and their network are namespaces: nothing is added to the machine's own network, and each host has abstract
 *     sockets, ports and a loopback of its own.
 * lab.2. A lab ends with its owner: at the close, and by its guardian when the owner is killed. The next lab removes what a dead
 *     owner and a dead guardian have left.
 * lab.3. A cable that is pulled is silence: neither end is told.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import type { Writable } from "node:stream";
import { lack } from "./missing.js";
import { PATH, run } from "./run.js";

const NAMESPACES = "/run/netns";
/** Whose namespace it is: a process, by its number and the time when it began. */
const NAME = /^dmabuf-(\d+)-(\d+)-\d+-/;

/** Kills what is on the hosts, and removes them, when its input ends. */
const GUARDIAN = `trap "" HUP INT TERM
cat > /dev/null
for host; do ip netns pids "$host" | xargs -r kill -9; done
for host; do ip netns del "$host"; done`;

let labs = 0;

/** Several hosts, and a bridge to which each has a cable. */
export class Lab implements Disposable, AsyncDisposable {
  readonly hosts: readonly LabHost[];
  readonly #names: readonly string[];
  readonly #guardian: ChildProcess;

  /**
   * Makes hosts with the addresses 10.77.0.1, 10.77.0.2, …
   *
   * @throws {Error} if something is missing here: see {@link missing}.
   */
  static create(hosts = 2): Lab {
    const why = lack("network");
    if (why !== undefined) throw new Error(`Cannot make hosts: ${why}`);
    sweep();
    return new Lab(hosts);
  }

  private constructor(hosts: number) {
    const prefix = `dmabuf-${process.pid}-${startOf(process.pid)!}-${++labs}-`;
    const bridge = `${prefix}network`;
    const letters = Array.from({ length: hosts }, (_, index) => String.fromCharCode(97 + index));
    this.#names = [bridge, ...letters.map((letter) => prefix + letter)];
    // It is there before anything that it would have to remove.
    this.#guardian = guard(this.#names);
    try {
      run("ip", ["netns", "add", bridge]);
      run("ip", ["-n", bridge, "link", "add", "bridge", "type", "bridge"]);
      run("ip", ["-n", bridge, "link", "set", "bridge", "up"]);
      this.hosts = letters.map((letter, index) => new LabHost(prefix + letter, letter, `10.77.0.${index + 1}`, bridge));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Kills what is on the hosts, and removes them. */
  close(): void {
    remove(this.#names);
    (this.#guardian.stdin as Writable).end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The same, and waits for its guardian: no process of the lab is left then. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#guardian;
    const hasEnded = exitCode !== null || signalCode !== null;
    const end = hasEnded ? undefined : once(this.#guardian, "exit");
    this.#guardian.ref();
    this.close();
    await end;
  }
}

/** One host of a lab. */
export class LabHost {
  /** A letter, for people. */
  readonly name: string;
  readonly address: string;
  readonly #namespace: string;
  readonly #bridge: string;
  readonly #port: string;

  constructor(namespace: string, name: string, address: string, bridge: string) {
    this.name = name;
    this.address = address;
    this.#namespace = namespace;
    this.#bridge = bridge;
    this.#port = `port-${name}`;
    run("ip", ["netns", "add", namespace]);
    const ends = ["name", this.#port, "type", "veth", "peer", "name", "net", "netns", namespace];
    run("ip", ["-n", bridge, "link", "add", ...ends]);
    run("ip", ["-n", bridge, "link", "set", this.#port, "master", "bridge", "up"]);
    run("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    run("ip", ["-n", namespace, "addr", "add", `${address}/24`, "dev", "net"]);
    run("ip", ["-n", namespace, "link", "set", "net", "up"]);
  }

  /** The program and its arguments that run a program here. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ["nsenter", [`--net=${NAMESPACES}/${this.#namespace}`, "--", program, ...args]];
  }

  /** Starts a program here. Its process is the one that is returned. */
  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const env = { ...process.env, ...options.env, PATH };
    const [command, all] = this.command(program, args);
    return spawn(command, all, { ...options, env });
  }

  /** Pulls the cable, or puts it in again (lab.3). */
  cable(isIn: boolean): void {
    run("ip", ["-n", this.#bridge, "link", "set", this.#port, isIn ? "up" : "down"]);
  }

  /** How many Mbit/s go to this host and from it, or as many as can be. */
  rate(mbits?: number): void {
    for (const [namespace, device] of [
      [this.#bridge, this.#port],
      [this.#namespace, "net"],
    ] as const) {
      const queue = ["qdisc", "replace", "dev", device, "root"];
      const tbf = ["tbf", "rate", `${mbits}mbit`, "burst", "256kb", "latency", "50ms"];
      run("tc", ["-n", namespace, ...queue, ...(mbits === undefined ? ["noqueue"] : tbf)]);
    }
  }

  /** Of 1,000 packets that come to this host, so many are lost. */
  lose(perMille: number): void {
    this.#filter("losses", ["input"], `numgen random mod 1000 < ${perMille} counter drop`, perMille > 0);
  }

  /** How many packets were lost since {@link lose} said so. */
  lost(): number {
    const rules = this.#nft("list table inet losses");
    return Number(/packets (\d+)/.exec(rules)?.[1]);
  }

  /** Answers each packet of TCP that comes or goes with a reset, until it is told to stop: all connections end. */
  reset(goesOn: boolean): void {
    this.#filter("resets", ["input", "output"], "tcp flags & rst == 0 counter reject with tcp reset", goesOn);
  }

  /** How many bytes have come to this host and gone from it, with the headers of their packets. */
  bytes(): { readonly received: number; readonly sent: number } {
    const text = run(...this.command("ip", ["-j", "-s", "link", "show", "dev", "net"]));
    const [{ stats64 }] = JSON.parse(text) as [{ stats64: Record<"rx" | "tx", { bytes: number }> }];
    return { received: stats64.rx.bytes, sent: stats64.tx.bytes };
  }

  #filter(table: string, hooks: readonly string[], rule: string, isOn: boolean): void {
    const why = lack("loss");
    if (why !== undefined) throw new Error(`Cannot lose packets: ${why}`);
    const chains = hooks.map((hook) => `chain ${hook} { type filter hook ${hook} priority 0; ${rule}; }`);
    this.#nft(`table inet ${table}; delete table inet ${table}`);
    if (isOn) this.#nft(`table inet ${table} { ${chains.join("; ")}; }`);
  }

  #nft(rules: string): string {
    return run(...this.command("nft", ["-f", "-"]), `${rules}\n`);
  }
}

function guard(names: readonly string[]): ChildProcess {
  const stdio = ["pipe", "ignore", "ignore"] as const;
  const guardian = spawn("sh", ["-c", GUARDIAN, "guardian", ...names], {
    stdio: [...stdio],
    detached: true,
    env: { ...process.env, PATH },
  });
  guardian.unref();
  (guardian.stdin as unknown as { unref(): void }).unref();
  return guardian;
}

/** Removes the hosts of those that are no more. */
function sweep(): void {
  const left = names().filter((name) => {
    const [, pid, start] = NAME.exec(name) ?? [];
    return pid !== undefined && startOf(Number(pid)) !== start;
  });
  remove(left);
}

function remove(names: readonly string[]): void {
  // Those that are stopped, too.
  for (const pid of names.flatMap(processesOn)) kill(pid);
  for (const name of names) attempt(() => run("ip", ["netns", "del", name]));
}

function processesOn(name: string): number[] {
  const pids = attempt(() => run("ip", ["netns", "pids", name])) ?? "";
  return pids.split("\n").filter(Boolean).map(Number);
}

function kill(pid: number): void {
  attempt(() => process.kill(pid, "SIGKILL"));
}

function names(): readonly string[] {
  return attempt(() => readdirSync(NAMESPACES)) ?? [];
}

/** What is being removed by another, too, may be gone. */
function attempt<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** When a process began, or that there is none of that number. */
function startOf(pid: number): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
