import { spawnSync } from "node:child_process";
import process from "node:process";

/** Milliseconds that a command of the system may take. */
const LIMIT = 30_000;

/** The path with the places of administrators' programs. */
export const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/**
 * Runs a command of the system to its end.
 *
 * @returns What it printed.
 * @throws {Error} if it fails, with what it said.
 */
export function run(program: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: { ...process.env, PATH },
    input,
    encoding: "utf8",
    timeout: LIMIT,
  });
  if (error !== undefined) throw new Error(`Cannot run ${program}: ${error.message}`);
  if (status !== 0) throw new Error(`Cannot run ${[program, ...args].join(" ")}: ${stderr.trim()}`);
  return stdout;
}
