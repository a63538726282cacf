// Frames inside a WebAssembly module, without a copy: node examples/module.mjs
import { Buffer } from "node:buffer";
import { copiedBytes, imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

// sum(pointer, bytes) and invert(pointer, bytes), in any language that compiles to WebAssembly.
const BINARY = Buffer.from(
  "AGFzbQEAAAABDAJgAn9/AX9gAn9/AAIPAQNlbnYGbWVtb3J5AgAAAwMCAAEHEAIDc3VtAAAGaW52ZXJ0AAEKVQInAQJ/A0AgASACSgRA" +
    "IAMgACACai0AAGohAyACQQFqIQIMAQsLIAMLKwECfwNAIAEgAkoEQCAAIAJqIgNB/wEgAy0AAGs6AAAgAkEBaiECDAELCws=",
  "base64",
);
const memory = new WebAssembly.Memory({ initial: 1 });
const { instance } = await WebAssembly.instantiate(BINARY, { env: { memory } });
const { sum, invert } = instance.exports;

const domain = ProcessDomain.create(); // mostly the producer is another process: see connect()
const stream = domain.createStream({ format: imageFormat("NV12", 640, 480) });
const frames = stream.frames();
const window = domain.createModuleWindow(memory, stream); // once: it has room for each buffer of the ring

for (let n = 1; n <= 3; n++) {
  const loan = await stream.loan();
  loan.planes[0].bytes.fill(n * 10);
  loan.publish();

  const frame = await frames.next();
  const pointer = window.pointerTo(frame); // the frame's own bytes, in the module's memory
  console.log("frame", frame.sequence, "has the mean brightness", sum(pointer, 640 * 480) / (640 * 480));
  try {
    window.call(() => invert(pointer, 640 * 480)); // a consumer may only read
  } catch (error) {
    console.log(error.message);
  }
  frame.close();
}
console.log(copiedBytes(), "bytes were copied");
window.close();
domain.close();
