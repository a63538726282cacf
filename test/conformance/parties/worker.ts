/** The worker thread of a party. */
import { parentPort, workerData } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import { serve } from "./serve.js";

serve(Domain.join(workerData as Invitation), {
  hear: (perform) => void parentPort!.on("message", perform),
  reply: (reply) => parentPort!.postMessage(reply),
});
