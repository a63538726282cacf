/** A consumer that gets its frames by `postMessage`, each as its own copy: what the demo compares itself with. */
import { parentPort, workerData } from "node:worker_threads";
import { Consumer, type ToConsumer } from "./consumer.js";
import type { JobSettings } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import { packedPicture } from "./picture.js";

if (parentPort === null) throw new Error("This module is a worker's");
const port = parentPort;
const { settings } = workerData as { settings: JobSettings };
const consumer = new Consumer(settings, port);

port.on("message", (message: ToConsumer) => {
  const taken = nowMicroseconds();
  receive(message, taken).catch((error: unknown) => {
    consumer.fail(error);
    port.close();
  });
});
consumer.start().catch((error: unknown) => {
  consumer.fail(error);
  port.close();
});

async function receive(message: ToConsumer, taken: number): Promise<void> {
  switch (message.kind) {
    case "note":
      consumer.hear(message.note);
      return;
    case "end":
      await consumer.finish(0);
      port.close();
      return;
    case "frame": {
      const { bytes, sequence, published } = message;
      const picture = packedPicture(bytes, sequence, settings.width, settings.height);
      await consumer.look(picture, published, taken);
      consumer.wantNext();
      port.postMessage({ kind: "wanting" });
    }
  }
}
