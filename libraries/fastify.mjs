// Fastify answers with frames of a worker, in place: node libraries/fastify.mjs
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { copiedBytes, imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node"; // of shared memory of threads Fastify would make JSON
import fastify from "fastify";

if (isMainThread) {
  const domain = ProcessDomain.create();
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), { workerData: invitation, transferList: [invitation.port] });
  const ended = once(worker, "exit");
  const [handle] = await once(worker, "message");
  const frames = domain.import(handle).frames();

  const server = fastify();
  server.get("/frame", async (_request, reply) => {
    const frame = await frames.next();
    reply.raw.once("close", () => frame.close()); // the last byte is with the kernel, or the client has gone
    const { buffer, byteOffset, length } = frame.bytes;
    return reply.header("sequence", frame.sequence).send(Buffer.from(buffer, byteOffset, length));
  });
  const address = await server.listen({ host: "127.0.0.1", port: 0 });

  const answers = Array.from({ length: 20 }, async () => {
    const response = await fetch(`${address}/frame`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const expected = Number(response.headers.get("sequence")) + 1;
    return bytes.length === 640 * 480 && bytes.every((byte) => byte === expected);
  });
  const right = (await Promise.all(answers)).filter((isRight) => isRight).length;
  console.log(right, "of 20 answers at the same time are right");
  await server.close();
  frames.close();
  await ended;
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
} else {
  const domain = ProcessDomain.join(workerData);
  const stream = domain.createStream({ format: imageFormat("GREY", 640, 480), buffers: 3 });
  parentPort.postMessage(stream.handle());
  await stream.waitForConsumers(1);
  for (let n = 1; n <= 20; n++) {
    const loan = await stream.loan();
    loan.bytes.fill(n);
    loan.publish();
  }
  stream.end();
  console.log("producer: 20 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
  domain.close();
}
