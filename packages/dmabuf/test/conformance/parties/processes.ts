import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { ProcessDomain } from "../../../src/node/index.js";
import { gather, LEAVE_MS, type Line, type Place } from "./party.js";
import type { Answer, Order } from "./process.js";
import { callWorker } from "./workers.js";

const SCRIPT = fileURLToPath(new URL("process.js", import.meta.url));

/** Processes that wait for their next part: starting one takes longer than most cases. */
const idle: ChildProcess[] = [];

/** Parties in processes of their own, in a domain of processes. */
export const PROCESSES: Place = {
  name: "processes",
  async meet(t, count, options = {}) {
    const where = `@dmabuf parties ${randomUUID()}`;
    const domain = ProcessDomain.listen(where, options);
    return gather(t, domain, count, () => callProcess(where));
  },
};

/** Parties in a domain of processes, by turns in workers of this process and in other processes. */
export const WORKERS_BESIDE_PROCESSES: Place = {
  name: "workers and processes",
  async meet(t, count, options = {}) {
    const where = `@dmabuf parties ${randomUUID()}`;
    const domain = ProcessDomain.listen(where, options);
    let called = 0;
    return gather(t, domain, count, () => (called++ % 2 === 0 ? callWorker(domain.invite()) : callProcess(where)));
  },
};

after(() => {
  for (const child of idle) child.kill("SIGKILL");
});

function callProcess(where: string): Line {
  const child = idle.pop() ?? fork(SCRIPT, { serialization: "advanced" });
  tell(child, { order: "join", where });
  return {
    ask: (request) => tell(child, { order: "perform", request }),
    hear(reply, ended) {
      child.on("message", (answer: Answer) => void (typeof answer === "object" && reply(answer)));
      child.on("exit", () => ended(new Error("The process has ended")));
    },
    async end() {
      if (hasEnded(child)) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    async dismiss() {
      if (hasEnded(child)) return;
      const left = await leave(child);
      child.removeAllListeners("message").removeAllListeners("exit");
      if (left) idle.push(child);
      else await this.end();
    },
  };
}

/** Whether it has left the domain, and can be used again. */
function leave(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => resolve(false), LEAVE_MS);
    child.on("message", (answer: Answer) => {
      if (answer !== "left") return;
      clearTimeout(limit);
      resolve(true);
    });
    tell(child, { order: "leave" });
  });
}

function tell(child: ChildProcess, order: Order): void {
  child.send(order);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
