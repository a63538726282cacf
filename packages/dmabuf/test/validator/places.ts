import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Worker, type Transferable } from "node:worker_threads";
import { Domain, type JoinedDomain } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import type { Answer, Order, WayIn } from "./messages.js";

/** Where the agents of a program are: in worker threads or in processes. */
export interface Place {
  /** For the names of tests. */
  readonly name: string;
  /** A new domain that is validated, with the runner as its first agent. */
  open(): Opened;
  /** A new thread or process. */
  start(): Line;
}

export interface Opened {
  readonly domain: JoinedDomain;
  readonly invite: (name: string) => { readonly way: WayIn; readonly transfer: readonly Transferable[] };
}

/** The runner's end of the way to an agent. */
export interface Line {
  tell(order: Order, transfer?: readonly Transferable[]): void;
  hear(answer: (answer: Answer) => void): void;
  /** Ends it, whatever it is doing, as a crash would. */
  end(): Promise<void>;
}

const AGENT = new URL("agent.js", import.meta.url);
/** Reports are asked for; their text on standard error would only be in the way. */
const QUIET = ["--no-warnings"];
/** Room enough for a program, and quickly made. */
const OPTIONS = {
  name: "runner",
  agents: 8,
  buffers: 32,
  timelines: 32,
  oneShots: 64,
  streams: 4,
  syncobjs: 16,
  requests: 16,
  validate: true,
};

export const THREADS: Place = {
  name: "threads",
  open() {
    const domain = Domain.create(OPTIONS);
    return {
      domain,
      invite(name) {
        const way = domain.invite({ name });
        return { way, transfer: [way.port] };
      },
    };
  },
  start() {
    const worker = new Worker(AGENT, { execArgv: QUIET });
    return {
      tell: (order, transfer = []) => worker.postMessage(order, transfer),
      hear: (answer) => void worker.on("message", answer),
      end: async () => void (await worker.terminate()),
    };
  },
};

export const PROCESSES: Place = {
  name: "processes",
  open() {
    const where = `@dmabuf book ${randomUUID()}`;
    return { domain: ProcessDomain.listen(where, OPTIONS), invite: () => ({ way: where, transfer: [] }) };
  },
  start() {
    const child = fork(AGENT, { serialization: "advanced", execArgv: QUIET });
    return {
      tell: (order) => void (child.connected && child.send(order)),
      hear: (answer) => void child.on("message", answer),
      async end() {
        child.kill("SIGKILL");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      },
    };
  },
};
