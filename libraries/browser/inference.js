// The page: draws stripes into frames, which its worker looks at.
import { copiedBytes, Domain, imageFormat } from "dmabuf";
import { connectWorker } from "dmabuf/web";

const domain = Domain.create();
const stream = domain.createStream({ format: imageFormat("RGBA", 640, 480) });
const worker = new Worker("/inference-worker.js", { type: "module" });
worker.addEventListener("message", ({ data }) => (globalThis.isOver ||= data === "over"));
await connectWorker(domain, worker, { name: "inference", data: stream.handle() });
await stream.waitForConsumers(1);
for (const stripe of [320, 160, 80]) {
  const loan = await stream.loan();
  const pixels = new Uint32Array(loan.bytes.buffer, loan.bytes.byteOffset, loan.bytes.length / 4);
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.floor((at % 640) / stripe) % 2 ? 0xffffffff : 0xff000000;
  loan.publish();
}
stream.end();
console.log("producer: 3 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
