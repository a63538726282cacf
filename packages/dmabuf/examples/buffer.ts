// One buffer, two threads, and none writes while the other reads: node dist/examples/buffer.js
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Domain, type Invitation, type BufferHandleData } from "dmabuf";

if (isMainThread) {
  using domain = Domain.create();
  using buffer = domain.allocate(8 << 20, { name: "tensor" });
  const invitation = domain.invite({ name: "doubler" });
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: buffer.handle() },
    transferList: [invitation.port],
  });
  {
    using access = await buffer.access("write"); // waits for all that still read or write
    new Float32Array(access.bytes.buffer).fill(21);
    worker.postMessage("go"); // the worker's own access waits until this one ends
  }
  await new Promise((done) => worker.once("message", done));
  using access = await buffer.access("read", { timeout: 1000 });
  console.log("the worker wrote", new Float32Array(access.bytes.buffer)[0]);
  await worker.terminate(); // what it held comes back by itself
} else {
  const { invitation, handle }: { invitation: Invitation; handle: BufferHandleData } = workerData;
  const domain = Domain.join(invitation);
  const buffer = domain.import(handle);
  parentPort?.once("message", () => {
    using access = buffer.accessSync("write");
    const floats = new Float32Array(access.bytes.buffer);
    floats.forEach((value, index) => (floats[index] = value * 2));
    parentPort?.postMessage("done");
  });
}
