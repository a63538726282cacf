import { fork, type ChildProcess } from "node:child_process";
import { once, type EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Identity } from "../../src/domain/agent-slot.js";
import type { AccessMode, ErrorCode, FenceHandle, Policy, BufferHandleData } from "../../src/index.js";
import { ProcessDomain, type ListenOptions } from "../../src/node/index.js";
import { until } from "../agents.js";

export const ENDS = ["process.exit()", "an uncaught exception", "an unhandled rejection"] as const;

export type End = (typeof ENDS)[number] | "domain.close()" | "the close of its membership";

export type HolderOrder =
  | { readonly order: "join"; readonly place: string }
  | { readonly order: "import"; readonly handle: BufferHandleData }
  /** A fence of its own, which it never signals. */
  | { readonly order: "fence"; readonly timeLimit: number }
  | { readonly order: "lock" | "unlock" | "write" | "write on" | "read" | "read on" }
  | { readonly order: "produce"; readonly name: string }
  /** Publishes a frame for each version, on a stream that it makes with the first; then writes half of the next one. */
  | { readonly order: "publish"; readonly name: string; readonly versions: readonly number[]; readonly bytes?: number }
  | { readonly order: "wait for a consumer" }
  /** Ends its stream, or fails it. */
  | { readonly order: "end stream"; readonly error?: ErrorCode }
  | { readonly order: "consume"; readonly name: string; readonly policy: Policy }
  | { readonly order: "check frame" }
  /** As a viewer, who takes a frame and keeps it. */
  | { readonly order: "visit"; readonly place: string }
  /** Has a worker of its own do that. */
  | { readonly order: "hire"; readonly orders: readonly HolderOrder[] }
  /**
   * Work on its buffer, or on the frame that it then gives back, as a device would do it: only a fence tells of its
   * end. It is stopped in the middle.
   */
  | { readonly order: "work"; readonly on: "buffer" | "frame"; readonly mode: AccessMode; readonly timeLimit: number }
  | { readonly order: "work on" }
  | { readonly order: "wait"; readonly fence: FenceHandle; readonly timeout: number }
  /** Kills itself before the n-th exchange that it makes from now on: only recovery makes any while it does nothing. */
  | { readonly order: "die at exchange"; readonly at: number }
  | { readonly order: "end"; readonly how: End };

interface Context {
  after(cleanUp: () => unknown): void;
}

const PROGRAM = new URL("holder.js", import.meta.url);

/** Another agent of a domain that takes hold of what it is told. */
abstract class Subordinate {
  identity: Identity = 0;
  readonly #mouth: EventEmitter;
  readonly #tell: (order: HolderOrder) => void;

  protected constructor(mouth: EventEmitter, tell: (order: HolderOrder) => void) {
    this.#mouth = mouth;
    this.#tell = tell;
  }

  /** Has it do something; returns its answer. */
  async ask(order: HolderOrder): Promise<unknown> {
    this.#tell(order);
    const answer = await this.hear();
    if (typeof answer === "string" && answer.startsWith("failed: ")) throw new Error(answer);
    return answer;
  }

  /** What it says next. */
  async hear(): Promise<unknown> {
    const [answer] = (await once(this.#mouth, "message")) as unknown[];
    return answer;
  }

  tell(order: HolderOrder): void {
    this.#tell(order);
  }
}

/** In a process, which is killed at the end of the test. */
export class Holder extends Subordinate {
  readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    super(child, (order) => void child.send(order));
    this.child = child;
  }

  static async start(t: Context, place: string): Promise<Holder> {
    // What it says about the errors that it is told to make is of no interest.
    const stdio = ["ignore", "inherit", "ignore", "ipc"] as const;
    const child = fork(fileURLToPath(PROGRAM), { stdio: [...stdio] });
    t.after(() => child.kill("SIGKILL"));
    const holder = new Holder(child);
    await holder.hear();
    holder.identity = (await holder.ask({ order: "join", place })) as Identity;
    return holder;
  }

  async stop(): Promise<void> {
    this.child.kill("SIGSTOP");
    await until(() => /\) T /.test(readFileSync(`/proc/${this.child.pid}/stat`, "latin1")));
  }

  goOn(): void {
    this.child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }
}

/** In a worker of this process, which is terminated at the end of the test. */
export class WorkerHolder extends Subordinate {
  readonly worker: Worker;

  private constructor(worker: Worker) {
    super(worker, (order) => worker.postMessage(order));
    this.worker = worker;
  }

  static async start(t: Context, domain: ProcessDomain): Promise<WorkerHolder> {
    const invitation = domain.invite();
    const worker = new Worker(PROGRAM, {
      workerData: invitation,
      transferList: [invitation.port],
      stderr: true,
    });
    t.after(() => worker.terminate());
    const holder = new WorkerHolder(worker);
    await holder.hear();
    holder.identity = (await holder.ask({ order: "join", place: "" })) as Identity;
    return holder;
  }
}

/** A domain in this process, and a place where others join it. */
export function listen(
  t: Context,
  options: ListenOptions = {},
): { readonly domain: ProcessDomain; readonly place: string } {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const place = join(folder, "socket");
  const domain = ProcessDomain.listen(place, { agents: 8, name: "here", ...options });
  t.after(() => domain.close());
  return { domain, place };
}
