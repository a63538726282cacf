import { parentPort, workerData } from "node:worker_threads";
import { Domain } from "dmabuf";

const domain = Domain.join(workerData.invitation);
const stream = domain.import(workerData.stream);
for await (const frame of stream.frames()) {
  parentPort.postMessage(frame.bytes.reduce((sum, byte) => sum + byte, 0));
  frame.close();
}
domain.close();
