// Batches of Apache Arrow of different lengths, read in place in a worker: node libraries/arrow.mjs
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { tableFromArrays, tableFromIPC, tableToIPC } from "apache-arrow";
import { copiedBytes, Domain, rawFormat } from "dmabuf";

if (isMainThread) {
  const domain = Domain.create();
  const stream = domain.createStream({ format: rawFormat(1 << 20) }); // the longest batch
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  let copied = 0;
  for (const rows of [1000, 20_000, 100_000]) {
    const loan = await stream.loan();
    const table = tableFromArrays({ price: Float64Array.from({ length: rows }, (_, row) => row / 4) });
    const batch = tableToIPC(table); // Arrow has no other way than memory of its own
    loan.bytes.set(batch);
    loan.publish({ length: batch.length });
    copied += batch.length;
  }
  stream.end();
  await once(worker, "exit");
  console.log(
    "producer: 3 frames of",
    stream.format.size,
    "bytes at most,",
    copiedBytes() + copied,
    "bytes were copied",
  );
  domain.close();
} else {
  const domain = Domain.join(workerData.invitation);
  for await (const frame of domain.import(workerData.handle).frames()) {
    const { values } = tableFromIPC(frame.bytes).getChild("price").data[0];
    const place = values.buffer === frame.bytes.buffer ? "in place" : "elsewhere";
    const sum = values.reduce((total, price) => total + price, 0);
    console.log(values.length, "prices", place, "have the mean", sum / values.length);
    frame.close();
  }
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
}
