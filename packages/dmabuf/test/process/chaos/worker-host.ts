import { fork, type ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import type { WorkerHostOrder, WorkerHostReport, Kept } from "./worker-host-orders.js";
import type { Order } from "./orders.js";

/** What a party runs as: a process, or a thread of one. */
export interface Life extends EventEmitter {
  /** Of a process. */
  readonly pid?: number | undefined;
  readonly connected: boolean;
  readonly exitCode: number | null;
  readonly signalCode: string | null;
  send(order: Order, sent: () => void): unknown;
  kill(signal: NodeJS.Signals): unknown;
}

/** A process in which members live as workers, one after another: they join by themselves, and it lives on. */
export class WorkerHost {
  readonly #child: ChildProcess;
  #resident: Resident | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (report: WorkerHostReport) => {
      if (report.report === "said") this.#resident?.emit("message", report.what);
      if (report.report === "ended") this.#resident?.end(report.code, null);
    });
    child.on("exit", (code, signal) => this.#resident?.end(code, signal));
  }

  static async build(): Promise<WorkerHost> {
    const child = fork(fileURLToPath(new URL("worker-host-program.js", import.meta.url)));
    await once(child, "message");
    return new WorkerHost(child);
  }

  get isStanding(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Has a member move in. */
  async take(): Promise<Life> {
    const resident = new Resident((order) => this.#tell(order));
    this.#resident = resident;
    this.#tell({ host: "take" });
    await Promise.race([once(resident, "message"), once(resident, "exit")]);
    if (!resident.connected) throw new Error("a member's thread has ended before it had an order");
    return resident;
  }

  /** What the process has more than when it was built. */
  async kept(): Promise<Kept> {
    this.#tell({ host: "count" });
    for (;;) {
      const [report] = (await once(this.#child, "message")) as [WorkerHostReport];
      if (report.report === "counted") return report.kept;
    }
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  #tell(order: WorkerHostOrder): void {
    // One that falls says so by its exit.
    if (this.#child.connected) this.#child.send(order, () => {});
  }
}

/** A thread, told and ended as if it were a process. */
class Resident extends EventEmitter implements Life {
  exitCode: number | null = null;
  signalCode: string | null = null;
  readonly #tell: (order: WorkerHostOrder) => void;

  constructor(tell: (order: WorkerHostOrder) => void) {
    super();
    this.#tell = tell;
  }

  get connected(): boolean {
    return this.exitCode === null && this.signalCode === null;
  }

  send(order: Order): void {
    this.#tell({ host: "tell", order });
  }

  kill(): void {
    this.#tell({ host: "terminate" });
  }

  end(code: number | null, signal: string | null): void {
    if (!this.connected) return;
    this.exitCode = code;
    this.signalCode = signal;
    this.emit("exit", code, signal);
  }
}
