import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Figures } from "../figures.js";
import type { Line } from "./fence-ends.js";
import { parameters, report } from "./sampling.js";
import { pinThread, type WorkersParameters } from "./two-workers.js";

/** The first descriptor that the following process inherits. */
const FIRST_INHERITED = 3;

/** What the leading process has made for both. */
export interface Shared {
  /** The descriptors that the other process is to inherit. */
  readonly descriptors: readonly number[];
  /** Measures, once the other process runs. */
  lead(line: Line): Promise<Figures>;
}

/**
 * The whole of a side's module: this process leads, and starts another one that follows, each on its processor.
 *
 * @param follow Gets the numbers that the inherited descriptors have there.
 */
export async function twoProcesses<P extends WorkersParameters>(
  module: string,
  prepare: (parameters: P) => Shared,
  follow: (descriptors: readonly number[], parameters: P) => Promise<void>,
): Promise<void> {
  const given = parameters<P>();
  const count = process.argv[3];
  if (count !== undefined) {
    await follow(
      Array.from({ length: Number(count) }, (_, i) => FIRST_INHERITED + i),
      given,
    );
    return;
  }
  const shared = prepare(given);
  const { descriptors } = shared;
  const command = [process.execPath, fileURLToPath(module), process.argv[2]!, String(descriptors.length)];
  const pin = given.cpus === undefined ? [] : ["taskset", "-c", String(given.cpus[1])];
  const [program, ...rest] = [...pin, ...command];
  const other = spawn(program!, rest, {
    stdio: ["ignore", "inherit", "inherit", ...descriptors, "ipc"],
    serialization: "advanced",
  });
  const ended = once(other, "exit");
  if (given.cpus !== undefined) pinThread(given.cpus[0]);
  const line: Line = {
    post: (message) => other.send(message as object),
    next: <M>() => once(other, "message").then(([message]) => message as M),
  };
  report(await shared.lead(line));
  const [status] = (await ended) as [number | null];
  if (status !== 0) throw new Error(`The following process has ended with status ${status ?? "none"}`);
}
