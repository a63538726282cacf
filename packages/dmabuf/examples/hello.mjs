// One producer, one worker, no copy, in plain JavaScript: node examples/hello.mjs
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Domain, rawFormat } from "dmabuf";

if (isMainThread) {
  const domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(8 << 20) }); // a ring of buffers of 8 MiB
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  for (let n = 1; n <= 3; n++) {
    const loan = await stream.loan(); // waits for a free buffer
    loan.bytes.fill(n); // written into the shared memory itself
    loan.publish();
  }
  stream.end();
  worker.once("exit", () => domain.close());
} else {
  const domain = Domain.join(workerData.invitation);
  for await (const frame of domain.import(workerData.handle).frames()) {
    console.log("frame", frame.sequence, "is full of", frame.bytes[0]); // the same memory
    frame.close(); // the producer may use it again
  }
  domain.close();
}
