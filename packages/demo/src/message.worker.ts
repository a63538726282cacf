/** A consumer that gets its frames by messages, each as its own copy: what the demo compares itself with. */
import { Consumer, type ToConsumer } from "./consumer.js";
import { openEndpoint } from "./endpoint.js";
import type { JobSettings } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import { packedPicture } from "./picture.js";

const endpoint = openEndpoint<{ settings: JobSettings }>();
const { settings } = endpoint.given;
const consumer = new Consumer(settings, (message) => endpoint.tell(message));

endpoint.hear((message) => {
  const taken = nowMicroseconds();
  receive(message, taken).catch((error: unknown) => {
    consumer.fail(error);
    endpoint.close();
  });
});
try {
  await consumer.start();
  consumer.ready();
} catch (error) {
  consumer.fail(error);
  endpoint.close();
}

async function receive(message: ToConsumer, taken: number): Promise<void> {
  switch (message.kind) {
    case "note":
      consumer.hear(message.note);
      return;
    case "end":
      await consumer.finish(0);
      endpoint.close();
      return;
    case "frame": {
      const { bytes, sequence, published } = message;
      const picture = packedPicture(bytes, sequence, settings.width, settings.height);
      await consumer.look(picture, published, taken);
      consumer.wantNext();
      endpoint.tell({ kind: "wanting" });
    }
  }
}
