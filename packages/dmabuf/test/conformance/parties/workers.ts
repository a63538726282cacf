import { Worker } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import type { WorkerInvitation } from "../../../src/node/index.js";
import { gather, type Line, type Place } from "./party.js";

/** Parties in worker threads of this process. */
export const WORKERS: Place = {
  name: "workers",
  async meet(t, count, options = {}) {
    const domain = Domain.create(options);
    return gather(t, domain, count, () => callWorker(domain.invite()));
  },
};

/** A worker of this process, in the domain of the agent that invites it. */
export function callWorker(invitation: Invitation | WorkerInvitation): Line {
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    workerData: invitation,
    transferList: [invitation.port],
  });
  return {
    ask: (request) => worker.postMessage(request),
    hear(reply, ended) {
      worker.on("message", reply);
      worker.on("error", ended);
      worker.on("exit", () => ended(new Error("The worker has ended")));
    },
    end: async () => void (await worker.terminate()),
  };
}
