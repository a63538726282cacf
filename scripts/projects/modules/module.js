// A program of ES modules: a frame between two threads, and a domain of processes where there can be one.
import { Worker } from "node:worker_threads";
import { Domain, rawFormat } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";

const domain = Domain.create();
const stream = domain.createStream({ format: rawFormat(4) });
const invitation = domain.invite();
const worker = new Worker(new URL("./worker.js", import.meta.url), {
  workerData: { invitation, stream: stream.handle() },
  transferList: [invitation.port],
});
const loan = await stream.loan();
loan.bytes.fill(7);
loan.publish();
stream.end();
worker.once("message", (sum) => {
  if (sum !== 28) throw new Error(`The worker's sum is ${sum}`);
  domain.close();
});

const { processes, missing } = capabilities();
if (!processes) throw new Error(missing.map(({ name, reason }) => `${name}: ${reason}`).join());
ProcessDomain.create().close();
