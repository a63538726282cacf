/** The worker thread of a party. */
import { parentPort, workerData } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import { serve } from "./serve.js";

const createMemory = (length: number) => ({ memory: new SharedArrayBuffer(length), offset: 0, length });

serve(Domain.join(workerData as Invitation), createMemory, {
  hear: (perform) => void parentPort!.on("message", perform),
  reply: (reply) => parentPort!.postMessage(reply),
});
