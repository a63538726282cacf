import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, release, type as system } from "node:os";
import process from "node:process";

/** What the figures were measured on. */
export interface Machine {
  readonly processor: string;
  /** Processors that the benchmark may use. */
  readonly processors: number;
  readonly architecture: string;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** The C compiler, if there is one. */
  readonly compiler: string | null;
  /** Whether each side was bound to its processor. */
  readonly pinned: boolean;
}

/** The numbers of the processors that this process may use, where it can bind others to them; otherwise `undefined`. */
export function processors(): readonly number[] | undefined {
  if (spawnSync("taskset", ["--version"], { stdio: "ignore" }).status !== 0) return undefined;
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return list?.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

export function describeMachine(compiler: string | undefined, pinned: readonly number[] | undefined): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: pinned?.length ?? cpus().length,
    architecture: arch(),
    system: `${system()} ${release().split("-")[0]!}`,
    node: process.versions.node,
    v8: process.versions.v8,
    compiler: compiler ?? null,
    pinned: pinned !== undefined,
  };
}
