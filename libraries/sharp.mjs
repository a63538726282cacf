// Frames become JPEG pictures in a worker, by sharp: node libraries/sharp.mjs
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { copiedBytes, Domain, imageFormat } from "dmabuf";
import sharp from "sharp";

if (isMainThread) {
  const domain = Domain.create();
  const stream = domain.createStream({ format: imageFormat("RGB24", 1280, 720) });
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  for (let n = 1; n <= 10; n++) {
    const loan = await stream.loan();
    loan.bytes.fill(n * 20); // a grey picture, drawn into the shared memory itself
    loan.publish();
  }
  stream.end();
  await once(worker, "exit");
  console.log("producer: 10 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
  domain.close();
} else {
  const domain = Domain.join(workerData.invitation);
  for await (const frame of domain.import(workerData.handle).frames()) {
    const { sequence, format } = frame;
    const { width, height } = format;
    const jpeg = await sharp(frame.bytes, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer();
    frame.close(); // not before sharp has finished: it has read the frame in place
    const { channels } = await sharp(jpeg).stats();
    console.log("picture", sequence, "has brightness", Math.round(channels[0].mean));
  }
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
}
