import { Worker } from "node:worker_threads";
import { Domain, DmaBufError, rawFormat } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";
import { DmaHeap } from "dmabuf/linux";

const domain = Domain.create({ name: "module" });
const stream = domain.createStream({ format: rawFormat(4) });
if (process.argv.includes("worker")) {
  const invitation = domain.invite();
  new Worker("./worker.js", { workerData: { invitation }, transferList: [invitation.port] });
}
const consumer = stream.frames();
const loan = await stream.loan();
loan?.publish({ data: { note: "one" } });
const frame = await consumer.next();
frame?.close();
domain.close();
if (capabilities().processes) ProcessDomain.create().close();
try {
  DmaHeap.open("none").close();
} catch (error) {
  if (!(error instanceof DmaBufError)) throw error;
}
