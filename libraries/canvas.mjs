// A canvas draws a frame in one thread, and shows it in another: node libraries/canvas.mjs
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { createCanvas, ImageData } from "@napi-rs/canvas";
import { copiedBytes, imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node"; // the canvas refuses shared memory of threads

const [WIDTH, HEIGHT] = [640, 480];
const canvas = createCanvas(WIDTH, HEIGHT);
const context = canvas.getContext("2d");

if (isMainThread) {
  const domain = ProcessDomain.create();
  const stream = domain.createStream({ format: imageFormat("RGBA", WIDTH, HEIGHT) });
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  let copied = 0;
  for (const colour of ["#800000", "#008000", "#000080"]) {
    context.fillStyle = colour;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const loan = await stream.loan();
    const pixels = canvas.data(); // its own: it cannot draw anywhere else
    loan.bytes.set(pixels);
    loan.publish();
    copied += pixels.length;
  }
  stream.end();
  await once(worker, "exit");
  console.log("producer: 3 frames of", stream.format.size, "bytes,", copiedBytes() + copied, "bytes were copied");
  domain.close();
} else {
  const domain = ProcessDomain.join(workerData.invitation);
  for await (const frame of domain.import(workerData.handle).frames()) {
    const { buffer, byteOffset, length } = frame.bytes;
    context.putImageData(new ImageData(new Uint8ClampedArray(buffer, byteOffset, length), WIDTH, HEIGHT), 0, 0);
    frame.close();
    const png = await canvas.encode("png");
    console.log("picture", frame.sequence, "has", [...context.getImageData(320, 240, 1, 1).data], png.length > 1000);
  }
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
}
