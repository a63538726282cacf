import { fork, type ForkOptions } from "node:child_process";
import { once } from "node:events";
import { Worker, type Transferable } from "node:worker_threads";
import type { ProcessDomain } from "dmabuf/node";
import type { FromConsumer, ToConsumer } from "./consumer.js";
import { tiedToUs } from "./program.js";
import { HERE, type Place } from "./two-places.js";

/** A worker, a thread or a process, as the program that started it sees it. */
export interface WorkerHandle<To = ToConsumer> extends AsyncDisposable {
  /** Of a process. */
  readonly pid: number | undefined;
  tell(message: To): void;
  /** Ends it, whatever it does, and waits until it has ended. Its disposal does the same. */
  end(): Promise<void>;
}

export interface WorkerEvents<From = FromConsumer> {
  readonly onMessage: (message: From) => void;
  readonly onError: (error: Error) => void;
  /** @param how An exit code, or the name of a signal. */
  readonly onExit: (how: number | string) => void;
}

/** @param given What it is started with; its endpoint has it there. */
export function startThread(
  entry: URL,
  given: object,
  transfer: readonly Transferable[],
  events: WorkerEvents,
): WorkerHandle {
  const worker = new Worker(entry, { workerData: given, transferList: [...transfer] });
  worker.on("message", events.onMessage);
  worker.once("error", events.onError);
  worker.once("exit", events.onExit);
  const end = async (): Promise<void> => void (await worker.terminate());
  return { pid: undefined, tell: (message) => worker.postMessage(message), end, [Symbol.asyncDispose]: end };
}

/**
 * @param given As for a thread, in what JSON can say.
 * @param options The domain that it inherits, and the host that it is on; default: none, and this one.
 */
export function startProcess<From = FromConsumer, To extends object = ToConsumer>(
  entry: URL,
  given: object,
  events: WorkerEvents<From>,
  { domain, place = HERE }: { readonly domain?: ProcessDomain; readonly place?: Place } = {},
): WorkerHandle<To> {
  const [program, all] = place.command(process.execPath, process.execArgv);
  const [execPath, ...execArgv] = [...tiedToUs(), program, ...all];
  const settings: ForkOptions = {
    // It ends when its channel does; one that is stopped, or blocks, does not see that.
    execPath: execPath!,
    execArgv,
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  };
  const args = [JSON.stringify(given)];
  const child = domain === undefined ? fork(entry, args, settings) : domain.fork(entry, args, settings);
  child.on("message", events.onMessage);
  child.on("error", events.onError);
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  ended.then(([code, signal]) => events.onExit(code ?? signal ?? "unknown"), events.onError);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended.catch(() => {});
  };
  return {
    pid: child.pid,
    tell: (message) => {
      // That it has ended is told by its exit.
      if (child.connected) child.send(message, () => {});
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}
