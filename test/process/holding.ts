import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Identity } from "../../src/domain/agent-slot.js";
import type { ErrorCode, FenceHandle, Policy, ReceivedHandle } from "../../src/index.js";
import { Domain, type ListenOptions } from "../../src/node/index.js";
import { until } from "../agents.js";

export const ENDS = ["process.exit()", "an uncaught exception", "an unhandled rejection"] as const;

export type HolderOrder =
  | { readonly order: "join"; readonly place: string }
  | { readonly order: "import"; readonly handle: ReceivedHandle }
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
  | { readonly order: "wait"; readonly fence: FenceHandle; readonly timeout: number }
  /** Kills itself before the n-th exchange that it makes from now on: only recovery makes any while it does nothing. */
  | { readonly order: "die at exchange"; readonly at: number }
  | { readonly order: "end"; readonly how: (typeof ENDS)[number] };

interface Context {
  after(cleanUp: () => unknown): void;
}

/** Another process of a domain that takes hold of what it is told. It is killed at the end of the test. */
export class Holder {
  readonly child: ChildProcess;
  identity: Identity = 0;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(t: Context, place: string): Promise<Holder> {
    // What it says about the errors that it is told to make is of no interest.
    const stdio = ["ignore", "inherit", "ignore", "ipc"] as const;
    const child = fork(fileURLToPath(new URL("holder.js", import.meta.url)), { stdio: [...stdio] });
    t.after(() => child.kill("SIGKILL"));
    const holder = new Holder(child);
    await holder.hear();
    holder.identity = (await holder.ask({ order: "join", place })) as Identity;
    return holder;
  }

  /** Has it do something; returns its answer. */
  async ask(order: HolderOrder): Promise<unknown> {
    this.child.send(order);
    const answer = await this.hear();
    if (typeof answer === "string" && answer.startsWith("failed: ")) throw new Error(answer);
    return answer;
  }

  /** What it says next. */
  async hear(): Promise<unknown> {
    const [answer] = (await once(this.child, "message")) as unknown[];
    return answer;
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

/** A domain in this process, and a place where others join it. */
export function listen(t: Context, options: ListenOptions = {}): { readonly domain: Domain; readonly place: string } {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const place = join(folder, "socket");
  const domain = Domain.listen(place, { agents: 8, name: "here", ...options });
  t.after(() => domain.close());
  return { domain, place };
}
