// A model of onnxruntime sees tensors in place, in a worker of this process: node libraries/onnx.mjs
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { copiedBytes, tensorFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node"; // in Node.js 20 onnxruntime refuses shared memory of threads
import { env, InferenceSession, Tensor } from "onnxruntime-node";

// One node: GlobalAveragePool, from "pixels" [1, 3, h, w] to "colour" [1, 3, 1, 1].
const MODEL =
  "CAg6bgojCgZwaXhlbHMSBmNvbG91ciIRR2xvYmFsQXZlcmFnZVBvb2wSAWdaIgoGcGl4ZWxzEhgKFggBEhIKAggBCgIIAwoDEgFoCgMSAXdiIAoG" +
  "Y29sb3VyEhYKFAgBEhAKAggBCgIIAwoCCAEKAggBQgQKABAN";

env.logLevel = "error"; // no words about devices that it does not find

if (isMainThread) {
  const domain = ProcessDomain.create();
  const stream = domain.createStream({ format: tensorFormat([1, 3, 224, 224], "float32") });
  const invitation = domain.invite();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { invitation, handle: stream.handle() },
    transferList: [invitation.port],
  });
  await stream.waitForConsumers(1);
  for (let n = 1; n <= 5; n++) {
    const loan = await stream.loan();
    const plane = loan.tensor.length / 3;
    for (let colour = 0; colour < 3; colour++) loan.tensor.fill(n + colour, colour * plane, (colour + 1) * plane);
    loan.publish();
  }
  stream.end();
  await once(worker, "exit");
  console.log("producer: 5 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
  domain.close();
} else {
  const domain = ProcessDomain.join(workerData.invitation);
  const session = await InferenceSession.create(Buffer.from(MODEL, "base64"));
  for await (const frame of domain.import(workerData.handle).frames()) {
    const pixels = new Tensor("float32", frame.tensor, frame.format.shape);
    const { colour } = await session.run({ pixels });
    frame.close(); // not before the session has finished
    console.log("tensor", frame.sequence, "has the mean colour", ...colour.data);
  }
  console.log("consumer:", copiedBytes(), "bytes were copied");
  domain.close();
}
