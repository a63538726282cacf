// Workers that share the work: each frame goes to one of them: node dist/examples/sharing.js
import { isMainThread, threadId, Worker, workerData } from "node:worker_threads";
import { Domain, rawFormat, type Invitation, type StreamHandle } from "dmabuf";

if (isMainThread) {
  using domain = Domain.create();
  using stream = domain.createStream({ name: "work", format: rawFormat(1 << 20) });
  const workers = [1, 2, 3].map(() => {
    const invitation = domain.invite();
    return new Worker(new URL(import.meta.url), {
      workerData: { invitation, stream: stream.handle() },
      transferList: [invitation.port],
    });
  });
  await stream.waitForConsumers(1); // while no worker has joined, nothing waits for them

  for (let n = 0; n < 12; n++) {
    using loan = await stream.loan(); // waits for a worker that has given its frame back
    loan?.bytes.fill(n);
    loan?.publish();
  }
  stream.end(); // the workers' loops end when all frames are done
  await Promise.all(workers.map((worker) => new Promise((ended) => worker.once("exit", ended))));
} else {
  const { invitation, stream }: { invitation: Invitation; stream: StreamHandle } = workerData;
  using domain = Domain.join(invitation);
  for await (using frame of domain.import(stream).frames({ group: "workers" })) {
    const sum = frame.bytes.reduce((sum, byte) => sum + byte, 0);
    console.log("worker", threadId, "frame", frame.sequence, "sum", sum); // given back here: it is done
  }
}
