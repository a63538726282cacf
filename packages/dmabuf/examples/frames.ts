// Frames from one thread to another, without a copy: node dist/examples/frames.js
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Domain, imageFormat, type Invitation, type StreamHandle } from "dmabuf";

if (isMainThread) {
  using domain = Domain.create();
  using stream = domain.createStream({ name: "camera", format: imageFormat("NV12", 1920, 1080) });
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, stream: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);

  for (let n = 0; n < 5; n++) {
    using loan = await stream.loan();
    if (loan === undefined) break;
    loan.planes[0].bytes.fill(n * 10); // draw into the shared memory itself
    loan.publish({ data: { title: `frame ${n}` } });
  }
  stream.end();
  await new Promise((ended) => worker.once("exit", ended));
} else {
  const { invitation, stream }: { invitation: Invitation; stream: StreamHandle } = workerData;
  using domain = Domain.join(invitation);
  for await (using frame of domain.import(stream).frames()) {
    console.log(frame.sequence, frame.data, "brightness", frame.planes[0].bytes[0]); // the same memory, given back here
  }
}
