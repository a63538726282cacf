/** The worker thread of a party. */
import { parentPort, workerData } from "node:worker_threads";
import { Domain, type Invitation } from "../../../src/index.js";
import { ProcessDomain, type WorkerInvitation } from "../../../src/node/index.js";
import { serve, type Desk } from "./serve.js";

const desk: Desk = {
  hear: (perform) => void parentPort!.on("message", perform),
  reply: (reply) => parentPort!.postMessage(reply),
};
const invitation = workerData as Invitation | WorkerInvitation;

if ("reservation" in invitation) {
  const domain = ProcessDomain.join(invitation);
  serve(domain, (length) => domain.createMemory(length), desk);
} else {
  serve(Domain.join(invitation), (length) => ({ memory: new SharedArrayBuffer(length), offset: 0, length }), desk);
}
