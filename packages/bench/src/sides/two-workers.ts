import { spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, MessageChannel, parentPort, Worker, workerData, type MessagePort } from "node:worker_threads";
import type { Figures } from "../figures.js";
import { parameters, report } from "./sampling.js";

/** What every round trip between two workers is told. */
export interface WorkersParameters {
  /** The processors of the two sides, if they are to be pinned. */
  readonly cpus?: readonly [number, number];
}

interface Start<P> {
  readonly side: 0 | 1;
  readonly port: MessagePort;
  readonly parameters: P;
}

/**
 * The whole of a side's module: runs two workers of it, tied by a message port, each on its processor, and reports what
 * the leading one measured.
 */
export async function twoWorkers<P extends WorkersParameters>(
  module: string,
  lead: (port: MessagePort, parameters: P) => Promise<Figures>,
  follow: (port: MessagePort, parameters: P) => Promise<void>,
): Promise<void> {
  if (isMainThread) {
    const figures = startWorkers(module, parameters<P>());
    report(await figures);
    return;
  }
  const start = workerData as Start<P>;
  const cpu = start.parameters.cpus?.[start.side];
  if (cpu !== undefined) pinThread(cpu);
  if (start.side === 0) parentPort!.postMessage(await lead(start.port, start.parameters));
  else await follow(start.port, start.parameters);
  start.port.close();
}

/** The next message of the other side. */
export function nextMessage<M>(port: MessagePort): Promise<M> {
  return new Promise((resolve) => port.once("message", resolve));
}

function startWorkers<P>(module: string, parameters: P): Promise<Figures> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    for (const [side, port] of [port1, port2].entries()) {
      const data = { side, port, parameters };
      const worker = new Worker(fileURLToPath(module), { workerData: data, transferList: [port] });
      worker.on("error", reject);
      if (side === 0) worker.on("message", resolve);
    }
  });
}

/** Binds the calling thread. Node.js has no call for it: util-linux does it from outside. */
export function pinThread(cpu: number): void {
  const thread = readlinkSync("/proc/thread-self").split("/").at(-1)!;
  const { status, stderr } = spawnSync("taskset", ["-pc", String(cpu), thread], { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot pin thread ${thread} to processor ${cpu}: ${stderr}`);
}
