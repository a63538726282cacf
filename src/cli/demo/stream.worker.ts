/** A consumer that shares the frames of a stream with all the others. */
import { parentPort, workerData } from "node:worker_threads";
import { Domain, copiedBytes, type Frame, type Invitation, type Plane, type StreamHandle } from "../../index.js";
import { Consumer, type ToConsumer } from "./consumer.js";
import type { JobSettings } from "./jobs/job.js";
import { nowMicroseconds } from "./latency.js";
import type { Picture } from "./picture.js";
import { policyOf } from "./pipeline.js";

if (parentPort === null) throw new Error("This module is a worker's");
const port = parentPort;
const {
  settings,
  invitation,
  stream: handle,
} = workerData as {
  settings: JobSettings;
  invitation: Invitation;
  stream: StreamHandle;
};
const consumer = new Consumer(settings, port);
port.on("message", (message: ToConsumer) => {
  if (message.kind === "note") consumer.hear(message.note);
});
try {
  await consume();
} catch (error) {
  consumer.fail(error);
} finally {
  port.close();
}

async function consume(): Promise<void> {
  using domain = Domain.join(invitation);
  using stream = domain.openStream(handle);
  const frames = stream.frames({ policy: policyOf(settings.name) });
  await consumer.start();
  for await (const frame of frames) {
    await look(frame);
    consumer.wantNext();
  }
  await consumer.finish(copiedBytes());
}

/** Gives the frame back as soon as the job has read it, which may be before the job wants the next one. */
function look(lent: Frame): Promise<void> | undefined {
  const taken = nowMicroseconds();
  using frame = lent;
  const [luma, chroma] = frame.planes as [Plane, Plane];
  const { width, height } = settings;
  const picture: Picture = { sequence: frame.sequence, width, height, luma, chroma };
  return consumer.look(picture, frame.publishedAt / 1000, taken);
}
