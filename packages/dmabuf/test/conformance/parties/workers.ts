import { after } from "node:test";
import { Worker } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import type { WorkerInvitation } from "../../../src/node/index.js";
import { gather, LEAVE_MS, type Line, type Place } from "./party.js";
import type { Answer, Order } from "./worker.js";

/** Workers that wait for their next part: starting one takes longer than most cases. */
const idle: Worker[] = [];

/** Parties in worker threads of this process. */
export const WORKERS: Place = {
  name: "workers",
  async meet(t, count, options = {}) {
    const domain = Domain.create(options);
    return gather(t, domain, count, () => callWorker(domain.invite()));
  },
};

after(async () => {
  for (const worker of idle) await worker.terminate();
});

/** A worker of this process, in the domain of the agent that invites it. */
export function callWorker(invitation: Invitation | WorkerInvitation): Line {
  const worker = idle.pop() ?? new Worker(new URL("./worker.js", import.meta.url));
  worker.postMessage({ order: "join", invitation } satisfies Order, [invitation.port]);
  return {
    ask: (request) => worker.postMessage({ order: "perform", request } satisfies Order),
    hear(reply, failed) {
      worker.on("message", (answer: Answer) => void (typeof answer === "object" && reply(answer)));
      worker.on("error", failed);
      worker.on("exit", () => failed(new Error("The worker has ended")));
    },
    end: async () => void (await worker.terminate()),
    async dismiss() {
      if (hasEnded(worker)) return;
      const left = await leave(worker);
      for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
      if (left) idle.push(worker);
      else await this.end();
    },
  };
}

/** Whether it has left the domain, and can be used again. */
function leave(worker: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => resolve(false), LEAVE_MS);
    const say = (left: boolean): void => {
      clearTimeout(limit);
      resolve(left);
    };
    worker.on("message", (answer: Answer) => void (answer === "left" && say(true)));
    worker.on("exit", () => say(false));
    worker.postMessage({ order: "leave" } satisfies Order);
  });
}

function hasEnded({ threadId }: Worker): boolean {
  return threadId === -1;
}
