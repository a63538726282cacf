import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ProcessInvitation } from "../../src/node/index.js";
import type { Order } from "./domain-peer.js";

interface Context {
  after(cleanUp: () => unknown): void;
}

/** Another process that has joined a domain. It is killed at the end of the test, if it still runs then. */
export class Peer {
  readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** @param where A place where an agent listens, or an invitation. */
  static async start(t: Context, where: string | ProcessInvitation): Promise<Peer> {
    const script = fileURLToPath(new URL("domain-peer.js", import.meta.url));
    const inherited = typeof where === "string" ? [] : [where.descriptor];
    const child = fork(script, [typeof where === "string" ? where : "4"], {
      stdio: ["inherit", "inherit", "inherit", "ipc", ...inherited],
    });
    t.after(() => child.kill("SIGKILL"));
    const peer = new Peer(child);
    const answer = await peer.#answer();
    if (answer !== "joined") throw new Error(`The peer has not joined: ${String(answer)}`);
    return peer;
  }

  /** Has it do something; returns its answer. */
  async ask(order: Order): Promise<unknown> {
    const answer = this.#answer();
    this.child.send(order);
    return answer;
  }

  async kill(): Promise<void> {
    const end = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await end;
  }

  async #answer(): Promise<unknown> {
    const aborter = new AbortController();
    const exit = once(this.child, "exit", { signal: aborter.signal }).then(() => ["ended"]);
    const message = once(this.child, "message", { signal: aborter.signal });
    try {
      return ((await Promise.race([message, exit])) as unknown[])[0];
    } finally {
      aborter.abort();
      await Promise.allSettled([message, exit]);
    }
  }
}
