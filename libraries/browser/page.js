// The page: shows the frames of its worker on a canvas, and says what is there.
import { copiedBytes, Domain } from "dmabuf";

const domain = Domain.create();
const invitation = domain.invite();
const worker = new Worker("/worker.js", { type: "module" });
worker.postMessage(invitation, [invitation.port]);
const handle = await new Promise((got) => worker.addEventListener("message", ({ data }) => got(data), { once: true }));

const context = new OffscreenCanvas(640, 480).getContext("2d", { willReadFrequently: true });
for await (const frame of domain.import(handle).frames()) {
  const { width, height, pixelFormat } = frame.format;
  const picture = new VideoFrame(frame.bytes, {
    format: pixelFormat,
    codedWidth: width,
    codedHeight: height,
    timestamp: frame.publishedAt / 1000, // microseconds
  });
  frame.close(); // VideoFrame has a copy of its own
  context.drawImage(picture, 0, 0);
  picture.close();
  console.log("picture", frame.sequence, "has", context.getImageData(320, 240, 1, 1).data.join(" "));
}
console.log("consumer:", copiedBytes(), "bytes were copied");
worker.addEventListener("message", () => (globalThis.isOver = true));
worker.postMessage("over");
