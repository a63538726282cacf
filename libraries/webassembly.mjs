// Frames lie in the memory of a WebAssembly module from the start: node libraries/webassembly.mjs
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { copiedBytes, Domain, imageFormat } from "dmabuf";

// sum(pointer, bytes), in any language that compiles to WebAssembly. It imports env.memory, shared, of at most 256 pages.
const BINARY = Buffer.from(
  "AGFzbQEAAAABBwFgAn9/AX8CEQEDZW52Bm1lbW9yeQIDAYACAwIBAAcHAQNzdW0AAAooASYBAX8gACABaiEBA0AgAiAALQAAaiECIAEgAEEBaiIASw0ACyACCw==",
  "base64",
);

if (isMainThread) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 256, shared: true });
  const domain = Domain.create();
  domain.heaps.addModuleMemory("module", memory);
  const stream = domain.createStream({ format: imageFormat("GREY", 1280, 720), heap: "module" });
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, memory, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  for (let n = 1; n <= 5; n++) {
    const loan = await stream.loan();
    loan.bytes.fill(n * 10);
    loan.publish();
  }
  stream.end();
  await once(worker, "exit");
  console.log("producer: 5 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
  domain.close();
} else {
  const { invitation, memory, handle } = workerData;
  const { instance } = await WebAssembly.instantiate(BINARY, { env: { memory } });
  const domain = Domain.join(invitation);
  const stream = domain.import(handle);
  const window = domain.createModuleWindow(memory, stream);
  console.log("frames are", window.way);
  for await (const frame of stream.frames()) {
    const { size } = frame.format;
    const sum = instance.exports.sum(window.pointerTo(frame), size);
    console.log("frame", frame.sequence, "has the mean", sum / size);
    frame.close();
  }
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
}
